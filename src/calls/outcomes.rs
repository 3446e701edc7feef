//! Passes outcomes from events to keys, and results from keys to calls.

use std::ops::Range;

use super::pending::End;
use super::{CallId, Calls, Finished};
use crate::AttemptError;
use crate::bulk::{Event, KeyOutcome, StopReason};

impl Calls {
    /// Handles the events of the `BulkDelete` immediately, so that a stop fails only calls that
    /// began before it.
    pub(super) fn absorb(&mut self) {
        while let Some(event) = self.bulk.poll_event() {
            match &event {
                Event::Deleted { positions, .. } => {
                    positions.ranges().for_each(|range| self.settle(&range, None));
                }
                Event::Failed(failed) => {
                    let outcome = Some((failed.outcome, failed.error.as_ref()));
                    failed.positions.ranges().for_each(|range| self.settle(&range, outcome));
                }
                Event::Stopped(reason) if !self.is_aborted => {
                    self.stop_calls(reason);
                    self.bulk.restart();
                }
                _ => {}
            }
            self.events.push_back(event);
        }
    }

    /// Gives the keys at `positions` their outcome, and finishes calls that have no other keys.
    fn settle(
        &mut self,
        positions: &Range<u64>,
        outcome: Option<(KeyOutcome, Option<&AttemptError>)>,
    ) {
        let Self { segments, pending, waiting_keys, .. } = self;
        let mut settled = Vec::new();
        segments.take(positions, |id, keys| {
            // A call that timed out already has its result.
            let Some(call) = pending.get_mut(&id) else { return };
            *waiting_keys -= keys.len();
            match outcome {
                None => call.deleted(&keys),
                Some((outcome, error)) => call.failed(keys, outcome, error),
            }
            if call.unsettled == 0 {
                settled.push(id);
            }
        });
        settled.into_iter().for_each(|id| self.finish(id, End::Settled));
    }

    /// Fails the keys that the calls have not pushed. Pushed keys have an outcome, or are in
    /// flight.
    fn stop_calls(&mut self, reason: &StopReason) {
        self.queue.clear();
        self.waiting.clear();
        let mut settled = Vec::new();
        for (&id, call) in &mut self.pending {
            let before = call.unsettled;
            call.turn = None;
            call.stopped(reason);
            self.waiting_keys -= before - call.unsettled;
            if call.unsettled == 0 {
                settled.push(id);
            }
        }
        settled.into_iter().for_each(|id| self.finish(id, End::Settled));
    }

    /// Ends a call before all its keys are settled. Pushed keys may be deleted now or later.
    pub(super) fn drop_call(&mut self, id: CallId, end: End) {
        let call = self.pending.get_mut(&id).expect("a pending call");
        let before = call.unsettled;
        let positions = call.positions.clone();
        call.drop_unpushed();
        let parts: Vec<_> = self.segments.overlapping(&positions).collect();
        for (_, keys) in parts.into_iter().filter(|&(of, _)| of == id) {
            call.failed(keys, KeyOutcome::Unconfirmed, None);
        }
        self.waiting_keys -= before;
        self.finish(id, end);
    }

    pub(super) fn finish(&mut self, id: CallId, end: End) {
        let mut call = self.pending.remove(&id).expect("a pending call");
        self.waiting.remove(&id);
        self.room_taken -= call.room;
        if let Some(turn) = call.turn {
            self.queue.remove(&turn);
        }
        if let Some(deadline) = call.deadline() {
            self.deadlines.remove(&(deadline, id));
        }
        let result = call.result(if self.is_aborted { End::Closed } else { end });
        call.span.conclude(&result);
        self.failed_calls += u64::from(result.is_err());
        if !call.is_abandoned {
            self.finished.push_back(Finished { id, result });
        }
        self.admit();
    }
}
