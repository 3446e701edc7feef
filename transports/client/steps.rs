use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

use super::super::BoxError;
use super::stop::{Listener, Order};
use super::{Observer, Run, RunError, RunErrorKind};
use crate::bulk::{BulkDelete, Event, Report, Transmit, TransmitId};
use crate::{Credentials, Key, Now, TransportError};

/// How long a source may pause before its keys are sent in a batch that is not full. Short compared
/// with a round trip, long compared with the time in which a busy source fills a batch: the service
/// limits requests, and not keys alone.
const PAUSE: Duration = Duration::from_millis(10);

/// The longest wait. Timers overflow at some point, and waking once an hour costs nothing.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What carries requests.
pub(super) trait Sender {
    /// Whether a request can be sent now, beside those that are in flight.
    fn is_ready(&mut self, in_flight: usize) -> bool;

    fn send(&mut self, transmit: Transmit);
}

/// The steps of a run that are the same for both loops; see `BulkDelete` for their order.
pub(super) struct Steps<O> {
    observer: O,
    listener: Option<Arc<Listener>>,
    progress_every: Option<Duration>,
    /// When the observer is to be shown the progress next.
    progress_at: Option<Duration>,
    /// When a batch that is not full is sent.
    flush_at: Option<Duration>,
    /// Why the loop stopped the run, if the reason is not the `BulkDelete`'s.
    kind: Option<RunErrorKind>,
    credentials_error: Option<BoxError>,
}

impl<O: Observer> Steps<O> {
    /// What the run is made of, and the provider, which each loop asks in its own way.
    pub(super) fn new<P>(run: Run<'_, O, P>) -> (Self, &mut BulkDelete, P) {
        let Run { bulk, observer, provider, listener, progress_every } = run;
        let (progress_at, flush_at, kind, credentials_error) = (None, None, None, None);
        let steps = Self {
            observer,
            listener: listener.map(Arc::new),
            progress_every,
            progress_at,
            flush_at,
            kind,
            credentials_error,
        };
        (steps, bulk, provider)
    }

    /// The run's side of the stop handle.
    pub(super) fn listener(&self) -> Option<Arc<Listener>> {
        self.listener.clone()
    }

    /// Stops or aborts as the stop handle says; `waker` is woken when it says more.
    pub(super) fn obey(&mut self, bulk: &mut BulkDelete, waker: &Waker) {
        let Some(order) = self.listener.as_ref().map(|listener| listener.poll(waker)) else {
            return;
        };
        if bulk.is_finished() {
            return;
        }
        match order {
            Order::GoOn => {}
            Order::Stop => bulk.stop(),
            Order::Abort => bulk.abort(),
        }
    }

    /// Takes a key from the source. Only if [`can_push`](BulkDelete::can_push).
    pub(super) fn push(&mut self, bulk: &mut BulkDelete, key: &str) {
        match Key::new(key) {
            Ok(key) => bulk.push(key).expect("can_push was asked before"),
            Err(invalid) => {
                let position = bulk.position();
                self.stop_over(bulk, RunErrorKind::BadKey { position, invalid });
            }
        }
        if self.flush_at.is_some() && !bulk.wants_flush() {
            self.flush_at = None;
        }
    }

    /// Stops the run for a reason that is the loop's own.
    pub(super) fn stop_over(&mut self, bulk: &mut BulkDelete, kind: RunErrorKind) {
        self.kind = Some(kind);
        bulk.stop();
    }

    /// Sends all transmits and reports all events. Returns whether credentials are needed.
    pub(super) fn drain(
        &mut self,
        bulk: &mut BulkDelete,
        now: impl Fn() -> Now,
        sender: &mut impl Sender,
    ) -> bool {
        let mut needs_credentials = false;
        loop {
            let mut at = now();
            while bulk.wants_transmit(at)
                && sender.is_ready(bulk.in_flight())
                && let Some(transmit) = bulk.poll_transmit(at)
            {
                sender.send(transmit);
                at = now();
            }
            let mut had_event = false;
            while let Some(event) = bulk.poll_event() {
                had_event = true;
                needs_credentials |= matches!(event, Event::CredentialsNeeded);
                self.observer.event(event);
            }
            if !had_event {
                break;
            }
        }
        self.show_progress(bulk, now().monotonic);
        needs_credentials
    }

    /// Shows the progress if it is due; the first time after one interval.
    fn show_progress(&mut self, bulk: &BulkDelete, now: Duration) {
        let Some(every) = self.progress_every else { return };
        if *self.progress_at.get_or_insert(now.saturating_add(every)) <= now {
            self.progress_at = Some(now.saturating_add(every));
            self.observer.progress(bulk);
        }
    }

    /// Flushes if the source has paused for long enough. Returns whether it did.
    pub(super) fn flush_in_pause(
        &mut self,
        bulk: &mut BulkDelete,
        now: Duration,
        source_is_dry: bool,
    ) -> bool {
        if !source_is_dry || !bulk.wants_flush() {
            self.flush_at = None;
            return false;
        }
        let is_due = *self.flush_at.get_or_insert(now.saturating_add(PAUSE)) <= now;
        if is_due {
            bulk.flush();
            self.flush_at = None;
        }
        is_due
    }

    /// Whether keys wait until the source goes on or pauses.
    pub(super) fn is_gathering(&self) -> bool {
        self.flush_at.is_some()
    }

    /// How long to wait for something to come in.
    pub(super) fn longest_wait(&self, bulk: &BulkDelete, now: Duration) -> Duration {
        let due =
            [bulk.poll_timeout(), self.flush_at, self.progress_at].into_iter().flatten().min();
        due.map_or(LONGEST_WAIT, |due| due.saturating_sub(now).min(LONGEST_WAIT))
    }

    pub(super) fn handle_credentials(
        &mut self,
        bulk: &mut BulkDelete,
        now: Now,
        credentials: Result<Credentials, BoxError>,
    ) {
        match credentials {
            Ok(credentials) => {
                self.credentials_error = None;
                bulk.handle_credentials(now, credentials);
            }
            Err(error) => self.credentials_error = Some(error),
        }
    }

    /// Counts keys that were read ahead of a stop, each as not attempted, up to one that is
    /// invalid.
    pub(super) fn push_unsent<K: AsRef<str>>(
        &mut self,
        bulk: &mut BulkDelete,
        keys: impl Iterator<Item = K>,
    ) {
        if bulk.stopped().is_none() || matches!(self.kind, Some(RunErrorKind::BadKey { .. })) {
            return;
        }
        for key in keys {
            let Ok(key) = Key::new(key.as_ref()) else { break };
            bulk.push_unsent(key).expect("the run has stopped");
        }
        bulk.finish();
        while let Some(event) = bulk.poll_event() {
            self.observer.event(event);
        }
    }

    /// How the run ended. Only if it is finished.
    pub(super) fn end(mut self, bulk: &BulkDelete) -> Result<Report, RunError> {
        self.observer.progress(bulk);
        let report = bulk.report();
        let stopped = || bulk.stopped().cloned().map(RunErrorKind::Stopped);
        match self.kind.or_else(stopped).or_else(|| source_too_short(bulk)) {
            None => Ok(report),
            Some(kind) => Err(RunError::new(kind, report, self.credentials_error)),
        }
    }
}

/// Hands in what a transport returned.
pub(super) fn handle_response(
    bulk: &mut BulkDelete,
    now: Now,
    id: TransmitId,
    response: Result<Response<Bytes>, TransportError>,
) {
    match response {
        Ok(response) => bulk.handle_response(now, id, &response),
        Err(failure) => bulk.handle_failure(now, id, failure),
    }
}

/// The source gave fewer keys than an earlier run had settled, so it is another source.
fn source_too_short(bulk: &BulkDelete) -> Option<RunErrorKind> {
    let (position, settled) = (bulk.position(), bulk.settled());
    let settled = settled.ranges().last().map_or(settled.prefix(), |range| range.end);
    (position < settled).then_some(RunErrorKind::SourceTooShort { position, settled })
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::Target;
    use crate::bulk::BulkOptions;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn bulk() -> BulkDelete {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("vectorindex1")
            .build()
            .unwrap();
        let credentials = Credentials::new("id", "secret").unwrap();
        BulkDelete::new(&target, credentials, BulkOptions::new()).unwrap()
    }

    /// Takes as many requests as it has room for.
    struct Room(usize, Vec<TransmitId>);

    impl Sender for Room {
        fn is_ready(&mut self, in_flight: usize) -> bool {
            in_flight < self.0
        }

        fn send(&mut self, transmit: Transmit) {
            self.1.push(transmit.id);
        }
    }

    #[test]
    fn keys_are_flushed_after_a_pause_of_the_source() {
        let mut bulk = bulk();
        let (mut steps, bulk, _) = Steps::new(Run::new(&mut bulk));
        let at = |milliseconds| milliseconds * MILLISECOND;
        assert!(
            !steps.flush_in_pause(bulk, at(0), true) && !steps.is_gathering(),
            "there is no key"
        );
        steps.push(bulk, "a");
        assert_eq!(steps.longest_wait(bulk, at(0)), LONGEST_WAIT);
        // The pause begins when the loop first sees that the source is dry.
        assert!(!steps.flush_in_pause(bulk, at(5), true) && steps.is_gathering());
        assert_eq!(steps.longest_wait(bulk, at(7)), at(8));
        assert!(!steps.flush_in_pause(bulk, at(14), true));
        // It begins again once keys came.
        assert!(!steps.flush_in_pause(bulk, at(15), false) && !steps.is_gathering());
        assert!(
            !steps.flush_in_pause(bulk, at(16), true) && !steps.flush_in_pause(bulk, at(25), true)
        );
        assert!(steps.flush_in_pause(bulk, at(26), true) && !steps.is_gathering());
        assert!(!steps.flush_in_pause(bulk, at(27), true), "all keys are flushed");
    }

    #[test]
    fn a_full_batch_is_not_waited_for() {
        let mut bulk = bulk();
        let (mut steps, bulk, _) = Steps::new(Run::new(&mut bulk));
        steps.push(bulk, "a");
        assert!(!steps.flush_in_pause(bulk, Duration::ZERO, true));
        for number in 1..500 {
            assert!(steps.is_gathering(), "{number}");
            steps.push(bulk, &number.to_string());
        }
        assert!(!steps.is_gathering());
    }

    #[test]
    fn requests_are_sent_while_there_is_room() {
        let mut bulk = bulk();
        let (mut steps, bulk, _) = Steps::new(Run::new(&mut bulk));
        (0..1500).for_each(|number| steps.push(bulk, &number.to_string()));
        let now = || Now::new(Duration::ZERO, UNIX_EPOCH);
        for room in [0, 1, 1, 2] {
            let mut sender = Room(room, Vec::new());
            let before = bulk.in_flight();
            assert!(!steps.drain(bulk, now, &mut sender));
            assert_eq!((before + sender.1.len(), bulk.in_flight()), (room, room));
        }
    }

    #[test]
    fn progress_is_shown_once_in_each_interval() {
        #[derive(Default)]
        struct Count(u32);

        impl Observer for &mut Count {
            fn event(&mut self, _: Event) {}

            fn progress(&mut self, _: &BulkDelete) {
                self.0 += 1;
            }
        }

        let (mut bulk, mut count) = (bulk(), Count::default());
        let run = Run::new(&mut bulk).observer(&mut count).progress_every(10 * MILLISECOND);
        let (mut steps, bulk, _) = Steps::new(run);
        for (now, shown, next) in [(0, 0, 10), (9, 0, 1), (10, 1, 10), (35, 2, 10), (44, 2, 1)] {
            let now = now * MILLISECOND;
            steps.drain(bulk, || Now::new(now, UNIX_EPOCH), &mut Room(0, Vec::new()));
            assert_eq!(
                (steps.observer.0, steps.longest_wait(bulk, now)),
                (shown, next * MILLISECOND)
            );
        }
    }
}
