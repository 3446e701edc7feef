use bytes::Bytes;
use http::Request;

use super::{KeyOutcome, Positions};
use crate::delete_vectors::build_request;
use crate::keys::{BatchBuilder, Inserted};
use crate::{AttemptError, Key, KeyBatch, Target};

/// A batch on its way: keys, where they stood in the input, and what they have been through.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) keys: KeyBatch,
    places: Places,
    /// Unsigned; made when it is first sent, and shared by all attempts.
    request: Option<Request<Bytes>>,
    /// Attempts that count, and all that failed: the back-off grows with these.
    pub(super) attempts: u32,
    pub(super) failures: u32,
    /// Attempts that count since something got on last: given back if an outage is to blame.
    pub(super) spent: u32,
    /// All requests sent.
    pub(super) requests: u32,
    /// Throttled attempts in a row.
    pub(super) throttled: u32,
    pub(super) may_have_deleted: bool,
    pub(super) was_rejected: bool,
    pub(super) last_error: Option<AttemptError>,
    /// Where the batch began that this one is a part of; itself, if it was never split.
    pub(super) origin: u64,
    /// Whether it was never split.
    pub(super) is_whole: bool,
    /// How often it was split for an error that may not be about its keys.
    pub(super) splits: u32,
    /// The last time it failed, as [`Outage`](super::outage::Outage) counts.
    pub(super) failed_under: Option<u64>,
}

impl Batch {
    /// The request, to be signed.
    pub(super) fn request(&mut self, target: &Target) -> Request<Bytes> {
        let keys = &self.keys;
        self.request.get_or_insert_with(|| build_request(target, keys)).clone()
    }

    /// What is true of the keys if nothing more is sent. Sticky: once a key may have been deleted, it is never rejected.
    pub(super) fn outcome(&self) -> KeyOutcome {
        if self.may_have_deleted {
            KeyOutcome::Unconfirmed
        } else if self.was_rejected {
            KeyOutcome::Rejected
        } else {
            KeyOutcome::NotAttempted
        }
    }

    pub(super) fn remember(&mut self, error: AttemptError) {
        self.may_have_deleted |= error.may_have_deleted();
        self.was_rejected |= matches!(error, AttemptError::Service(_));
        self.last_error = Some(error);
    }

    /// Where the keys and their duplicates were pushed.
    pub(super) fn positions(&self) -> Positions {
        self.places.positions()
    }

    /// The first position, which no other batch has.
    pub(super) fn start(&self) -> u64 {
        self.places.start()
    }

    /// Whether it was never sent, and so is a batch as it was pushed.
    pub(super) fn is_untried(&self) -> bool {
        self.requests == 0
    }

    /// Gives back the attempts that an outage cost.
    pub(super) fn forgive(&mut self) {
        self.attempts -= std::mem::take(&mut self.spent);
    }

    /// Two batches of half the keys each; only for batches of more than one key.
    pub(super) fn split(mut self) -> (Self, Self) {
        let half = self.keys.len().div_ceil(2);
        let second = Self {
            keys: self.keys.split_off(half),
            places: self.places.split_off(half),
            request: None,
            attempts: 0,
            failures: 0,
            spent: 0,
            is_whole: false,
            last_error: self.last_error.clone(),
            ..self
        };
        (
            Self { request: None, attempts: 0, failures: 0, spent: 0, is_whole: false, ..self },
            second,
        )
    }
}

/// Where the keys of a batch were pushed.
#[derive(Debug, Default)]
struct Places {
    /// Offsets count from here.
    base: u64,
    /// Where each key came first.
    firsts: Vec<u32>,
    repeats: Vec<Repeat>,
}

/// A key came again, once or several times in a row.
#[derive(Debug, Clone, Copy)]
struct Repeat {
    offset: u32,
    count: u32,
    key: u16,
}

impl Places {
    fn start(&self) -> u64 {
        self.base + u64::from(self.firsts[0])
    }

    fn add(&mut self, offset: u32) {
        self.firsts.push(offset);
    }

    fn add_repeat(&mut self, offset: u32, key: u16) {
        match self.repeats.last_mut() {
            Some(last) if last.key == key && last.offset + last.count == offset => last.count += 1,
            _ => self.repeats.push(Repeat { offset, count: 1, key }),
        }
    }

    /// The places of the keys from `half` on.
    fn split_off(&mut self, half: usize) -> Self {
        let (firsts, repeats) = (self.firsts.split_off(half), std::mem::take(&mut self.repeats));
        let half = u16::try_from(half).expect("a batch has at most 500 keys");
        let (first, second): (Vec<Repeat>, Vec<Repeat>) =
            repeats.into_iter().partition(|repeat| repeat.key < half);
        let second =
            second.into_iter().map(|repeat| Repeat { key: repeat.key - half, ..repeat }).collect();
        self.repeats = first;
        Self { base: self.base, firsts, repeats: second }
    }

    fn positions(&self) -> Positions {
        let count = self.firsts.len() as u64
            + self.repeats.iter().map(|repeat| u64::from(repeat.count)).sum::<u64>();
        let last_first = self.firsts[self.firsts.len() - 1] + 1;
        let end = self.base
            + u64::from(
                self.repeats.last().map_or(0, |last| last.offset + last.count).max(last_first),
            );
        if end - self.start() == count {
            return Positions::one(self.start()..end);
        }
        let mut firsts = self.firsts.iter().copied().peekable();
        let mut repeats = self
            .repeats
            .iter()
            .flat_map(|repeat| repeat.offset..repeat.offset + repeat.count)
            .peekable();
        let merged = std::iter::from_fn(|| match (firsts.peek(), repeats.peek()) {
            (Some(first), Some(repeat)) if repeat < first => repeats.next(),
            (None, _) => repeats.next(),
            _ => firsts.next(),
        });
        Positions::collect(merged.map(|offset| self.base + u64::from(offset)))
    }
}

/// The open batch, which pushed keys go into. It is closed when it is full, and otherwise only when
/// it is sent: keys that are pushed while it waits to be sent join it.
pub(super) struct Filling {
    keys: BatchBuilder,
    places: Places,
    is_flushed: bool,
}

/// Positions that one batch may reach over, where its input holds little but duplicates, or what an earlier run settled.
const MOST_POSITIONS: u64 = 1 << 20;
/// Duplicates, each some bytes, that one batch may have.
const MOST_REPEATS: usize = 1 << 13;

impl Filling {
    pub(super) fn new() -> Self {
        Self { keys: BatchBuilder::with_capacity(0), places: Places::default(), is_flushed: false }
    }

    /// Keys that wait in it, without duplicates.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys in it are to be sent although it is not full.
    pub(super) fn flush(&mut self) {
        self.is_flushed = self.len() > 0;
    }

    /// Whether it may be sent although it is not full.
    pub(super) fn is_flushed(&self) -> bool {
        self.is_flushed
    }

    /// The batch as it is, where it cannot take what comes at `position`.
    pub(super) fn take_before(&mut self, position: u64) -> Option<Batch> {
        let is_at_its_end = position - self.places.base >= MOST_POSITIONS
            || self.places.repeats.len() >= MOST_REPEATS;
        is_at_its_end.then(|| self.take()).flatten()
    }

    /// Takes the key at `position`. Whether it is a duplicate, and the batch where it is complete.
    pub(super) fn push(&mut self, position: u64, key: Key<'_>) -> (bool, Option<Batch>) {
        if self.len() == 0 {
            self.places.base = position;
        }
        let offset =
            u32::try_from(position - self.places.base).expect("a batch spans no more positions");
        let is_duplicate = match self.keys.insert(key) {
            Inserted::New => {
                self.places.add(offset);
                false
            }
            Inserted::Duplicate(of) => {
                self.places.add_repeat(offset, of);
                true
            }
            Inserted::Full => unreachable!("a full batch was taken out"),
        };
        let is_full = self.len() == KeyBatch::MAX_KEYS;
        (is_duplicate, is_full.then(|| self.take()).flatten())
    }

    /// The batch as it is, where there is a key in it.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let keys = self.keys.take()?;
        self.is_flushed = false;
        // The next batch mostly is as large.
        let next = Places { firsts: Vec::with_capacity(keys.len()), ..Places::default() };
        let places = std::mem::replace(&mut self.places, next);
        Some(Batch {
            keys,
            origin: places.start(),
            places,
            request: None,
            attempts: 0,
            failures: 0,
            spent: 0,
            requests: 0,
            throttled: 0,
            may_have_deleted: false,
            was_rejected: false,
            last_error: None,
            is_whole: true,
            splits: 0,
            failed_under: None,
        })
    }
}
