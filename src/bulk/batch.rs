use std::ops::Range;

use bytes::Bytes;
use http::Request;

use super::{AttemptError, KeyOutcome, Setback};
use crate::delete_vectors::build_request;
use crate::keys::{BatchBuilder, Inserted};
use crate::{Key, KeyBatch, Target};

/// A batch on its way: keys, where they stood in the input, and what they have been through.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) keys: KeyBatch,
    /// Where each key stood, counted from `span.start`.
    offsets: Vec<u32>,
    /// The positions that settle with the batch: duplicates among them, and such as an earlier run settled.
    pub(super) span: Range<u64>,
    /// Unsigned; made when it is first sent, and shared by all attempts.
    request: Option<Request<Bytes>>,
    /// Attempts that count.
    pub(super) attempts: u32,
    /// All requests sent.
    pub(super) requests: u32,
    /// Throttled attempts in a row.
    pub(super) throttled: u32,
    pub(super) may_have_deleted: bool,
    pub(super) was_refused: bool,
    pub(super) last_error: Option<AttemptError>,
    /// The batch that this one is a piece of, by its id, where it was halved.
    pub(super) family: Option<u64>,
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
        } else if self.was_refused {
            KeyOutcome::Rejected
        } else {
            KeyOutcome::NotAttempted
        }
    }

    pub(super) fn remember(&mut self, setback: &Setback, error: AttemptError, may_have_deleted: bool) {
        self.may_have_deleted |= may_have_deleted;
        self.was_refused |= matches!(setback, Setback::Refused(_));
        self.last_error = Some(error);
    }

    /// Two batches of half the keys each; only for batches of more than one key.
    pub(super) fn halve(mut self) -> (Self, Self) {
        let half = self.keys.len().div_ceil(2);
        let keys = self.keys.split_off(half);
        let offsets = self.offsets.split_off(half);
        let middle = offsets[0];
        let second = Self {
            keys,
            offsets: offsets.into_iter().map(|offset| offset - middle).collect(),
            span: self.span.start + u64::from(middle)..self.span.end,
            request: None,
            last_error: self.last_error.clone(),
            ..self
        };
        let first = Self {
            keys: self.keys,
            offsets: self.offsets,
            span: self.span.start..second.span.start,
            request: None,
            attempts: 0,
            last_error: self.last_error,
            ..second
        };
        (first, Self { attempts: 0, ..second })
    }
}

/// The batch that pushed keys go into.
pub(super) struct Filling {
    keys: BatchBuilder,
    offsets: Vec<u32>,
    span: Range<u64>,
}

/// Positions that one batch may span, where its input holds little but duplicates, or what an earlier run settled.
const MOST_POSITIONS: u64 = 1 << 20;

impl Filling {
    pub(super) fn new() -> Self {
        Self { keys: BatchBuilder::with_capacity(0), offsets: Vec::new(), span: 0..0 }
    }

    /// Keys that wait in it, without duplicates.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The batch as it is, where it cannot reach as far as `position`.
    pub(super) fn take_before(&mut self, position: u64) -> Option<Batch> {
        (position - self.span.start >= MOST_POSITIONS).then(|| self.take()).flatten()
    }

    /// Takes the key at `position`. Whether it is a duplicate, and the batch where it is complete.
    pub(super) fn push(&mut self, position: u64, key: Key<'_>) -> (bool, Option<Batch>) {
        if self.len() == 0 {
            self.span.start = position;
        }
        self.span.end = position + 1;
        let offset = u32::try_from(position - self.span.start).expect("a batch spans no more positions");
        let inserted = self.keys.insert(key);
        debug_assert_ne!(inserted, Inserted::Full, "a full batch was taken out");
        if inserted == Inserted::New {
            self.offsets.push(offset);
        }
        let is_full = self.len() == KeyBatch::MAX_KEYS;
        (inserted == Inserted::Duplicate, is_full.then(|| self.take()).flatten())
    }

    /// The batch as it is, where there is a key in it.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let keys = self.keys.take()?;
        // The next batch mostly is as large.
        let keys_len = keys.len();
        Some(Batch {
            keys,
            offsets: std::mem::replace(&mut self.offsets, Vec::with_capacity(keys_len)),
            span: std::mem::take(&mut self.span),
            request: None,
            attempts: 0,
            requests: 0,
            throttled: 0,
            may_have_deleted: false,
            was_refused: false,
            last_error: None,
            family: None,
        })
    }
}
