use std::time::Duration;

use http::Response;

use super::clock::Correction;
use super::decide::{Verdict, decide, may_have_deleted};
use super::{AttemptError, Batch, BulkDelete, Event, Failure, Halving, InFlight, Phase, Setback, StopReason, TransmitId};
use crate::{Credentials, DeleteVectors, Deleted, Now};

/// Single keys refused before anything was deleted that stop the run: so many bad ones in a row are no accident.
const REFUSED_KEYS: u32 = 8;

impl BulkDelete {
    /// Takes the answer to a transmit, whatever its status. Of unknown ids, and of those that had their answer, nothing is taken.
    pub fn handle_response<B: AsRef<[u8]>>(&mut self, now: Now, id: TransmitId, response: &Response<B>) {
        self.observe(now);
        let Some(attempt) = self.in_flight.remove(&id) else { return };
        self.history.had_answer = true;
        let outcome = DeleteVectors::parse_response_to(&attempt.credentials, response).map_err(Setback::Refused);
        self.conclude(attempt, outcome);
    }

    /// Takes note that a transmit has no answer. Of unknown ids, and of those that had their answer, nothing is taken.
    pub fn handle_failure(&mut self, now: Now, id: TransmitId, failure: Failure) {
        self.observe(now);
        let Some(attempt) = self.in_flight.remove(&id) else { return };
        if failure.is_surely_not_sent() && !self.history.had_answer {
            self.history.unreachable += 1;
        }
        self.conclude(attempt, Err(Setback::Failed(failure)));
    }

    /// Signs as `credentials` from now on, whether they were asked for or not.
    pub fn handle_credentials(&mut self, now: Now, credentials: Credentials) {
        self.authority.renew(now.monotonic.max(self.now.monotonic), credentials);
        self.observe(now);
    }

    fn conclude(&mut self, attempt: InFlight, outcome: Result<Deleted, Setback>) {
        let InFlight { mut batch, span, sent_at, is_overdue, clock_generation, credentials_generation, .. } = attempt;
        let now = self.now.monotonic;
        let latency = now.saturating_sub(sent_at);
        if !is_overdue {
            self.pacer.left(batch.keys.len());
        }
        if !matches!(outcome, Err(Setback::Failed(_))) {
            self.pacer.answered(latency);
        }
        span.conclude(&outcome);
        let setback = match outcome {
            Ok(deleted) => {
                self.clock.succeeded(clock_generation);
                self.authority.succeeded(credentials_generation);
                self.pacer.accepted(now, latency, batch.keys.len(), deleted.qos_delay().is_some());
                return self.conclude_deleted(&batch, deleted.request_id().map(str::to_owned));
            }
            Err(setback) => setback,
        };
        let verdict = decide(&setback, self.history);
        let may_be_gone = may_have_deleted(&setback);
        let error = AttemptError::of(&setback);
        batch.remember(&setback, error.clone(), may_be_gone);
        if verdict != Verdict::Throttled {
            batch.throttled = 0;
        }
        let service_error = match setback {
            Setback::Refused(error) => Some(error),
            Setback::Failed(_) => None,
        };
        let retry_after = service_error.as_ref().and_then(|error| error.retry_after(self.now.wall));
        if let Some(delay) = retry_after {
            self.pacer.hold(now, delay);
        }
        if verdict == Verdict::Throttled {
            self.report.throttled += 1;
            self.pacer.throttled(now, latency, batch.keys.len());
        }
        // Refusals and throttles are answers too; what failed, and what may be anyone's answer, is none.
        let is_answered = service_error.is_some() && (!may_be_gone || verdict == Verdict::Throttled);
        if is_answered && self.outage.answered() {
            self.events.push_back(Event::OutageEnded);
        }
        if matches!(self.phase, Phase::Stopped(_)) {
            return self.settle_failed(batch);
        }
        match verdict {
            Verdict::Throttled => {
                batch.throttled += 1;
                self.events.push_back(Event::Throttled { pace: self.pacer.pace(), retry_after });
                if self.pacer.is_deaf() {
                    let delay = self.back_off.after(batch.throttled);
                    self.delay(batch, delay);
                } else {
                    self.ready.push_front(batch);
                }
            }
            Verdict::Retry => self.retry(batch, sent_at, error, is_answered),
            Verdict::Halve => self.refuse(batch, error),
            Verdict::SignAgain => {
                let date = service_error.and_then(|error| error.date());
                let generation = self.clock.generation();
                match self.clock.refused(clock_generation, self.now.wall, date) {
                    Correction::Known => self.ready.push_front(batch),
                    Correction::Useless => self.stop_over(batch, StopReason::Clock(error)),
                }
                if self.clock.generation() != generation {
                    self.events.push_back(Event::ClockCorrected);
                }
            }
            Verdict::AskCredentials => {
                if self.authority.refused(self.now, credentials_generation) {
                    self.ready.push_front(batch);
                    self.observe(self.now);
                } else {
                    self.stop_over(batch, StopReason::Credentials(error));
                }
            }
            Verdict::Stop => {
                let is_answer = service_error.is_some();
                let reason = if is_answer { StopReason::Refused(error) } else { StopReason::Unreachable(error) };
                self.stop_over(batch, reason);
            }
        }
    }

    fn conclude_deleted(&mut self, batch: &Batch, request_id: Option<String>) {
        self.history.had_success = true;
        if self.outage.answered() {
            self.events.push_back(Event::OutageEnded);
        }
        self.settle_deleted(batch, request_id);
        self.leave_family(batch.family);
        // From here on a refusal tells of the keys, and every batch may be halved at once.
        self.halving = None;
        if !matches!(self.phase, Phase::Stopped(_)) {
            for parked in std::mem::take(&mut self.parked) {
                let error = parked.last_error.clone().expect("it was refused");
                self.refuse(parked, error);
            }
        }
    }

    fn retry(&mut self, mut batch: Batch, sent_at: Duration, error: AttemptError, is_answered: bool) {
        let (back_off, now) = (&mut self.back_off, self.now.monotonic);
        if !is_answered && self.outage.failed(now, sent_at, batch.span.start, |failures| back_off.after(failures)) {
            self.events.push_back(Event::OutageBegan);
        }
        if !self.outage.is_open() {
            batch.attempts += 1;
        }
        if batch.attempts >= self.options.max_attempts {
            self.leave_family(batch.family);
            return self.settle_failed(batch);
        }
        self.report.retries += 1;
        self.events.push_back(Event::Retrying { keys: batch.keys.len(), error });
        if self.outage.is_open() {
            // The circuit decides when the next request goes out; another batch has its turn, for this one may be to blame.
            self.ready.push_back(batch);
        } else {
            let delay = self.back_off.after(batch.attempts);
            self.delay(batch, delay);
        }
    }

    /// The service refused a batch for what is in it.
    fn refuse(&mut self, batch: Batch, error: AttemptError) {
        let is_other = self.halving.is_some_and(|halving| batch.family != Some(halving.family));
        if !self.history.had_success && is_other {
            return self.parked.push_back(batch);
        }
        if batch.keys.len() > 1 {
            self.events.push_back(Event::Halved { keys: batch.keys.len(), error });
        } else if !self.history.had_success {
            self.refused_keys += 1;
            if self.refused_keys >= REFUSED_KEYS {
                return self.stop_over(batch, StopReason::KeysRefused(error));
            }
        }
        self.halve_or_reject(batch);
    }

    fn halve_or_reject(&mut self, mut batch: Batch) {
        if batch.keys.len() == 1 {
            let family = batch.family;
            self.settle_failed(batch);
            return self.leave_family(family);
        }
        if !self.history.had_success {
            match &mut self.halving {
                Some(halving) => halving.pieces += 1,
                None => {
                    let family = batch.span.start;
                    batch.family = Some(family);
                    self.halving = Some(Halving { family, pieces: 2 });
                }
            }
        }
        let (first, second) = batch.halve();
        self.ready.push_front(second);
        self.ready.push_front(first);
    }

    /// A piece of the batch that is halved has its outcome; after the last one the next refused batch has its turn, and those of
    /// one key, which end there, let the next but one have it.
    fn leave_family(&mut self, family: Option<u64>) {
        let Some(halving) = self.halving.as_mut().filter(|halving| family == Some(halving.family)) else { return };
        halving.pieces -= 1;
        if halving.pieces == 0 {
            self.halving = None;
            while self.halving.is_none()
                && let Some(parked) = self.parked.pop_front()
            {
                let error = parked.last_error.clone().expect("it was refused");
                self.refuse(parked, error);
            }
        }
    }

    fn delay(&mut self, batch: Batch, delay: Duration) {
        self.delayed.insert((self.now.monotonic.saturating_add(delay), batch.span.start), batch);
    }

    /// Stops the run over the answer to `batch`, whose keys have their outcome by the same rule as any others.
    fn stop_over(&mut self, batch: Batch, reason: StopReason) {
        self.stop_because(reason);
        self.settle_failed(batch);
    }
}
