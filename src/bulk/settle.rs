use super::{Batch, BulkDelete, Event, FailedKeys, KeyOutcome, Phase, StopReason};

impl BulkDelete {
    pub(super) fn stop_because(&mut self, reason: StopReason) {
        if matches!(self.phase, Phase::Stopped(_)) {
            return;
        }
        self.events.push_back(Event::Stopped(reason.clone()));
        self.flush();
        self.phase = Phase::Stopped(reason);
        let delayed = std::mem::take(&mut self.delayed).into_values();
        let unsent: Vec<Batch> =
            self.parked.drain(..).chain(delayed).chain(self.ready.drain(..)).collect();
        unsent.into_iter().for_each(|batch| self.settle_failed(batch));
    }

    pub(super) fn settle_deleted(&mut self, batch: &Batch, request_id: Option<String>) {
        self.report.deleted += batch.keys.len() as u64;
        let positions = batch.positions();
        positions.ranges().for_each(|range| self.settled.insert(range));
        if !matches!(self.phase, Phase::Stopped(_)) {
            self.settle_unproven();
        }
        self.events.push_back(Event::Deleted { keys: batch.keys.len(), positions, request_id });
    }

    /// Takes keys that were rejected before the first success as settled.
    pub(super) fn settle_unproven(&mut self) {
        let (rejected, keys) = std::mem::take(&mut self.unproven);
        self.settled.insert_all(&rejected);
        self.failed_for_good[0] += keys;
    }

    pub(super) fn settle_failed(&mut self, batch: Batch) {
        let (outcome, positions) = (batch.outcome(), batch.positions());
        let (count, failed_for_good) = match outcome {
            KeyOutcome::Rejected => (&mut self.report.rejected, 0),
            KeyOutcome::Unconfirmed => (&mut self.report.unconfirmed, 1),
            KeyOutcome::NotAttempted => (&mut self.report.not_attempted, 2),
        };
        *count += batch.keys.len() as u64;
        // Keys that the end of the run interrupts are not settled: the run that resumes it sends them. Nor are those rejected
        // before the first success, unless one follows: with a wrong target every key is rejected.
        let is_unproven = outcome == KeyOutcome::Rejected && !self.history.had_success;
        let (settled, settled_keys) = match &mut self.unproven {
            _ if matches!(self.phase, Phase::Stopped(_)) => {
                (&mut self.interrupted.0, &mut self.interrupted.1[failed_for_good])
            }
            (unproven, keys) if is_unproven => (unproven, keys),
            _ => (&mut self.settled, &mut self.failed_for_good[failed_for_good]),
        };
        positions.ranges().for_each(|range| settled.insert(range));
        *settled_keys += batch.keys.len() as u64;
        let Batch { keys, requests, last_error: error, .. } = batch;
        self.events.push_back(Event::Failed(FailedKeys {
            keys,
            positions,
            outcome,
            error,
            requests,
        }));
    }
}
