use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Request;

use super::batch::Content;
use super::response::THROTTLED_FIRST;
use super::{Batch, BulkDelete, Event, InFlight, MOST_EVENTS, Phase, Positions, Span, StopReason};
use crate::signing::Signer;
use crate::{Now, Target, TransportError};

/// Identifies one attempt. Unique within a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransmitId(u64);

impl TransmitId {
    pub(super) const FIRST: Self = Self(0);
}

/// A request to be sent once.
#[derive(Debug)]
#[non_exhaustive]
pub struct Transmit {
    /// To be passed to `handle_response` or `handle_failure`.
    pub id: TransmitId,
    /// How many keys it deletes.
    pub keys: usize,
    /// The positions of the keys and of their duplicates.
    pub positions: Positions,
    /// The span to send the request in.
    pub span: Span,
    content: Arc<Content>,
    target: Arc<Target>,
    signer: Arc<Signer>,
    service_time: SystemTime,
}

impl Transmit {
    /// Builds and signs the request. It has the date at which the transmit was handed out, so that
    /// each call returns the same bytes.
    ///
    /// This is most of the work that a request costs: some 20 us for 500 keys. Batches are built
    /// three at a time, so that one call in three takes the time of all. A transmit is `Send`, so
    /// that the thread or task that sends can do it.
    #[must_use]
    pub fn to_request(&self) -> Request<Bytes> {
        let mut request = self.content.request(&self.target);
        self.signer.sign(&mut request, self.service_time);
        request
    }
}

/// How often in a row the open batch may go before one that is ready.
const MOST_PASSED: u32 = 8;

/// Whether a request may go out now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    /// Opens at this time.
    Until(Duration),
    /// Opens only after some input.
    Closed,
}

/// A batch that may be sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Next {
    /// The one at this index of `ready`.
    Ready(usize),
    /// The open one, which was flushed.
    Open,
}

impl BulkDelete {
    /// The next request to send, if one may go out now. Its date is `now`: send it
    /// at once.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Now) -> Option<Transmit> {
        self.observe(now);
        if self.gate() != Gate::Open {
            return None;
        }
        let mut batch = match self.next_batch()? {
            Next::Ready(position) => {
                self.passed = 0;
                self.ready.remove(position)?
            }
            Next::Open => {
                self.passed = if self.ready.is_empty() { 0 } else { self.passed.saturating_add(1) };
                self.filling.take(self.ready.len())?
            }
        };
        if self.is_in_doubt() {
            batch = self.split_off_probe(batch);
        }
        batch.requests += 1;
        self.report.requests += 1;
        let content = Arc::clone(batch.content());
        let signer = Arc::clone(self.authority.signer());
        let id = TransmitId(self.next_id);
        self.next_id += 1;
        let ticket = self.pacer.sent(self.now.monotonic, batch.keys().len());
        let (keys, positions) = (batch.keys().len(), batch.positions());
        let span = Span::of_transmit(id.0, keys, batch.requests);
        let attempt = InFlight {
            batch,
            span: span.clone(),
            sent_at: self.now.monotonic,
            ticket,
            epoch: self.epoch,
            is_overdue: false,
            clock_generation: self.clock.generation(),
            credentials_generation: self.authority.generation(),
            signer: Arc::clone(&signer),
        };
        self.in_flight.insert(id, attempt);
        let target = Arc::clone(&self.target);
        let service_time = self.clock.service_time(now.wall);
        Some(Transmit { id, keys, positions, span, content, target, signer, service_time })
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) would return a request now. For a loop that
    /// needs something first, such as a thread, because a request must be sent at once.
    #[must_use]
    pub fn wants_transmit(&mut self, now: Now) -> bool {
        self.observe(now);
        self.gate() == Gate::Open
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest, in monotonic time.
    /// `None` if only a response, a key or credentials can bring progress. Valid after transmits
    /// and events are drained.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        // Ids ascend with time, so the first attempt is the oldest.
        let oldest = self.in_flight.values().next();
        let timed_out =
            oldest.map(|attempt| attempt.sent_at.saturating_add(self.response_timeout(attempt)));
        // Never in the past: the time may just have become shorter, because nothing else is left.
        let timed_out = timed_out
            .map(|time| time.max(self.now.monotonic.saturating_add(Duration::from_millis(1))));
        let overdue =
            self.next_overdue().filter(|_| !self.ready.is_empty() || self.filling.is_flushed());
        let transmit = match self.gate() {
            Gate::Open => Some(self.now.monotonic),
            Gate::Until(time) => Some(time),
            Gate::Closed => None,
        };
        let service_time = self.clock.service_time(self.now.wall);
        let credentials = self.authority.next_poll(self.now.monotonic, service_time);
        let is_running = !matches!(self.phase, Phase::Stopped(_)) && !self.is_finished();
        let without_success =
            [self.outage.report_at(), self.outage_deadline(), self.startup_deadline()];
        let without_success = without_success.into_iter().flatten().min();
        let without_success = without_success.filter(|_| self.idle_since.is_none());
        let deadlines = [credentials, without_success];
        let deadlines = deadlines.map(|deadline| deadline.filter(|_| is_running));
        [timed_out, overdue, transmit].into_iter().chain(deadlines).flatten().min()
    }

    /// Does what is due at `now`. Extra calls do no harm.
    pub fn handle_timeout(&mut self, now: Now) {
        self.observe(now);
        let now = self.now;
        loop {
            // All that are due, before one of them makes the time longer for the others.
            let due = |(id, attempt): (&TransmitId, &InFlight)| {
                let timeout = self.response_timeout(attempt);
                let is_due = attempt.sent_at.saturating_add(timeout) <= now.monotonic;
                is_due.then_some((*id, timeout))
            };
            let due: Vec<_> = self.in_flight.iter().map_while(due).collect();
            if due.is_empty() {
                break;
            }
            for (id, timeout) in due {
                self.pacer.gave_up();
                let message = format!("timed out after {timeout:?}");
                self.handle_failure(now, id, TransportError::may_have_arrived(message));
            }
        }
        if let Some(reason) = self.authority.overdue(now.monotonic) {
            self.stop_because(reason.into());
        }
        let is_over =
            |deadline: Option<Duration>| deadline.is_some_and(|deadline| deadline <= now.monotonic);
        if self.is_finished()
            || matches!(self.phase, Phase::Stopped(_))
            || self.idle_since.is_some()
        {
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

    /// `None` while a request is in flight, which may be the first success, and while credentials
    /// are missing.
    fn startup_deadline(&self) -> Option<Duration> {
        self.startup.deadline().filter(|_| self.in_flight.is_empty() && self.authority.is_valid())
    }

    /// Advances the time: overdue requests are counted, batches after their back-off become ready,
    /// and credentials are asked for.
    pub(super) fn observe(&mut self, now: Now) {
        self.now = Now::new(now.monotonic.max(self.now.monotonic), now.wall);
        self.count_overdue();
        while let Some(entry) = self.delayed.first_entry()
            && entry.key().0 <= self.now.monotonic
        {
            let batch = entry.remove();
            // If there was no progress since it failed, other batches go first. They show whether
            // this one is the reason.
            if self.outage.is_fresh(&batch) {
                self.ready.push_front(batch);
            } else {
                self.ready.push_back(batch);
            }
        }
        if !self.is_idle()
            && let Some(since) = self.idle_since.take()
        {
            // Without requests nothing can succeed: that time is not part of an outage.
            let idle = self.now.monotonic.saturating_sub(since);
            self.outage.skip(idle);
            self.startup.skip(idle);
        }
        let is_running = !matches!(self.phase, Phase::Stopped(_)) && !self.is_finished();
        if is_running && self.authority.poll(self.now.monotonic, self.clock.service_time(now.wall))
        {
            self.events.push_back(Event::CredentialsNeeded);
        }
    }

    /// Whether there is nothing to send, now or later, and nothing in flight.
    pub(super) fn is_idle(&self) -> bool {
        !self.filling.is_flushed()
            && self.ready.is_empty()
            && self.delayed.is_empty()
            && self.parked.is_empty()
            && self.in_flight.is_empty()
    }

    /// When to stop waiting for a response. Short if the latency is known, because a delete can be
    /// sent again, and shortest if nothing else is left to send.
    fn response_timeout(&self, attempt: &InFlight) -> Duration {
        let is_last = matches!(self.phase, Phase::Finishing)
            && !self.filling.is_flushed()
            && self.ready.is_empty()
            && self.delayed.is_empty()
            && self.parked.is_empty()
            // The last attempt has the whole timeout.
            && attempt.batch.attempts + 1 < self.options.max_attempts;
        self.pacer.response_timeout(self.options.response_timeout, is_last)
    }

    /// When the next request is overdue.
    fn next_overdue(&self) -> Option<Duration> {
        let after = self.pacer.overdue_after()?;
        let (_, attempt) = self.in_flight.range(self.overdue_until..).next()?;
        Some(attempt.sent_at.saturating_add(after))
    }

    /// Takes overdue requests out of the pacer's window. Lost ones would close it.
    fn count_overdue(&mut self) {
        while self.next_overdue().is_some_and(|time| time <= self.now.monotonic)
            && let Some((&id, attempt)) = self.in_flight.range_mut(self.overdue_until..).next()
        {
            attempt.is_overdue = true;
            self.pacer.left(attempt.batch.keys().len());
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
        let (due, keys) = match self.next_batch() {
            Some(_) if self.is_in_doubt() => (Duration::ZERO, 1),
            Some(Next::Ready(position)) => (Duration::ZERO, self.ready[position].keys().len()),
            Some(Next::Open) => (Duration::ZERO, self.filling.len()),
            None => {
                let delayed = self.delayed.iter().find(|(_, batch)| self.has_its_turn(batch));
                let Some((&(due, _), batch)) = delayed else { return Gate::Closed };
                (due, batch.keys().len())
            }
        };
        let Some(slot) = self.pacer.next_send(keys) else { return Gate::Closed };
        let time = due.max(slot).max(self.outage.next_probe().unwrap_or_default());
        if time <= self.now.monotonic { Gate::Open } else { Gate::Until(time) }
    }

    /// The next batch to send.
    fn next_batch(&self) -> Option<Next> {
        self.next_probe_of_doubt().or_else(|| {
            let open = self.open().filter(|_| self.splitting.is_none());
            let ready = self.ready.iter().position(|batch| self.has_its_turn(batch));
            match ready {
                Some(position) if open.is_none() || !self.goes_last(&self.ready[position]) => {
                    Some(Next::Ready(position))
                }
                _ => open,
            }
        })
    }

    /// Whether this batch goes behind all others, because it may be the reason that nothing gets
    /// on. Not for ever: a loop may flush new keys all the time.
    fn goes_last(&self, batch: &Batch) -> bool {
        self.passed < MOST_PASSED
            && (batch.throttled >= THROTTLED_FIRST || !self.outage.is_fresh(batch))
    }

    /// The open batch, if it was flushed.
    fn open(&self) -> Option<Next> {
        self.filling.is_flushed().then_some(Next::Open)
    }

    /// Whether requests go out one at a time, as probes do, and parts of the first batch that is
    /// split.
    fn takes_turns(&self) -> bool {
        self.outage.is_open()
            || self.authority.is_on_trial()
            || self.splitting.is_some()
            || self.next_probe_of_doubt().is_some()
    }

    /// Whether probes go out, because the keys may not be the reason for what is rejected.
    fn is_in_doubt(&self) -> bool {
        self.history.had_success && self.doubt.is_open()
    }

    /// The batch to take the next probe from: the one pushed last, as the farthest from those that
    /// were rejected.
    fn next_probe_of_doubt(&self) -> Option<Next> {
        if !self.is_in_doubt() {
            return None;
        }
        self.open().or_else(|| self.ready.len().checked_sub(1).map(Next::Ready))
    }

    /// Takes the first key of `batch` as a probe. The rest goes to the front, so that the next
    /// probe comes from another batch.
    fn split_off_probe(&mut self, batch: Batch) -> Batch {
        let probe = if batch.keys().len() > 1 {
            let (probe, rest) = batch.split_at(1);
            self.ready.push_front(rest);
            probe
        } else {
            batch
        };
        self.doubt.probe(&probe);
        probe
    }
}
