use std::ops::Range;
use std::time::Duration;

use super::call::CallKeys;
use super::error::Part;
use super::trace::CallSpan;
use super::{Call, DeleteError, DeleteErrorKind};
use crate::bulk::{KeyOutcome, StopReason};
use crate::{AttemptError, KeyBatch};

/// A call without a result.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) keys: CallKeys,
    pub(super) begun: Duration,
    timeout: Option<Duration>,
    /// The room that it takes, once it is admitted.
    pub(super) room: usize,
    /// The number of pushed keys.
    pub(super) pushed: usize,
    /// The number of keys without an outcome, pushed or not.
    pub(super) unsettled: usize,
    /// The place in the queue, if it is queued.
    pub(super) turn: Option<u64>,
    /// The positions of its first and last key. Positions of other calls may be between them.
    pub(super) positions: Range<u64>,
    failed: Vec<Part>,
    /// The reason why deleting stopped while it waited, and how many parts had failed before.
    stopped: Option<(StopReason, usize)>,
    /// Its caller no longer waits for the result.
    pub(super) is_abandoned: bool,
    pub(super) span: CallSpan,
}

/// The end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Settled,
    TimedOut,
    Closed,
}

impl Pending {
    pub(super) fn new(call: Call, begun: Duration) -> Self {
        let Call { keys, timeout, span } = call;
        Self {
            unsettled: keys.len(),
            keys,
            begun,
            timeout,
            room: 0,
            pushed: 0,
            turn: None,
            positions: 0..0,
            failed: Vec::new(),
            stopped: None,
            is_abandoned: false,
            span,
        }
    }

    /// Takes room, and returns how much. A huge call takes no more than one request, so that it
    /// does not block small ones.
    pub(super) fn take_room(&mut self) -> usize {
        self.room = self.keys.len().min(KeyBatch::MAX_KEYS);
        self.room
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.timeout.map(|timeout| self.begun.saturating_add(timeout))
    }

    /// Removes the deadline, and returns it.
    pub(super) fn forget_timeout(&mut self) -> Option<Duration> {
        let deadline = self.deadline();
        self.timeout = None;
        deadline
    }

    /// The next key was pushed at `position`.
    pub(super) fn was_pushed(&mut self, position: u64) {
        if self.pushed == 0 {
            self.positions.start = position;
        }
        self.positions.end = position + 1;
        self.pushed += 1;
    }

    /// These keys are deleted.
    pub(super) fn deleted(&mut self, keys: &Range<usize>) {
        self.unsettled -= keys.len();
    }

    /// These keys have another outcome.
    pub(super) fn failed(
        &mut self,
        keys: Range<usize>,
        outcome: KeyOutcome,
        error: Option<&AttemptError>,
    ) {
        if keys.is_empty() {
            return;
        }
        self.unsettled -= keys.len();
        self.failed.push(Part { keys, outcome, error: error.cloned() });
    }

    /// Keys that were not pushed will never be.
    pub(super) fn drop_unpushed(&mut self) {
        let unpushed = self.pushed..self.keys.len();
        self.pushed = self.keys.len();
        self.failed(unpushed, KeyOutcome::NotAttempted, None);
    }

    pub(super) fn stopped(&mut self, reason: &StopReason) {
        if self.stopped.is_none() {
            self.stopped = Some((reason.clone(), self.failed.len()));
        }
        self.drop_unpushed();
    }

    /// The result. To be called only if all keys are settled.
    pub(super) fn result(&mut self, end: End) -> Result<(), DeleteError> {
        debug_assert_eq!(self.unsettled, 0, "a key has no outcome");
        let parts = std::mem::take(&mut self.failed);
        if parts.is_empty() {
            return Ok(());
        }
        let kind = match (end, self.stopped.take()) {
            (End::TimedOut, _) => {
                DeleteErrorKind::TimedOut(self.timeout.expect("a call with a deadline"))
            }
            (End::Closed, _) => DeleteErrorKind::Closed,
            (End::Settled, Some((reason, before))) if before < parts.len() => {
                DeleteErrorKind::Stopped(reason)
            }
            (End::Settled, _) => DeleteErrorKind::NotDeleted,
        };
        Err(DeleteError::new(kind, &self.keys, parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_the_reason_only_for_keys_that_fail_after_it() {
        for (fails_before, fails_after, kind) in [
            (false, false, None),
            (true, false, Some(DeleteErrorKind::NotDeleted)),
            (false, true, Some(DeleteErrorKind::Stopped(StopReason::Requested))),
            (true, true, Some(DeleteErrorKind::Stopped(StopReason::Requested))),
        ] {
            let mut call = Pending::new(Call::new(["a", "b"]).unwrap(), Duration::ZERO);
            let settle = |call: &mut Pending, keys: Range<usize>, fails| {
                call.was_pushed(keys.start as u64);
                match fails {
                    true => call.failed(keys, KeyOutcome::Rejected, None),
                    false => call.deleted(&keys),
                }
            };
            settle(&mut call, 0..1, fails_before);
            call.pushed = 2;
            call.stopped(&StopReason::Requested);
            settle(&mut call, 1..2, fails_after);
            let result = call.result(End::Settled);
            assert_eq!(result.err().map(|error| error.kind().clone()), kind);
        }
    }
}
