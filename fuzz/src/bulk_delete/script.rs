//! The input of a target as a script: one step per byte.

use std::time::Duration;

pub(super) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte; 0 past the end.
    pub(super) fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte
    }

    /// One of the choices. There are at most 256.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// From zero to times that are longer than any run.
    pub(super) fn duration(&mut self) -> Duration {
        const TIMES: [Duration; 16] = [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_millis(1),
            Duration::from_millis(10),
            Duration::from_millis(100),
            Duration::from_millis(300),
            Duration::from_secs(1),
            Duration::from_secs(10),
            Duration::from_secs(75),
            Duration::from_secs(301),
            Duration::from_secs(3600),
            Duration::from_secs(100_000),
            Duration::from_secs(1 << 31),
            Duration::from_secs(1 << 45),
            Duration::from_secs(1 << 63),
            Duration::MAX,
        ];
        self.pick(&TIMES)
    }
}
