use std::time::Duration;

use http::{Response, StatusCode};

use super::clock::Correction;
use super::decide::{Verdict, decide, is_from_oss, slows_down};
use super::doubt;
use super::outage::Circumstances;
use super::pacer::LONGEST_HOLD;
use super::{Batch, BulkDelete, Event, InFlight, Phase, Splitting, StopReason, TransmitId};
use crate::{AttemptError, Credentials, DeleteVectors, Deleted, Now, TransportError};

impl BulkDelete {
    /// Takes the answer to a transmit, whatever its status. Of unknown ids, and of those that had their answer, nothing is taken.
    pub fn handle_response<B: AsRef<[u8]>>(
        &mut self,
        now: Now,
        id: TransmitId,
        response: &Response<B>,
    ) {
        self.observe(now);
        let Some(attempt) = self.in_flight.remove(&id) else { return };
        self.history.had_response = true;
        let outcome = DeleteVectors::parse_response_to(&attempt.credentials, response)
            .map_err(AttemptError::from);
        self.conclude(attempt, outcome);
    }

    /// Takes note that a transmit has no answer. Of unknown ids, and of those that had their answer, nothing is taken.
    pub fn handle_failure(&mut self, now: Now, id: TransmitId, error: TransportError) {
        self.observe(now);
        let Some(attempt) = self.in_flight.remove(&id) else { return };
        let is_of_this_run = attempt.epoch == self.epoch;
        if error.is_surely_not_sent() && !self.history.had_response && is_of_this_run {
            self.history.unreachable += 1;
        }
        self.conclude(attempt, Err(error.into()));
    }

    /// Signs as `credentials` from now on, whether they were asked for or not.
    pub fn handle_credentials(&mut self, now: Now, credentials: Credentials) {
        self.authority.renew(now.monotonic.max(self.now.monotonic), credentials);
        self.observe(now);
    }

    fn conclude(&mut self, attempt: InFlight, outcome: Result<Deleted, AttemptError>) {
        let InFlight {
            mut batch,
            span,
            sent_at,
            epoch,
            is_overdue,
            clock_generation,
            credentials_generation,
            ..
        } = attempt;
        let now = self.now.monotonic;
        let latency = now.saturating_sub(sent_at);
        if !is_overdue {
            self.pacer.left(batch.keys.len());
        }
        if !matches!(outcome, Err(AttemptError::Transport(_))) {
            self.pacer.answered(latency);
        }
        span.conclude(&outcome);
        let error = match outcome {
            Ok(deleted) => {
                self.clock.succeeded(clock_generation);
                self.authority.succeeded(credentials_generation);
                self.pacer.accepted(now, latency, batch.keys.len(), deleted.qos_delay().is_some());
                return self.conclude_deleted(&batch, deleted.request_id().map(str::to_owned));
            }
            Err(error) => error,
        };
        let verdict = decide(&error, self.history);
        if slows_down(&error) {
            self.pacer.throttled(now, latency, batch.keys.len());
        }
        let is_from_oss = is_from_oss(&error);
        let error = error.shortened();
        batch.remember(error.clone());
        let failed = Failed { verdict, sent_at, is_from_oss, error };
        let (date, retry_after) = match &failed.error {
            AttemptError::Service(error) => (error.date(), error.retry_after(self.now.wall)),
            AttemptError::Transport(_) => (None, None),
        };
        if let Some(delay) = retry_after {
            self.pacer.hold(now, delay);
            self.startup.hold(now, delay.min(LONGEST_HOLD));
        }
        if verdict == Verdict::SlowDown {
            self.report.throttled += 1;
        } else {
            batch.throttled = 0;
        }
        if verdict == Verdict::Split {
            self.progressed();
        }
        if matches!(self.phase, Phase::Stopped(_)) || epoch != self.epoch {
            return self.settle_failed(batch);
        }
        match verdict {
            Verdict::SlowDown => {
                self.events.push_back(Event::Throttled { pace: self.pacer.pace(), retry_after });
                self.slow_down(batch, failed);
            }
            Verdict::Retry | Verdict::RetryThenSplit | Verdict::RetryThenStop => {
                self.retry(batch, failed);
            }
            Verdict::Split => self.refuse(batch, failed.error),
            Verdict::SignAgain => {
                let generation = self.clock.generation();
                match self.clock.refused(clock_generation, self.now.wall, date) {
                    Correction::Known => self.ready.push_front(batch),
                    Correction::Useless => self.stop_over(batch, StopReason::Clock(failed.error)),
                }
                if self.clock.generation() != generation {
                    self.events.push_back(Event::ClockCorrected);
                }
            }
            Verdict::AskCredentials => {
                if self.authority.rejected(self.now, credentials_generation, &failed.error) {
                    self.stop_over(batch, StopReason::Credentials(failed.error));
                } else {
                    self.ready.push_front(batch);
                    self.observe(self.now);
                }
            }
            Verdict::Stop => {
                let reason = match failed.error {
                    AttemptError::Service(_) => StopReason::Rejected,
                    AttemptError::Transport(_) => StopReason::Unreachable,
                };
                self.stop_over(batch, reason(failed.error));
            }
        }
    }

    fn conclude_deleted(&mut self, batch: &Batch, request_id: Option<String>) {
        self.history.had_success = true;
        self.startup.succeeded();
        self.doubt.deleted();
        self.progressed();
        self.settle_deleted(batch, request_id);
        self.leave_group(batch.origin);
        // From here on a rejected batch says something of its keys, and every batch may be split at once.
        self.splitting = None;
        if !matches!(self.phase, Phase::Stopped(_)) {
            for parked in std::mem::take(&mut self.parked) {
                let error = parked.last_error.clone().expect("it was rejected");
                self.refuse(parked, error);
            }
        }
    }

    /// Something was deleted, or the service gave its verdict on keys.
    fn progressed(&mut self) {
        if let Some(lasted) = self.outage.progressed(self.now.monotonic) {
            self.events.push_back(Event::OutageEnded { lasted });
        }
    }

    /// An attempt was throttled: none is spent.
    fn slow_down(&mut self, mut batch: Batch, failed: Failed) {
        let now = self.now.monotonic;
        batch.throttled += 1;
        if self.startup.failed(now, failed.sent_at, &failed.error, true) {
            return self.stop_over(batch, StopReason::NoSuccess(failed.error));
        }
        self.outage.remember(now, &failed.error);
        self.report_outage();
        if self.outage.is_open() {
            let back_off = &mut self.back_off;
            self.outage.probed(now, failed.sent_at, |failures| back_off.after(failures));
            self.ready.push_back(batch);
        } else if self.pacer.is_deaf() {
            let delay = self.back_off.after(batch.throttled);
            self.delay(batch, delay);
        } else {
            self.ready.push_front(batch);
        }
    }

    fn retry(&mut self, mut batch: Batch, failed: Failed) {
        let Failed { verdict, sent_at, is_from_oss, error } = failed;
        let now = self.now.monotonic;
        let is_starting = !self.startup.is_over();
        let (has_got_on, has_fresh) = (self.outage.is_fresh(&batch), self.has_fresh_batch());
        // Whether the batch may be to blame if nothing gets on: OSS itself responds, or half its attempts failed while others got on.
        let is_suspect =
            is_from_oss || batch.attempts.saturating_mul(2) >= self.options.max_attempts;
        self.outage.remember(now, &error);
        let circumstances = Circumstances { is_starting, is_suspect, has_fresh };
        let back_off = &mut self.back_off;
        if self
            .outage
            .failed(now, sent_at, &mut batch, circumstances, |failures| back_off.after(failures))
        {
            // The outage is to blame for what failed just before it was noticed.
            let outage = &self.outage;
            let in_flight = self.in_flight.values_mut().map(|attempt| &mut attempt.batch);
            let unsettled = self
                .ready
                .iter_mut()
                .chain(self.delayed.values_mut())
                .chain(&mut self.parked)
                .chain(in_flight);
            unsettled.filter(|batch| !outage.is_fresh(batch)).for_each(Batch::forgive);
            batch.forgive();
        }
        if self.startup.failed(now, sent_at, &error, false) {
            return self.stop_over(batch, StopReason::NoSuccess(error));
        }
        self.report_outage();
        let counts = is_starting
            || verdict == Verdict::RetryThenStop
            || if self.outage.is_open() {
                is_suspect && !has_fresh && !matches!(self.phase, Phase::Pushing)
            } else {
                has_got_on || (is_suspect && !has_fresh)
            };
        batch.attempts += u32::from(counts);
        batch.spent += u32::from(counts);
        batch.failures += 1;
        let is_last = batch.attempts >= self.options.max_attempts;
        // Where a body is too large only smaller ones get on, and to split costs no key.
        let is_too_large = error.status() == Some(StatusCode::PAYLOAD_TOO_LARGE);
        let is_tried = is_last || batch.attempts + batch.splits >= 2;
        if verdict == Verdict::RetryThenSplit
            && batch.keys.len() > 1
            && ((counts && is_tried) || is_too_large)
        {
            return self.split_later(batch, error);
        }
        if is_last && verdict == Verdict::RetryThenStop {
            return self.stop_over(batch, StopReason::Rejected(error));
        }
        if is_last {
            let origin = batch.origin;
            self.settle_failed(batch);
            return self.leave_group(origin);
        }
        self.report.retries += 1;
        self.events.push_back(Event::Retrying { keys: batch.keys.len(), error });
        if self.outage.is_open() {
            // The circuit decides when the next request goes out; another batch has its turn, for this one may be to blame.
            self.ready.push_back(batch);
        } else {
            let delay = self.back_off.after(batch.failures);
            self.delay(batch, delay);
        }
    }

    pub(super) fn report_outage(&mut self) {
        if let Some((error, lasted)) =
            self.outage.report(self.now.monotonic, !self.startup.is_over())
        {
            self.events.push_back(Event::OutageBegan { error, lasted });
        }
    }

    /// Whether a batch is left that has not failed since something got on last.
    fn has_fresh_batch(&self) -> bool {
        let in_flight = self.in_flight.values().map(|attempt| &attempt.batch);
        let mut unsettled =
            self.ready.iter().chain(self.delayed.values()).chain(&self.parked).chain(in_flight);
        unsettled.any(|batch| self.outage.is_fresh(batch))
    }

    /// Splits a batch that was rejected for something that may not be its keys: with a back-off that grows from part to part.
    fn split_later(&mut self, mut batch: Batch, error: AttemptError) {
        self.events.push_back(Event::Split { keys: batch.keys.len(), error });
        batch.splits += 1;
        // Each part is a batch of its own to the outage: an unknown error of everything must not split everything to single keys.
        batch.failed_under = None;
        let splits = batch.splits;
        self.grow_group(batch.origin);
        let (first, second) = batch.split();
        for part in [second, first] {
            if self.outage.is_open() {
                self.ready.push_front(part);
            } else {
                let delay = self.back_off.after(splits + 1);
                self.delay(part, delay);
            }
        }
    }

    /// The service rejected a batch for what is in it.
    fn refuse(&mut self, batch: Batch, error: AttemptError) {
        let is_other = self.splitting.is_some_and(|splitting| batch.origin != splitting.group);
        if !self.history.had_success && is_other {
            return self.parked.push_back(batch);
        }
        let is_single = batch.keys.len() == 1;
        let is_not_the_keys = if self.history.had_success {
            let has_untried = self.ready.iter().any(Batch::is_untried);
            self.doubt.rejected(&batch, has_untried)
        } else {
            self.rejected_keys += u32::from(is_single);
            self.rejected_keys >= doubt::KEYS
        };
        if is_not_the_keys {
            return self.stop_over(batch, StopReason::KeysRejected(error));
        }
        if !is_single {
            self.events.push_back(Event::Split { keys: batch.keys.len(), error });
        }
        self.split_or_reject(batch);
    }

    fn split_or_reject(&mut self, batch: Batch) {
        if batch.keys.len() == 1 {
            let origin = batch.origin;
            self.settle_failed(batch);
            return self.leave_group(origin);
        }
        if !self.history.had_success && self.splitting.is_none() {
            self.splitting = Some(Splitting { group: batch.origin, parts: 1 });
        }
        self.grow_group(batch.origin);
        let (first, second) = batch.split();
        self.ready.push_front(second);
        self.ready.push_front(first);
    }

    /// A batch becomes two, one more than its group had.
    fn grow_group(&mut self, origin: u64) {
        if let Some(splitting) =
            self.splitting.as_mut().filter(|splitting| splitting.group == origin)
        {
            splitting.parts += 1;
        }
    }

    /// A piece of the batch that is halved has its outcome; after the last one the next refused batch has its turn, and those of
    /// one key, which end there, let the next but one have it.
    fn leave_group(&mut self, origin: u64) {
        let Some(splitting) = self.splitting.as_mut().filter(|splitting| splitting.group == origin)
        else {
            return;
        };
        splitting.parts -= 1;
        if splitting.parts == 0 {
            self.splitting = None;
            while self.splitting.is_none()
                && let Some(parked) = self.parked.pop_front()
            {
                let error = parked.last_error.clone().expect("it was rejected");
                self.refuse(parked, error);
            }
        }
    }

    fn delay(&mut self, batch: Batch, delay: Duration) {
        self.delayed.insert((self.now.monotonic.saturating_add(delay), batch.start()), batch);
    }

    /// Stops the run over the answer to `batch`, whose keys have their outcome by the same rule as any others.
    fn stop_over(&mut self, batch: Batch, reason: StopReason) {
        self.stop_because(reason);
        self.settle_failed(batch);
    }
}

/// What came of an attempt that is not final for the batch.
struct Failed {
    verdict: Verdict,
    sent_at: Duration,
    is_from_oss: bool,
    error: AttemptError,
}
