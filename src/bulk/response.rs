use std::time::Duration;

use http::{Response, StatusCode};

use super::outage::Circumstances;
use super::pacer::LONGEST_HOLD;
use super::{Batch, BulkDelete, Event, InFlight, Phase, StopReason, TransmitId};
use crate::retry::{Correction, Slows, Verdict, decide, is_from_oss, slows_down};
use crate::{AttemptError, Credentials, DeleteVectors, Deleted, Now, Operation, TransportError};

/// A batch that was throttled fewer times in a row is the next to go. Otherwise the others go
/// first.
pub(super) const THROTTLED_FIRST: u32 = 4;

impl BulkDelete {
    /// Handles the response to a transmit, whatever its status. Does nothing if `id` is unknown or
    /// no longer [in flight](Self::is_in_flight).
    pub fn handle_response<B: AsRef<[u8]>>(
        &mut self,
        now: Now,
        id: TransmitId,
        response: &Response<B>,
    ) {
        self.observe(now);
        let Some(attempt) = self.in_flight.remove(&id) else { return };
        self.history.had_response = true;
        let outcome = DeleteVectors::parse_response_to(attempt.signer.credentials(), response)
            .map_err(AttemptError::from);
        self.conclude(attempt, outcome);
    }

    /// Handles a transmit that got no response. Does nothing if `id` is unknown or no longer
    /// [in flight](Self::is_in_flight).
    pub fn handle_failure(&mut self, now: Now, id: TransmitId, error: TransportError) {
        self.observe(now);
        let Some(attempt) = self.in_flight.remove(&id) else { return };
        let is_of_this_run = attempt.epoch == self.epoch;
        if error.is_surely_not_sent() && !self.history.had_response && is_of_this_run {
            self.history.unreachable += 1;
        }
        self.conclude(attempt, Err(error.into()));
    }

    /// Signs with `credentials` from now on, whether or not they were asked for.
    pub fn handle_credentials(&mut self, now: Now, credentials: Credentials) {
        self.authority.renew(now.monotonic.max(self.now.monotonic), credentials);
        self.observe(now);
    }

    fn conclude(&mut self, attempt: InFlight, outcome: Result<Deleted, AttemptError>) {
        let (now, keys) = (self.now.monotonic, attempt.batch.keys().len());
        let latency = now.saturating_sub(attempt.sent_at);
        if !attempt.is_overdue {
            self.pacer.left(keys);
        }
        if !matches!(outcome, Err(AttemptError::Transport(_))) {
            self.pacer.answered(latency);
        }
        if let Err(AttemptError::Transport(error)) = &outcome
            && error.is_surely_not_sent()
        {
            self.pacer.took_nothing(attempt.ticket, keys);
        }
        attempt.span.conclude(&outcome);
        match outcome {
            Ok(deleted) => {
                self.pacer.accepted(
                    now,
                    latency,
                    attempt.ticket,
                    keys,
                    deleted.qos_delay().is_some(),
                );
                self.conclude_deleted(attempt, &deleted);
            }
            Err(error) => {
                match slows_down(&error) {
                    Slows::No => {}
                    Slows::Maybe => self.pacer.maybe_throttled(now, latency, attempt.ticket, keys),
                    Slows::Yes => self.pacer.throttled(now, latency, attempt.ticket, keys),
                }
                self.conclude_failed(attempt, error);
            }
        }
        self.split_parked();
        if self.is_idle() {
            self.idle_since = Some(now);
        }
    }

    fn conclude_deleted(&mut self, attempt: InFlight, deleted: &Deleted) {
        self.clock.succeeded(attempt.clock_generation);
        self.authority.succeeded(attempt.credentials_generation);
        self.history.had_success = true;
        self.startup.succeeded();
        self.doubt.deleted();
        self.progressed();
        self.settle_deleted(attempt.batch, deleted.request_id().map(str::to_owned));
        // From now on a rejection says something about the keys: every batch may be split.
        self.splitting = None;
    }

    fn conclude_failed(&mut self, attempt: InFlight, error: AttemptError) {
        let InFlight {
            mut batch, sent_at, epoch, clock_generation, credentials_generation, ..
        } = attempt;
        let verdict = decide(&error, self.history);
        let is_from_oss = is_from_oss(&error);
        let error = error.shortened();
        batch.remember(error.clone());
        let retry_after = self.wait_as_asked(&error);
        match verdict {
            Verdict::SlowDown => self.report.throttled += 1,
            Verdict::Split => self.progressed(),
            _ => {}
        }
        if verdict != Verdict::SlowDown {
            batch.throttled = 0;
        }
        if matches!(self.phase, Phase::Stopped(_)) || epoch != self.epoch {
            return self.settle_failed(batch);
        }
        match verdict {
            Verdict::SlowDown => {
                self.events.push_back(Event::Throttled { pace: self.pacer.pace(), retry_after });
                self.slow_down(batch, sent_at, error);
            }
            Verdict::Retry | Verdict::RetryThenSplit | Verdict::RetryThenStop => {
                self.retry(batch, Failed { verdict, sent_at, is_from_oss, error });
            }
            Verdict::Split => self.reject(batch),
            Verdict::SignAgain => self.sign_again(batch, clock_generation, error),
            Verdict::AskCredentials => self.ask_credentials(batch, credentials_generation, error),
            Verdict::Stop => {
                let reason = match error {
                    AttemptError::Service(_) => StopReason::Rejected,
                    AttemptError::Transport(_) => StopReason::Unreachable,
                };
                self.stop_over(batch, reason(error));
            }
        }
    }

    /// Sends nothing for as long as the service asks for. Returns that time.
    fn wait_as_asked(&mut self, error: &AttemptError) -> Option<Duration> {
        let AttemptError::Service(error) = error else { return None };
        let delay = error.retry_after(self.now.wall)?;
        self.pacer.hold(self.now.monotonic, delay);
        self.startup.hold(self.now.monotonic, delay.min(LONGEST_HOLD));
        Some(delay)
    }

    /// A request was rejected for its date.
    fn sign_again(&mut self, batch: Batch, generation: u32, error: AttemptError) {
        let date = match &error {
            AttemptError::Service(error) => error.date(),
            AttemptError::Transport(_) => None,
        };
        match self.clock.rejected(generation, self.now.wall, date) {
            Correction::Made => {
                self.ready.push_front(batch);
                self.events.push_back(Event::ClockCorrected);
            }
            Correction::MadeBefore => self.ready.push_front(batch),
            Correction::Useless => self.stop_over(batch, StopReason::Clock(error)),
        }
    }

    /// A request was rejected for its credentials.
    fn ask_credentials(&mut self, batch: Batch, generation: u32, error: AttemptError) {
        if self.authority.rejected(self.now, generation, &error) {
            self.stop_over(batch, StopReason::Credentials(error));
        } else {
            self.ready.push_front(batch);
            self.observe(self.now);
        }
    }

    /// Notes that something was deleted, or that the service gave its verdict on keys.
    fn progressed(&mut self) {
        if let Some(lasted) = self.outage.progressed(self.now.monotonic) {
            self.events.push_back(Event::OutageEnded { lasted });
        }
    }

    /// Sends a throttled batch again. The attempt does not count.
    fn slow_down(&mut self, mut batch: Batch, sent_at: Duration, error: AttemptError) {
        let now = self.now.monotonic;
        batch.throttled += 1;
        if self.startup.failed(now, sent_at, &error, true) {
            return self.stop_over(batch, StopReason::NoSuccess(error));
        }
        self.outage.remember(now, &error);
        self.report_outage();
        let back_off = &mut self.back_off;
        self.outage.throttled(now, sent_at, |failures| back_off.after(failures));
        if self.outage.is_open() {
            self.ready.push_back(batch);
        } else if self.pacer.is_fixed() {
            let delay = self.back_off.after(batch.throttled);
            self.delay(batch, delay);
        } else if batch.throttled < THROTTLED_FIRST {
            self.ready.push_front(batch);
        } else {
            // It may be the only one that is throttled: it must not keep the others waiting.
            self.ready.push_back(batch);
        }
    }

    /// Sends a batch again whose attempt failed, or splits it, or settles it after its last
    /// attempt.
    fn retry(&mut self, mut batch: Batch, failed: Failed) {
        let Failed { verdict, sent_at, is_from_oss, error } = failed;
        let now = self.now.monotonic;
        let is_starting = !self.startup.is_over();
        let (is_fresh, has_fresh) = (self.outage.is_fresh(&batch), self.has_fresh_batch());
        // Without progress, this batch may be the reason if the error is from OSS itself, or if
        // half its attempts failed while others made progress.
        let is_suspect =
            is_from_oss || batch.attempts.saturating_mul(2) >= self.options.max_attempts;
        self.outage.remember(now, &error);
        let circumstances = Circumstances { is_starting, is_suspect, has_fresh };
        let back_off = &mut self.back_off;
        if self
            .outage
            .failed(now, sent_at, &mut batch, circumstances, |failures| back_off.after(failures))
        {
            // The outage was the reason for the failures just before it was noticed.
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
                is_fresh || (is_suspect && !has_fresh)
            };
        batch.attempts += u32::from(counts);
        batch.spent += u32::from(counts);
        batch.failures += 1;
        let is_last = batch.attempts >= self.options.max_attempts;
        // If a body is too large, only smaller ones are accepted, and a split costs no key.
        let is_too_large = error.status() == Some(StatusCode::PAYLOAD_TOO_LARGE);
        let is_tried = is_last || batch.attempts + batch.splits >= 2;
        if verdict == Verdict::RetryThenSplit
            && batch.keys().len() > 1
            && ((counts && is_tried) || is_too_large)
        {
            return self.split_later(batch, error);
        }
        if is_last && verdict == Verdict::RetryThenStop {
            return self.stop_over(batch, StopReason::Rejected(error));
        }
        if is_last {
            return self.settle_part(batch);
        }
        self.report.retries += 1;
        self.events.push_back(Event::Retrying { keys: batch.keys().len(), error });
        if self.outage.is_open() {
            // The circuit decides when the next request goes out. Another batch goes first, because
            // this one may be the reason.
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

    /// Whether a batch is left that has not failed since the last progress.
    fn has_fresh_batch(&self) -> bool {
        let in_flight = self.in_flight.values().map(|attempt| &attempt.batch);
        let mut unsettled =
            self.ready.iter().chain(self.delayed.values()).chain(&self.parked).chain(in_flight);
        self.filling.is_flushed() || unsettled.any(|batch| self.outage.is_fresh(batch))
    }

    pub(super) fn delay(&mut self, batch: Batch, delay: Duration) {
        self.delayed.insert((self.now.monotonic.saturating_add(delay), batch.start()), batch);
    }
}

/// A failed attempt that does not decide about its batch yet.
struct Failed {
    verdict: Verdict,
    sent_at: Duration,
    is_from_oss: bool,
    error: AttemptError,
}
