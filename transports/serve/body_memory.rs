//! What all bodies of requests may have together.

use std::cell::Cell;

/// Bytes that are left to have.
pub(super) struct BodyMemory(Cell<usize>);

impl BodyMemory {
    pub(super) fn new(limit: usize) -> Self {
        Self(Cell::new(limit))
    }

    /// The share of one request, of nothing as yet.
    pub(super) fn share(&self) -> Share<'_> {
        Share { memory: self, bytes: 0 }
    }
}

/// Given back when it is dropped.
pub(super) struct Share<'a> {
    memory: &'a BodyMemory,
    bytes: usize,
}

impl Share<'_> {
    /// Has `bytes` in all, which is no less than before. `false` where there are not so many left.
    pub(super) fn grow_to(&mut self, bytes: usize) -> bool {
        let left = self.memory.0.get().checked_sub(bytes - self.bytes);
        if let Some(left) = left {
            self.memory.0.set(left);
            self.bytes = bytes;
        }
        left.is_some()
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.memory.0.set(self.memory.0.get() + self.bytes);
    }
}
