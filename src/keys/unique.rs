use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

/// A hash set of the keys of one batch: open addressing with linear probing. It stores positions
/// instead of keys.
///
/// The hash has a fixed seed, because the same input must always have the same result. Keys chosen
/// to collide do little harm: a batch has at most 500, so that each costs a few hundred
/// comparisons.
pub(super) struct UniqueIndex {
    /// The position of a key plus 1, or 0 if the slot is free. The length is a power of two.
    slots: Vec<u16>,
    len: usize,
}

impl UniqueIndex {
    /// Slots per key. With so many, the first slot is nearly always free, so that the branch is
    /// predicted well.
    const SLOTS: usize = 8;

    pub(super) fn with_capacity(keys: usize) -> Self {
        Self { slots: vec![0; (Self::SLOTS * keys.max(1)).next_power_of_two()], len: 0 }
    }

    /// Forgets all keys, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.slots.fill(0);
        self.len = 0;
    }

    /// Adds `key` at the next position. If it was added before, returns its position instead.
    /// `key_at` returns the key at a position.
    pub(super) fn insert<'a>(
        &mut self,
        key: &str,
        key_at: impl Fn(usize) -> &'a str,
    ) -> Option<u16> {
        if Self::SLOTS * (self.len + 1) > self.slots.len() {
            self.grow(&key_at);
        }
        let slot = self.slot_for(key, &key_at);
        let found = self.slots[slot].checked_sub(1);
        if found.is_none() {
            self.fill(slot, self.len);
            self.len += 1;
        }
        found
    }

    /// The position of `key`, if it was added.
    pub(super) fn find<'a>(&self, key: &str, key_at: impl Fn(usize) -> &'a str) -> Option<u16> {
        self.slots[self.slot_for(key, key_at)].checked_sub(1)
    }

    /// The slot that holds `key`, or the free slot for it.
    #[expect(clippy::cast_possible_truncation, reason = "any bits of the hash will do")]
    fn slot_for<'a>(&self, key: &str, key_at: impl Fn(usize) -> &'a str) -> usize {
        let mut hasher = FixedState::default().build_hasher();
        hasher.write(key.as_bytes());
        let (mut slot, mask) = (hasher.finish() as usize, self.slots.len() - 1);
        loop {
            slot &= mask;
            match self.slots[slot].checked_sub(1) {
                Some(position) if key_at(position.into()) != key => slot += 1,
                _ => return slot,
            }
        }
    }

    fn fill(&mut self, slot: usize, position: usize) {
        self.slots[slot] = u16::try_from(position + 1).expect("a batch has at most 500 keys");
    }

    fn grow<'a>(&mut self, key_at: impl Fn(usize) -> &'a str) {
        self.slots = vec![0; 2 * self.slots.len()];
        for position in 0..self.len {
            let slot = self.slot_for(key_at(position), &key_at);
            self.fill(slot, position);
        }
    }
}
