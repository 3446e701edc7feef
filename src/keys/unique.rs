use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

/// An index over the unique keys of one batch: open addressing with linear probing over the keys' positions.
///
/// The hash has a fixed seed, for the same input must always do the same thing. Someone who picks keys that collide gains little:
/// a batch has at most 500, so they cost a few hundred comparisons each and never more.
pub(super) struct UniqueIndex {
    /// A power of two, at least twice as many as there are keys.
    slots: Vec<Slot>,
    len: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    /// Position + 1 of the key; 0 is free.
    key: u16,
    /// Bits of the key's hash that chose no slot: what they tell apart need not be compared.
    tag: u16,
}

const FREE: Slot = Slot { key: 0, tag: 0 };

impl Slot {
    fn of(position: usize, tag: u16) -> Self {
        Self { key: u16::try_from(position + 1).expect("a batch has at most 500 keys"), tag }
    }
}

impl UniqueIndex {
    const LEAST_SLOTS: usize = 8;

    pub(super) fn with_capacity(keys: usize) -> Self {
        Self { slots: vec![FREE; (2 * keys).next_power_of_two().max(Self::LEAST_SLOTS)], len: 0 }
    }

    /// Takes `key` as the next one, unless it is there already: its number, then. `key_at` gives the keys taken so far.
    pub(super) fn insert<'a>(&mut self, key: &str, key_at: impl Fn(usize) -> &'a str) -> Option<u16> {
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

    /// The number of `key`, where it is there.
    pub(super) fn find<'a>(&self, key: &str, key_at: impl Fn(usize) -> &'a str) -> Option<u16> {
        self.slots[self.slot_for(key, key_at).0].key.checked_sub(1)
    }

    /// The slot that holds `key`, or the free one where it belongs, and the key's tag.
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
