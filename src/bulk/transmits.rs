use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::{Batch, BulkDelete, Event, InFlight, MOST_EVENTS, Phase, Positions, Span, StopReason};
use crate::{Now, TransportError};

/// One attempt, for as long as the run lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransmitId(u64);

impl TransmitId {
    pub(super) const FIRST: Self = Self(0);
}

/// A request to be sent, once.
#[derive(Debug)]
#[non_exhaustive]
pub struct Transmit {
    /// Identifies the attempt: to be passed on with the response, or with the failure.
    pub id: TransmitId,
    /// Signed as of now.
    pub request: Request<Bytes>,
    /// How many keys it holds.
    pub keys: usize,
    /// Where they were pushed, their duplicates included.
    pub positions: Positions,
    /// For what is logged while the request is sent.
    pub span: Span,
}

/// Whether a request may go out now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    Until(Duration),
    /// Until something comes in.
    Closed,
}

impl BulkDelete {
    /// The next request to send; `None` if there is none now.
    ///
    /// Signed as of `now`, so that every retry is freshly dated; send it at once.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Now) -> Option<Transmit> {
        self.observe(now);
        if self.gate() != Gate::Open {
            return None;
        }
        let position = self.next_ready()?;
        let mut batch = self.ready.remove(position)?;
        if self.doubt.is_open() && batch.is_untried() {
            self.doubt.probe(&batch);
        }
        batch.requests += 1;
        self.report.requests += 1;
        let mut request = batch.request(&self.target);
        self.authority.signer().sign(&mut request, self.clock.service_time(now.wall));
        let id = TransmitId(self.next_id);
        self.next_id += 1;
        self.pacer.sent(self.now.monotonic, batch.keys.len());
        let (keys, positions) = (batch.keys.len(), batch.positions());
        let span = Span::of_transmit(id.0, keys, batch.requests);
        let attempt = InFlight {
            batch,
            span: span.clone(),
            sent_at: self.now.monotonic,
            epoch: self.epoch,
            is_overdue: false,
            clock_generation: self.clock.generation(),
            credentials_generation: self.authority.generation(),
            credentials: self.authority.signer().credentials().clone(),
        };
        self.in_flight.insert(id, attempt);
        Some(Transmit { id, request, keys, positions, span })
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) would hand out a request now. For a loop that
    /// has to get something first, such as a thread: a request that was handed out is to be sent at once.
    #[must_use]
    pub fn wants_transmit(&mut self, now: Now) -> bool {
        self.observe(now);
        self.gate() == Gate::Open
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest, in monotonic time;
    /// `None` if only something that comes in moves the run on. Ask after transmits and events are
    /// drained.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        // Ids rise with time, so that the first is the oldest.
        let failed_for_good = self
            .in_flight
            .values()
            .next()
            .map(|attempt| attempt.sent_at.saturating_add(self.outage_timeout()));
        let overdue = self.next_overdue().filter(|_| !self.ready.is_empty());
        let answer = failed_for_good.into_iter().chain(overdue).min();
        let transmit = match self.gate() {
            Gate::Open => Some(self.now.monotonic),
            Gate::Until(time) => Some(time),
            Gate::Closed => None,
        };
        let service_time = self.clock.service_time(self.now.wall);
        let credentials = self.authority.next_poll(self.now.monotonic, service_time);
        let is_running = !matches!(self.phase, Phase::Stopped(_)) && !self.is_finished();
        let deadlines =
            [credentials, self.outage.report_at(), self.outage_deadline(), self.startup_deadline()];
        let deadlines = deadlines.map(|deadline| deadline.filter(|_| is_running));
        [answer, transmit].into_iter().chain(deadlines).flatten().min()
    }

    /// Does what is due at `now`. Calling it too often does no harm.
    pub fn handle_timeout(&mut self, now: Now) {
        self.observe(now);
        let now = self.now;
        let timeout = self.outage_timeout();
        while let Some((&id, attempt)) = self.in_flight.first_key_value()
            && attempt.sent_at.saturating_add(timeout) <= now.monotonic
        {
            self.pacer.gave_up();
            let message = format!("timed out after {timeout:?}");
            self.handle_failure(now, id, TransportError::may_have_arrived(message));
        }
        if let Some(reason) = self.authority.overdue(now.monotonic) {
            self.stop_because(reason);
        }
        let is_over =
            |deadline: Option<Duration>| deadline.is_some_and(|deadline| deadline <= now.monotonic);
        if self.is_finished() || matches!(self.phase, Phase::Stopped(_)) {
            return;
        }
        if is_over(self.startup_deadline()) {
            let error = self.startup.error().expect("an attempt failed").clone();
            return self.stop_because(StopReason::NoSuccess(error));
        }
        self.report_outage();
        if is_over(self.outage_deadline()) {
            let error = self.outage.error().expect("it was reported").clone();
            self.stop_because(StopReason::Outage(error));
        }
    }

    fn outage_deadline(&self) -> Option<Duration> {
        self.outage
            .since()
            .zip(self.options.outage_timeout)
            .map(|(since, most)| since.saturating_add(most))
    }

    /// What is in flight is awaited: it may be the first success. Nor can anything fail that waits for credentials.
    fn startup_deadline(&self) -> Option<Duration> {
        self.startup.deadline().filter(|_| self.in_flight.is_empty() && self.authority.is_valid())
    }

    /// Takes note of the time: batches whose back-off is over are ready.
    pub(super) fn observe(&mut self, now: Now) {
        self.now = Now::new(now.monotonic.max(self.now.monotonic), now.wall);
        self.count_overdue();
        while let Some(entry) = self.delayed.first_entry()
            && entry.key().0 <= self.now.monotonic
        {
            let batch = entry.remove();
            // If nothing has got on since it failed, others have their turn first: they show whether it is to blame.
            if self.outage.is_fresh(&batch) {
                self.ready.push_front(batch);
            } else {
                self.ready.push_back(batch);
            }
        }
        let is_running = !matches!(self.phase, Phase::Stopped(_)) && !self.is_finished();
        if is_running && self.authority.poll(self.now.monotonic, self.clock.service_time(now.wall))
        {
            self.events.push_back(Event::CredentialsNeeded);
        }
    }

    /// Sending a delete again is safe, so that a lost response need not be waited for to the end.
    fn outage_timeout(&self) -> Duration {
        self.pacer.outage_timeout(self.options.response_timeout)
    }

    /// When the next request is overdue.
    fn next_overdue(&self) -> Option<Duration> {
        let after = self.pacer.overdue_after()?;
        let (_, attempt) = self.in_flight.range(self.overdue_until..).next()?;
        Some(attempt.sent_at.saturating_add(after))
    }

    /// Lets requests without a response no longer fill the pacer's window: lost ones would close it.
    fn count_overdue(&mut self) {
        while self.next_overdue().is_some_and(|time| time <= self.now.monotonic)
            && let Some((&id, attempt)) = self.in_flight.range_mut(self.overdue_until..).next()
        {
            attempt.is_overdue = true;
            self.pacer.left(attempt.batch.keys.len());
            self.overdue_until = TransmitId(id.0 + 1);
        }
    }

    fn gate(&self) -> Gate {
        if matches!(self.phase, Phase::Stopped(_))
            || self.events.len() >= MOST_EVENTS
            || !self.authority.is_valid()
            || self.startup.is_overdue(self.now.monotonic)
            || self.in_flight.len() >= self.options.concurrency
            || (self.takes_turns() && !self.in_flight.is_empty())
        {
            return Gate::Closed;
        }
        let ready = self.next_ready().map(|position| (Duration::ZERO, &self.ready[position]));
        let delayed = || self.delayed.iter().find(|(_, batch)| self.has_its_turn(batch));
        let Some((due, batch)) = ready.or_else(|| delayed().map(|(&(due, _), batch)| (due, batch)))
        else {
            return Gate::Closed;
        };
        let Some(slot) = self.pacer.next_send(batch.keys.len()) else { return Gate::Closed };
        let time = due.max(slot).max(self.outage.next_probe().unwrap_or_default());
        if time <= self.now.monotonic { Gate::Open } else { Gate::Until(time) }
    }

    /// Where in `ready` the next batch to send is.
    fn next_ready(&self) -> Option<usize> {
        match self.next_probe_of_doubt() {
            // The farthest from those that were rejected: it is the least like them.
            Some(probe) => Some(probe),
            None => self.ready.iter().position(|batch| self.has_its_turn(batch)),
        }
    }

    /// Whether requests go out one at a time: probes, and parts of the first batch that is split.
    fn takes_turns(&self) -> bool {
        self.outage.is_open()
            || self.authority.is_on_trial()
            || self.exclusive_group().is_some()
            || self.next_probe_of_doubt().is_some()
    }

    /// Where in `ready` a batch is that shows whether the keys are to blame, where that is in doubt.
    fn next_probe_of_doubt(&self) -> Option<usize> {
        if !self.history.had_success || !self.doubt.is_open() {
            return None;
        }
        self.ready.iter().rposition(Batch::is_untried)
    }

    /// Before anything was deleted a rejected batch may mean that all will be rejected: then one batch alone finds that out.
    fn exclusive_group(&self) -> Option<u64> {
        self.splitting.filter(|_| !self.history.had_success).map(|splitting| splitting.group)
    }

    fn has_its_turn(&self, batch: &Batch) -> bool {
        self.exclusive_group().is_none_or(|exclusive| batch.origin == exclusive)
    }
}
