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
        let unsent: Vec<Batch> = self.parked.drain(..).chain(delayed).chain(self.ready.drain(..)).collect();
        unsent.into_iter().for_each(|batch| self.settle_failed(batch));
    }

    pub(super) fn settle_deleted(&mut self, batch: &Batch, request_id: Option<String>) {
        self.report.deleted += batch.keys.len() as u64;
        let positions = batch.positions();
        positions.ranges().for_each(|range| self.settled.insert(range));
        self.events.push_back(Event::Deleted { keys: batch.keys.len(), positions, request_id });
    }

    pub(super) fn settle_failed(&mut self, batch: Batch) {
        let (outcome, positions) = (batch.outcome(), batch.positions());
        let (count, given_up) = match outcome {
            KeyOutcome::Rejected => (&mut self.report.rejected, 0),
            KeyOutcome::Unconfirmed => (&mut self.report.unconfirmed, 1),
            KeyOutcome::NotAttempted => (&mut self.report.not_attempted, 2),
        };
        *count += batch.keys.len() as u64;
        // The end of the run cuts them short: one that resumes it has them before it.
        if !matches!(self.phase, Phase::Stopped(_)) {
            self.given_up[given_up] += batch.keys.len() as u64;
            positions.ranges().for_each(|range| self.settled.insert(range));
        }
        let Batch { keys, requests, last_error: error, .. } = batch;
        self.events.push_back(Event::Failed(FailedKeys { keys, positions, outcome, error, requests }));
    }
}
