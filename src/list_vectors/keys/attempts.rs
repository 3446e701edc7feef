//! The effect of each response, failure and timeout.

use std::collections::BTreeSet;
use std::time::Duration;

use http::Response;

use super::{InFlight, KeyLister, ListEvent, ListTransmitId, Work};
use crate::bulk::StopReason;
use crate::list_vectors::{ListVectors, Listed};
use crate::operation::Kind;
use crate::retry::{Correction, Verdict, decide};
use crate::{
    AttemptError, Credentials, GetVectors, Key, Now, Operation, ServiceError, TransportError,
    Vector,
};

/// The maximum `Retry-After`.
const MAX_HOLD: Duration = Duration::from_secs(300);

/// The time without a page from which it is an outage.
const OUTAGE: Duration = Duration::from_secs(60);

/// Failed and throttled attempts since the last page.
#[derive(Debug, Default)]
pub(super) struct Failures {
    since: Option<Duration>,
    error: Option<AttemptError>,
    is_reported: bool,
}

impl Failures {
    pub(super) fn report_at(&self) -> Option<Duration> {
        self.since.filter(|_| !self.is_reported).map(|since| since.saturating_add(OUTAGE))
    }
}

impl KeyLister {
    /// Handles the response to a transmit, with any status. Ignores unknown ids, and those that
    /// already had a response.
    pub fn handle_response<B: AsRef<[u8]>>(
        &mut self,
        now: Now,
        id: ListTransmitId,
        response: &Response<B>,
    ) {
        self.observe(now);
        let Some(attempt) = self.in_flight.remove(&id) else { return };
        self.history.had_response = true;
        let parsed = match &self.work {
            Work::Listing(_) => ListVectors::parse_response_to(&attempt.credentials, response),
            Work::Lookup(_) => {
                let found = GetVectors::parse_response_to(&attempt.credentials, response);
                // Keys that were not requested, or were returned before, are ignored.
                let batch = self.segments[attempt.segment].batch.as_ref();
                let mut asked: BTreeSet<&str> =
                    batch.into_iter().flatten().map(Key::as_str).collect();
                found.map(|found| {
                    let is_asked = |vector: &Vector| asked.remove(vector.key.as_str());
                    let vectors = found.into_vectors().into_iter().filter(is_asked);
                    Listed::new("", vectors.collect())
                })
            }
        };
        let segment = &self.segments[attempt.segment];
        match parsed {
            Ok(page) if page.next_token().is_some_and(|next| segment.leads_back(next)) => {
                let reason = "the token of the next page is that of an earlier page";
                let error = ServiceError::unreadable(Kind::ListVectors, response, reason);
                self.reject(&attempt, error.into(), true);
            }
            Ok(page) if self.unproven.is_some() && !page.vectors().is_empty() => {
                self.stop_because(StopReason::FilterIgnored);
            }
            Ok(page) => self.take(&attempt, page),
            Err(error) => self.fail(&attempt, error.into()),
        }
    }

    /// Handles a transmit without a response. Ignores unknown ids, and those that already had a
    /// response.
    pub fn handle_failure(&mut self, now: Now, id: ListTransmitId, error: TransportError) {
        self.observe(now);
        let Some(attempt) = self.in_flight.remove(&id) else { return };
        if error.is_surely_not_sent() && !self.history.had_response {
            self.history.unreachable += 1;
        }
        self.fail(&attempt, error.into());
    }

    /// Signs with `credentials` from now on, requested or not.
    pub fn handle_credentials(&mut self, now: Now, credentials: Credentials) {
        self.authority.renew(now.monotonic.max(self.now.monotonic), credentials);
        self.observe(now);
    }

    /// Handles everything that is due at `now`. Extra calls are harmless.
    pub fn handle_timeout(&mut self, now: Now) {
        self.observe(now);
        let now = self.now;
        let timeout = self.options.response_timeout;
        while let Some((&id, attempt)) = self.in_flight.first_key_value()
            && attempt.sent_at.saturating_add(timeout) <= now.monotonic
        {
            let message = format!("timed out after {timeout:?}");
            self.handle_failure(now, id, TransportError::may_have_arrived(message));
        }
        if self.stopped.is_some() || self.has_ended() {
            return;
        }
        if let Some(reason) = self.authority.overdue(now.monotonic) {
            return self.stop_because(reason.into());
        }
        let is_over =
            |deadline: Option<Duration>| deadline.is_some_and(|deadline| deadline <= now.monotonic);
        if is_over(self.startup_deadline()) {
            let error = self.startup.error().expect("a failed attempt").clone();
            return self.stop_because(StopReason::NoSuccess(error));
        }
        if is_over(self.trouble.report_at())
            && let (Some(since), Some(error)) = (self.trouble.since, self.trouble.error.clone())
        {
            self.trouble.is_reported = true;
            let lasted = now.monotonic.saturating_sub(since);
            self.events.push_back(ListEvent::OutageBegan { error, lasted });
        }
        if is_over(self.outage_deadline())
            && let Some(error) = self.trouble.error.clone()
        {
            self.stop_because(StopReason::Outage(error));
        }
    }

    pub(super) fn outage_deadline(&self) -> Option<Duration> {
        let since = self.trouble.since.filter(|_| self.trouble.is_reported);
        Some(since?.saturating_add(self.options.outage_timeout?))
    }

    /// Waits for requests in flight, because one may be the first page.
    pub(super) fn startup_deadline(&self) -> Option<Duration> {
        self.startup.deadline().filter(|_| self.in_flight.is_empty() && self.authority.is_valid())
    }

    pub(super) fn observe(&mut self, now: Now) {
        self.now = Now::new(now.monotonic.max(self.now.monotonic), now.wall);
        let service_time = self.clock.service_time(now.wall);
        if self.stopped.is_none()
            && !self.has_ended()
            && self.authority.poll(self.now.monotonic, service_time)
        {
            self.events.push_back(ListEvent::CredentialsNeeded);
        }
    }

    fn take(&mut self, attempt: &InFlight, page: Listed) {
        self.history.had_success = true;
        self.startup.succeeded();
        self.clock.succeeded(attempt.clock_generation);
        self.authority.succeeded(attempt.credentials_generation);
        let trouble = std::mem::take(&mut self.trouble);
        if let Some(since) = trouble.since.filter(|_| trouble.is_reported) {
            let lasted = self.now.monotonic.saturating_sub(since);
            self.events.push_back(ListEvent::OutageEnded { lasted });
        }
        // Only the check is in flight. It is the first success.
        if self.unproven.take().is_some() {
            return self.segments[attempt.segment].retry(self.now.monotonic);
        }
        self.report.pages += 1;
        self.report.listed += page.vectors().len() as u64;
        let segment = &mut self.segments[attempt.segment];
        self.report.looked_up += segment.batch.as_ref().map_or(0, |keys| keys.len() as u64);
        segment.advance(page.next_token().map(str::to_owned));
        let before = self.keys.len();
        let keys = page.into_vectors().into_iter().map(|vector| vector.key);
        match &self.work {
            Work::Listing(selection) => self.keys.extend(keys.filter(|key| selection.has(key))),
            Work::Lookup(_) => self.keys.extend(keys),
        }
        self.report.selected += (self.keys.len() - before) as u64;
    }

    fn fail(&mut self, attempt: &InFlight, error: AttemptError) {
        let (verdict, now) = (decide(&error, self.history), self.now.monotonic);
        let error = error.shortened();
        let (date, retry_after) = match &error {
            AttemptError::Service(error) => (error.date(), error.retry_after(self.now.wall)),
            AttemptError::Transport(_) => (None, None),
        };
        if let Some(delay) = retry_after {
            let delay = delay.min(MAX_HOLD);
            self.held_until = self.held_until.max(now.saturating_add(delay));
            self.startup.hold(now, delay);
        }
        self.trouble.since.get_or_insert(now);
        self.trouble.error = Some(error.clone());
        let segment = &mut self.segments[attempt.segment];
        match verdict {
            Verdict::SlowDown => {
                segment.throttled += 1;
                let delay = self.back_off.after(segment.throttled);
                segment.retry(now.saturating_add(delay));
                self.report.throttled += 1;
                self.events.push_back(ListEvent::Throttled);
                if self.startup.failed(now, attempt.sent_at, &error, true) {
                    self.stop_because(StopReason::NoSuccess(error));
                }
            }
            Verdict::Retry => self.retry(attempt, error),
            Verdict::Split => self.reject(attempt, error, true),
            Verdict::RetryThenSplit | Verdict::RetryThenStop => self.reject(attempt, error, false),
            Verdict::SignAgain => {
                segment.retry(now);
                match self.clock.rejected(attempt.clock_generation, self.now.wall, date) {
                    Correction::Made => self.events.push_back(ListEvent::ClockCorrected),
                    Correction::MadeBefore => {}
                    Correction::Useless => self.stop_because(StopReason::Clock(error)),
                }
            }
            Verdict::AskCredentials => {
                segment.retry(now);
                if self.authority.rejected(self.now, attempt.credentials_generation, &error) {
                    self.stop_because(StopReason::Credentials(error));
                } else {
                    self.observe(self.now);
                }
            }
            Verdict::Stop => self.stop_because(match &error {
                AttemptError::Service(_) => StopReason::Rejected(error),
                AttemptError::Transport(_) => StopReason::Unreachable(error),
            }),
        }
    }

    /// Requests the same page again, after a back-off.
    fn retry(&mut self, attempt: &InFlight, error: AttemptError) {
        let now = self.now.monotonic;
        if self.startup.failed(now, attempt.sent_at, &error, false) {
            return self.stop_because(StopReason::NoSuccess(error));
        }
        let segment = &mut self.segments[attempt.segment];
        segment.failures = segment.failures.saturating_add(1);
        segment.retry(now.saturating_add(self.back_off.after(segment.failures)));
        self.report.retries += 1;
        self.events.push_back(ListEvent::Retrying { error });
    }

    /// The service rejects the page. The reason may be its token, whose lifetime is unknown: then
    /// the segment is listed from its beginning. `is_clear`: no attempt with the same token can
    /// succeed.
    fn reject(&mut self, attempt: &InFlight, error: AttemptError, is_clear: bool) {
        let segment = &mut self.segments[attempt.segment];
        segment.rejections += 1;
        let is_first = segment.token().is_none();
        // A temporary error does not justify a listing from the beginning.
        let is_over = if is_first {
            segment.rejections >= self.options.max_attempts
        } else {
            segment.rejections >= 3
        };
        if !is_clear && !is_over {
            return self.retry(attempt, error);
        }
        if is_first || segment.restart() > self.options.max_attempts {
            return self.stop_because(StopReason::Rejected(error));
        }
        segment.retry(self.now.monotonic.saturating_add(self.back_off.after(1)));
        self.report.restarts += 1;
        self.events.push_back(ListEvent::Restarted { error });
    }
}
