use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

use super::super::BoxError;
use super::progress::Progress;
use super::stop::{Listener, Order};
use super::{Run, RunError, RunErrorKind};
use crate::bulk::{BulkDelete, Event, Failure, Report, Transmit, TransmitId};
use crate::{Credentials, Key, Now};

/// How long a source may pause before what it gave is sent in a batch that is not full. Short against a round trip, and long
/// against the time in which a busy source fills a batch: requests, not keys, are what the service limits.
const PAUSE: Duration = Duration::from_millis(10);

/// The longest wait. Timers overflow past some point, and to wake once an hour costs nothing.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What carries requests.
pub(super) trait Sender {
    /// Whether a request can be sent now, beside those that are in flight.
    fn is_ready(&mut self, in_flight: usize) -> bool;

    fn send(&mut self, transmit: Transmit);
}

/// The steps of a run that are the same whichever way it waits; see `BulkDelete` for their order.
pub(super) struct Steps<'a, E, C, M> {
    bulk: &'a mut BulkDelete,
    on_event: E,
    clock: C,
    listener: Listener,
    progress: Option<Progress<M>>,
    /// When keys that wait for their batch to fill are sent without.
    flush_at: Option<Duration>,
    /// Why the loop stopped the machine, where the reason is none of the machine's.
    kind: Option<RunErrorKind>,
    credentials_error: Option<BoxError>,
}

impl<'a, E: FnMut(Event), C: Fn() -> Now, M: FnMut(&BulkDelete)> Steps<'a, E, C, M> {
    /// What the run is made of, and the provider, which the loops ask each in its own way.
    pub(super) fn new<P>(run: Run<'a, E, P, C, M>) -> (Self, P) {
        let Run { bulk, on_event, provider, clock, stop, progress } = run;
        let listener = stop.listen();
        (Self { bulk, on_event, clock, listener, progress, flush_at: None, kind: None, credentials_error: None }, provider)
    }

    /// Does what the stop handle says; `waker` is woken when it says more.
    pub(super) fn obey(&mut self, waker: &Waker) {
        let order = self.listener.poll(waker);
        if self.bulk.is_finished() {
            return;
        }
        match order {
            Order::GoOn => {}
            Order::Stop => self.bulk.stop(),
            Order::Abort => self.bulk.abort(),
        }
    }

    pub(super) fn can_push(&self) -> bool {
        self.bulk.can_push()
    }

    /// Takes a key from the source; only where it can be pushed.
    pub(super) fn push(&mut self, key: &str) {
        match Key::new(key) {
            Ok(key) => self.bulk.push(key).expect("asked before"),
            Err(invalid) => {
                let position = self.bulk.position();
                self.stop_over(RunErrorKind::BadKey { position, invalid });
            }
        }
        if self.flush_at.is_some() && !self.bulk.wants_flush() {
            self.flush_at = None;
        }
    }

    /// The source is at its end.
    pub(super) fn finish(&mut self) {
        self.bulk.finish();
    }

    /// Stops the machine for a reason that is the loop's own.
    pub(super) fn stop_over(&mut self, kind: RunErrorKind) {
        self.kind = Some(kind);
        self.bulk.stop();
    }

    /// Hands out transmits and events until there are none. Whether credentials are needed.
    pub(super) fn drain(&mut self, sender: &mut impl Sender) -> bool {
        let mut needs_credentials = false;
        loop {
            while self.bulk.wants_transmit((self.clock)())
                && sender.is_ready(self.bulk.in_flight())
                && let Some(transmit) = self.bulk.poll_transmit((self.clock)())
            {
                sender.send(transmit);
            }
            let mut has_told = false;
            while let Some(event) = self.bulk.poll_event() {
                has_told = true;
                needs_credentials |= matches!(event, Event::CredentialsNeeded);
                (self.on_event)(event);
            }
            if !has_told {
                break;
            }
        }
        if let Some(progress) = &mut self.progress {
            progress.poll((self.clock)().monotonic, self.bulk);
        }
        needs_credentials
    }

    /// Flushes where the source has paused for long enough. Whether it did.
    pub(super) fn flush_in_pause(&mut self, source_is_dry: bool) -> bool {
        if !source_is_dry || !self.bulk.wants_flush() {
            self.flush_at = None;
            return false;
        }
        let now = self.now();
        let is_due = *self.flush_at.get_or_insert(now.saturating_add(PAUSE)) <= now;
        if is_due {
            self.bulk.flush();
            self.flush_at = None;
        }
        is_due
    }

    /// Whether keys wait for the source to go on or to pause.
    pub(super) fn is_gathering(&self) -> bool {
        self.flush_at.is_some()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.bulk.is_finished()
    }

    /// Monotonic time.
    pub(super) fn now(&self) -> Duration {
        (self.clock)().monotonic
    }

    /// How long to wait for something to come in.
    pub(super) fn longest_wait(&self) -> Duration {
        let progress = self.progress.as_ref().and_then(Progress::due);
        let due = [self.bulk.poll_timeout(), self.flush_at, progress].into_iter().flatten().min();
        due.map_or(LONGEST_WAIT, |due| due.saturating_sub(self.now()).min(LONGEST_WAIT))
    }

    /// Whether a request still waits for its response.
    #[cfg(feature = "async")]
    pub(super) fn is_in_flight(&self, id: TransmitId) -> bool {
        self.bulk.is_in_flight(id)
    }

    /// How many requests still wait for their responses.
    #[cfg(feature = "async")]
    pub(super) fn in_flight(&self) -> usize {
        self.bulk.in_flight()
    }

    pub(super) fn handle_timeout(&mut self) {
        self.bulk.handle_timeout((self.clock)());
    }

    pub(super) fn handle_answer(&mut self, id: TransmitId, answer: Result<Response<Bytes>, Failure>) {
        let now = (self.clock)();
        match answer {
            Ok(response) => self.bulk.handle_response(now, id, &response),
            Err(failure) => self.bulk.handle_failure(now, id, failure),
        }
    }

    pub(super) fn handle_credentials(&mut self, credentials: Result<Credentials, BoxError>) {
        match credentials {
            Ok(credentials) => {
                self.credentials_error = None;
                self.bulk.handle_credentials((self.clock)(), credentials);
            }
            Err(error) => self.credentials_error = Some(error),
        }
    }

    /// Counts keys that were read ahead of a stop, each as not attempted, up to one that is invalid.
    pub(super) fn push_unsent<K: AsRef<str>>(&mut self, keys: impl Iterator<Item = K>) {
        if self.bulk.stopped().is_none() || matches!(self.kind, Some(RunErrorKind::BadKey { .. })) {
            return;
        }
        for key in keys {
            let Ok(key) = Key::new(key.as_ref()) else { break };
            self.bulk.push_unsent(key).expect("the run has stopped");
        }
        self.bulk.finish();
        while let Some(event) = self.bulk.poll_event() {
            (self.on_event)(event);
        }
    }

    /// How the run ended, where it is finished.
    pub(super) fn end(self) -> Result<Report, RunError> {
        if let Some(progress) = self.progress {
            progress.end(self.bulk);
        }
        let report = self.bulk.report();
        let stopped = || self.bulk.stopped().cloned().map(RunErrorKind::Stopped);
        match self.kind.or_else(stopped).or_else(|| source_too_short(self.bulk)) {
            None => Ok(report),
            Some(kind) => Err(RunError::new(kind, report, self.credentials_error)),
        }
    }
}

/// Where keys are missing that an earlier run had, the others are not the same either.
fn source_too_short(bulk: &BulkDelete) -> Option<RunErrorKind> {
    let (position, settled) = (bulk.position(), bulk.settled());
    let settled = settled.ranges().last().map_or(settled.prefix(), |range| range.end);
    (position < settled).then_some(RunErrorKind::SourceTooShort { position, settled })
}
