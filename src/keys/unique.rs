use std::hash::{DefaultHasher, Hasher};

/// An index over the unique keys of one batch: open addressing with linear probing over the keys' positions.
///
/// The hash has a fixed key, for the same input must always do the same thing. Someone who picks keys that collide gains little:
/// a batch has at most 500, so they cost a few hundred comparisons each and never more.
pub(super) struct UniqueIndex {
    /// Position + 1 of the key in each slot; 0 is free. A power of two, at least twice as many as there are keys.
    slots: Vec<u16>,
    len: usize,
}

impl UniqueIndex {
    const LEAST_SLOTS: usize = 8;

    pub(super) fn with_capacity(keys: usize) -> Self {
        Self { slots: vec![0; (2 * keys).next_power_of_two().max(Self::LEAST_SLOTS)], len: 0 }
    }

    /// Takes `key` as the next one, unless it is there already: `false`, then. `key_at` gives the keys taken so far.
    pub(super) fn insert<'a>(&mut self, key: &str, key_at: impl Fn(usize) -> &'a str) -> bool {
        if 2 * (self.len + 1) > self.slots.len() {
            self.grow(&key_at);
        }
        let slot = self.slot_for(key, &key_at);
        if self.slots[slot] != 0 {
            return false;
        }
        self.len += 1;
        self.slots[slot] = u16::try_from(self.len).expect("a batch has at most 500 keys");
        true
    }

    pub(super) fn contains<'a>(&self, key: &str, key_at: impl Fn(usize) -> &'a str) -> bool {
        self.slots[self.slot_for(key, key_at)] != 0
    }

    /// The slot that holds `key`, or the free one where it belongs.
    fn slot_for<'a>(&self, key: &str, key_at: impl Fn(usize) -> &'a str) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = Self::hash(key) & mask;
        while let Some(position) = usize::from(self.slots[slot]).checked_sub(1) {
            if key_at(position) == key {
                break;
            }
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow<'a>(&mut self, key_at: impl Fn(usize) -> &'a str) {
        self.slots = vec![0; 2 * self.slots.len()];
        for position in 0..self.len {
            let slot = self.slot_for(key_at(position), &key_at);
            self.slots[slot] = u16::try_from(position + 1).expect("a batch has at most 500 keys");
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "any bits of the hash will do")]
    fn hash(key: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        hasher.write(key.as_bytes());
        hasher.finish() as usize
    }
}
