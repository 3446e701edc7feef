use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use http::Request;

use super::KeyOutcome;
use super::positions::{Places, Positions};
use crate::delete_vectors::to_json;
use crate::operation::{Kind, Payload};
use crate::{AttemptError, KeyBatch, Target};

/// A batch from its last push to its outcome: its keys, their positions, and its attempts.
#[derive(Debug)]
pub(super) struct Batch {
    content: Arc<Content>,
    places: Places,
    /// Failed attempts that count against the maximum.
    pub(super) attempts: u32,
    /// All failed attempts. The back-off grows with them.
    pub(super) failures: u32,
    /// The part of `attempts` since the run last made progress. An outage gives it back.
    pub(super) spent: u32,
    /// All requests sent.
    pub(super) requests: u32,
    /// Throttled attempts in a row.
    pub(super) throttled: u32,
    pub(super) may_have_deleted: bool,
    pub(super) was_rejected: bool,
    pub(super) last_error: Option<AttemptError>,
    /// The first position of the batch that this one was split from, or of this one.
    pub(super) origin: u64,
    /// How often it was split for an error that may not be about its keys.
    pub(super) splits: u32,
    /// When it failed last, in the progress count of [`Outage`](super::outage::Outage).
    pub(super) failed_under: Option<u64>,
}

/// What all attempts of a batch share. Each may be built on another thread.
#[derive(Debug)]
pub(super) struct Content {
    keys: KeyBatch,
    /// Built for the first attempt.
    payload: OnceLock<Payload>,
    group: Arc<Group>,
}

impl Content {
    fn new(keys: KeyBatch, group: &mut Arc<Group>) -> Arc<Self> {
        if !group.has_room() {
            *group = Arc::default();
        }
        let content = Self { keys, payload: OnceLock::new(), group: Arc::clone(group) };
        let content = Arc::new(content);
        group.lock().push(Arc::downgrade(&content));
        content
    }

    /// The request, still to be signed. The target is the same for all calls.
    pub(super) fn request(&self, target: &Target) -> Request<Bytes> {
        let index_name = target.index_name();
        if self.payload.get().is_none() {
            self.group.build(index_name);
        }
        let payload = self.payload.get().expect("the group has built it");
        payload.clone().into_request(Kind::DeleteVectors, target)
    }

    fn build<const N: usize>(contents: [&Arc<Self>; N], index_name: Option<&str>) {
        let payloads = Payload::of(contents.map(|content| to_json(index_name, &content.keys)));
        for (content, payload) in contents.into_iter().zip(payloads) {
            content.payload.get_or_init(|| payload);
        }
    }

    /// Copies the keys if an attempt that was given up still holds them.
    fn into_keys(self: Arc<Self>) -> KeyBatch {
        Arc::try_unwrap(self).map_or_else(|shared| shared.keys.clone(), |content| content.keys)
    }
}

/// Batches whose payloads are built at once, when the first of them is sent: three take half the
/// time that they take one by one.
#[derive(Debug, Default)]
pub(super) struct Group(Mutex<Vec<Weak<Content>>>);

impl Group {
    pub(super) const SIZE: usize = 3;

    /// Whether another batch can join. Not while it is built.
    fn has_room(&self) -> bool {
        self.0.try_lock().is_ok_and(|members| members.len() < Self::SIZE)
    }

    /// Builds what is not built yet. Others that need one of these wait meanwhile.
    fn build(&self, index_name: Option<&str>) {
        let mut members = self.lock();
        let contents: Vec<_> = members.drain(..).filter_map(|content| content.upgrade()).collect();
        match contents[..] {
            [ref a, ref b, ref c] => Content::build([a, b, c], index_name),
            [ref a, ref b] => Content::build([a, b], index_name),
            [ref a] => Content::build([a], index_name),
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Content>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    /// Joins `group`, or begins another.
    pub(super) fn new(keys: KeyBatch, places: Places, group: &mut Arc<Group>) -> Self {
        Self {
            content: Content::new(keys, group),
            origin: places.start(),
            places,
            attempts: 0,
            failures: 0,
            spent: 0,
            requests: 0,
            throttled: 0,
            may_have_deleted: false,
            was_rejected: false,
            last_error: None,
            splits: 0,
            failed_under: None,
        }
    }

    pub(super) fn keys(&self) -> &KeyBatch {
        &self.content.keys
    }

    pub(super) fn content(&self) -> &Arc<Content> {
        &self.content
    }

    pub(super) fn into_keys(self) -> KeyBatch {
        self.content.into_keys()
    }

    /// The outcome if nothing more is sent. Keys that may have been deleted are never rejected,
    /// whatever later attempts end in.
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

    /// The positions of the keys and of their duplicates.
    pub(super) fn positions(&self) -> Positions {
        self.places.positions()
    }

    /// The first position. No other batch has it.
    pub(super) fn start(&self) -> u64 {
        self.places.start()
    }

    /// Gives back the attempts that an outage cost.
    pub(super) fn forgive(&mut self) {
        self.attempts -= std::mem::take(&mut self.spent);
    }

    /// Splits a batch of two or more keys in half. Each half gets all its attempts back, and keeps
    /// what is known of its keys.
    pub(super) fn split(mut self) -> (Self, Self) {
        (self.attempts, self.failures, self.spent) = (0, 0, 0);
        let half = self.keys().len().div_ceil(2);
        self.split_at(half)
    }

    /// Splits off the first `count` keys.
    pub(super) fn split_at(mut self, count: usize) -> (Self, Self) {
        let (mut keys, mut group) = (self.content.into_keys(), Arc::default());
        let second = Self {
            content: Content::new(keys.split_off(count), &mut group),
            places: self.places.split_off(count),
            last_error: self.last_error.clone(),
            ..self
        };
        let first = Self { content: Content::new(keys, &mut group), ..self };
        (first, second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_begin_anew_and_keep_what_is_known() {
        let mut places = Places::default();
        [3, 4, 6].into_iter().for_each(|position| places.add(position));
        places.add_repeat(7, 0);
        let mut batch =
            Batch::new(KeyBatch::new(["a", "b", "c"]).unwrap(), places, &mut Arc::default());
        (batch.attempts, batch.failures, batch.spent, batch.requests) = (2, 3, 1, 4);
        batch.may_have_deleted = true;
        let (first, second) = batch.split();
        for half in [&first, &second] {
            assert_eq!((half.attempts, half.failures, half.spent), (0, 0, 0));
            assert_eq!((half.requests, half.origin), (4, 3));
            assert_eq!(half.outcome(), KeyOutcome::Unconfirmed);
        }
        let positions = [first.positions(), second.positions()];
        assert_eq!(format!("{positions:?}"), "[[3..5, 7..8], [6..7]]");
        assert_eq!((first.start(), second.start(), second.keys().len()), (3, 6, 1));
    }
}
