use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

/// A hash set of the keys of one batch: open addressing with linear probing. It stores positions
/// instead of keys.
///
/// The hash has a fixed seed, because the same input must always have the same result. Keys chosen
/// to collide do little harm: a batch has at most 500, so that each costs a few hundred
/// comparisons.
pub(super) struct UniqueIndex {
    /// The length is a power of two, and at least twice the number of keys.
    slots: Vec<Slot>,
    len: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    /// The position of the key plus 1, or 0 if the slot is free.
    key: u16,
    /// Bits of the hash that do not select the slot. Keys with different tags need no comparison.
    tag: u16,
}

const FREE: Slot = Slot { key: 0, tag: 0 };

impl Slot {
    fn of(position: usize, tag: u16) -> Self {
        Self { key: u16::try_from(position + 1).expect("a batch has at most 500 keys"), tag }
    }
}

impl UniqueIndex {
    const MIN_SLOTS: usize = 8;

    pub(super) fn with_capacity(keys: usize) -> Self {
        Self { slots: vec![FREE; (2 * keys).next_power_of_two().max(Self::MIN_SLOTS)], len: 0 }
    }

    /// Adds `key` at the next position, unless it is already there: then returns its position.
    /// `key_at` returns earlier keys.
    pub(super) fn insert<'a>(
        &mut self,
        key: &str,
        key_at: impl Fn(usize) -> &'a str,
    ) -> Option<u16> {
        if 2 * (self.len + 1) > self.slots.len() {
            self.grow(&key_at);
        }
        let (index, tag) = self.slot_for(key, &key_at);
        if let Some(found) = self.slots[index].key.checked_sub(1) {
            return Some(found);
        }
        self.slots[index] = Slot::of(self.len, tag);
        self.len += 1;
        None
    }

    /// The position of `key`, if it is there.
    pub(super) fn find<'a>(&self, key: &str, key_at: impl Fn(usize) -> &'a str) -> Option<u16> {
        self.slots[self.slot_for(key, key_at).0].key.checked_sub(1)
    }

    /// The slot that holds `key`, or the free slot for it, and the tag of `key`.
    #[expect(clippy::cast_possible_truncation, reason = "any bits of the hash will do")]
    fn slot_for<'a>(&self, key: &str, key_at: impl Fn(usize) -> &'a str) -> (usize, u16) {
        let mut hasher = FixedState::default().build_hasher();
        hasher.write(key.as_bytes());
        let hash = hasher.finish();
        let (mut index, tag, mask) = (hash as usize, (hash >> 48) as u16, self.slots.len() - 1);
        loop {
            index &= mask;
            let slot = self.slots[index];
            match usize::from(slot.key).checked_sub(1) {
                Some(position) if slot.tag != tag || key_at(position) != key => index += 1,
                _ => return (index, tag),
            }
        }
    }

    fn grow<'a>(&mut self, key_at: impl Fn(usize) -> &'a str) {
        self.slots = vec![FREE; 2 * self.slots.len()];
        for position in 0..self.len {
            let (index, tag) = self.slot_for(key_at(position), &key_at);
            self.slots[index] = Slot::of(position, tag);
        }
    }
}
