//! The limit on the memory of all request bodies together.

use std::cell::Cell;

/// The number of bytes left.
pub(super) struct BodyMemory(Cell<usize>);

impl BodyMemory {
    pub(super) fn new(limit: usize) -> Self {
        Self(Cell::new(limit))
    }

    /// The share of one request, initially empty.
    pub(super) fn share(&self) -> Share<'_> {
        Share { memory: self, bytes: 0 }
    }
}

/// Returned when dropped.
pub(super) struct Share<'a> {
    memory: &'a BodyMemory,
    bytes: usize,
}

impl Share<'_> {
    /// Grows the share to `bytes` in total. Returns `false` if there are not enough left. Must not
    /// shrink.
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
