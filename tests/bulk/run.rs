//! A run in virtual time against a closure as the service. Time jumps to the next event.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use oss_delete_vectors::bulk::{
    BulkDelete, BulkOptions, Event, FailedKeys, KeyOutcome, Positions, StopReason, TransmitId,
};
use oss_delete_vectors::{Credentials, Deleted, Key, Now, ServiceError, TransportError};

/// The initial time of the client's clock.
pub(crate) use crate::calls::time as start;
pub(crate) use crate::calls::{credentials, target};

/// The latency of every response.
pub(crate) const LATENCY: Duration = Duration::from_millis(10);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A request as the service sees it.
pub(crate) struct Call<'a> {
    /// Counted from 0.
    pub(crate) number: usize,
    pub(crate) at: Duration,
    pub(crate) request: &'a Request<Bytes>,
    pub(crate) keys: usize,
    pub(crate) positions: Positions,
}

pub(crate) enum Reply {
    Response(Response<Bytes>),
    Failed(TransportError),
    /// No reply, ever.
    Silence,
}

/// A service with one reply for all requests.
pub(crate) type Respond = fn() -> Reply;

pub(crate) fn deleted() -> Reply {
    Reply::Response(Deleted::new("id").to_response())
}

pub(crate) fn error(status: u16, code: &str) -> Reply {
    Reply::Response(service_error(status, code).to_response())
}

pub(crate) fn service_error(status: u16, code: &str) -> ServiceError {
    ServiceError::new(StatusCode::from_u16(status).unwrap(), code, "m")
        .with_request_id("id")
        .with_date(start())
}

/// A page that is not from OSS: no code, no request id.
pub(crate) fn page(status: u16) -> Reply {
    Reply::Response(Response::builder().status(status).body("<html>no</html>".into()).unwrap())
}

/// A response of OSS whose body with the code is lost.
pub(crate) fn codeless(status: u16) -> Reply {
    Reply::Response(
        Response::builder()
            .status(status)
            .header("x-oss-request-id", "id")
            .body(Bytes::new())
            .unwrap(),
    )
}

pub(crate) fn not_sent() -> Reply {
    Reply::Failed(TransportError::surely_not_sent("connection refused"))
}

pub(crate) fn lost() -> Reply {
    Reply::Failed(TransportError::may_have_arrived("connection reset"))
}

pub(crate) fn key(number: u64) -> String {
    format!("doc-{number}")
}

pub(crate) struct Run<'a> {
    pub(crate) bulk: BulkDelete,
    pub(crate) now: Duration,
    /// How far the client's clock is ahead.
    pub(crate) ahead: Duration,
    service: Box<dyn FnMut(&Call<'_>) -> Reply + 'a>,
    /// For the `n`th renewal, counted from 0: the delay and the credentials.
    provider: Box<dyn FnMut(usize) -> Option<(Duration, Credentials)> + 'a>,
    source: Box<dyn Iterator<Item = String> + 'a>,
    replies: BTreeMap<(Duration, TransmitId), Reply>,
    renewals: BTreeMap<Duration, Credentials>,
    /// The time of each request, and its number of keys.
    pub(crate) requests: Vec<(Duration, usize)>,
    pub(crate) events: Vec<(Duration, Event)>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(options: BulkOptions, service: impl FnMut(&Call<'_>) -> Reply + 'a) -> Self {
        Self::with_credentials(credentials(), options, service)
    }

    pub(crate) fn with_credentials(
        credentials: Credentials,
        options: BulkOptions,
        service: impl FnMut(&Call<'_>) -> Reply + 'a,
    ) -> Self {
        Self {
            bulk: BulkDelete::new(&target(), credentials, options).unwrap(),
            now: Duration::ZERO,
            ahead: Duration::ZERO,
            service: Box::new(service),
            provider: Box::new(|_| None),
            source: Box::new(std::iter::empty()),
            replies: BTreeMap::new(),
            renewals: BTreeMap::new(),
            requests: Vec::new(),
            events: Vec::new(),
        }
    }

    pub(crate) fn provider(
        mut self,
        provider: impl FnMut(usize) -> Option<(Duration, Credentials)> + 'a,
    ) -> Self {
        self.provider = Box::new(provider);
        self
    }

    /// Deletes keys `0..count`, and runs to the end.
    pub(crate) fn delete(mut self, count: u64) -> Self {
        self.source = Box::new((0..count).map(key));
        self.until(|_| false);
        self
    }

    /// Runs to the end.
    pub(crate) fn delete_all(mut self) -> Self {
        self.until(|_| false);
        self
    }

    /// Pushes all keys, and drops the only transmit that follows.
    pub(crate) fn bulk_transmit(&mut self) -> TransmitId {
        for key in self.source.by_ref() {
            self.bulk.push(Key::new(&key).unwrap()).unwrap();
        }
        self.bulk.finish();
        let transmit = self.bulk.poll_transmit(self.client_now()).unwrap();
        assert!(self.bulk.poll_transmit(self.client_now()).is_none());
        transmit.id
    }

    /// Continues until `is_enough`, or to the end of the run.
    pub(crate) fn until(&mut self, mut is_enough: impl FnMut(&Self) -> bool) {
        for _ in 0..20_000 {
            self.drain();
            if is_enough(self) || self.bulk.is_finished() {
                return;
            }
            self.step();
        }
        panic!("no end: {:?}", self.bulk);
    }

    pub(crate) fn keys(mut self, keys: impl Iterator<Item = String> + 'a) -> Self {
        self.source = Box::new(keys);
        self
    }

    pub(crate) fn client_now(&self) -> Now {
        Now::new(self.now, start() + self.now + self.ahead)
    }

    /// Pushes, sends and takes events until nothing is left to do at this moment.
    pub(crate) fn drain(&mut self) {
        loop {
            while self.bulk.can_push() {
                match self.source.next() {
                    Some(key) => self.bulk.push(Key::new(&key).unwrap()).unwrap(),
                    None => self.bulk.finish(),
                }
            }
            self.send();
            if !self.take_events() && !self.bulk.can_push() {
                return;
            }
        }
    }

    pub(crate) fn send(&mut self) {
        loop {
            let wants_transmit = self.bulk.wants_transmit(self.client_now());
            let transmit = self.bulk.poll_transmit(self.client_now());
            assert_eq!(transmit.is_some(), wants_transmit);
            let Some(transmit) = transmit else { return };
            let call = Call {
                number: self.requests.len(),
                at: self.now,
                request: &transmit.to_request(),
                keys: transmit.keys,
                positions: transmit.positions.clone(),
            };
            self.requests.push((self.now, transmit.keys));
            match (self.service)(&call) {
                Reply::Silence => {}
                reply => {
                    assert!(
                        self.replies.insert((self.now + LATENCY, transmit.id), reply).is_none()
                    );
                }
            }
        }
    }

    pub(crate) fn take_events(&mut self) -> bool {
        let before = self.events.len();
        while let Some(event) = self.bulk.poll_event() {
            if let Event::CredentialsNeeded = event {
                let asked = self.count(|event| matches!(event, Event::CredentialsNeeded));
                if let Some((delay, credentials)) = (self.provider)(asked) {
                    self.renewals.insert(self.now + delay, credentials);
                }
            }
            self.events.push((self.now, event));
        }
        self.events.len() > before
    }

    /// Advances to the next event, and handles it.
    pub(crate) fn step(&mut self) {
        let reply = self.replies.first_key_value().map(|(&(at, _), _)| at);
        let renewal = self.renewals.first_key_value().map(|(&at, _)| at);
        let next = [reply, renewal, self.bulk.poll_timeout()].into_iter().flatten().min();
        self.now =
            next.unwrap_or_else(|| panic!("there is no next event: {:?}", self.bulk)).max(self.now);
        while let Some(entry) = self.replies.first_entry().filter(|entry| entry.key().0 <= self.now)
        {
            let ((_, id), reply) = entry.remove_entry();
            match reply {
                Reply::Response(response) => {
                    self.bulk.handle_response(self.client_now(), id, &response);
                }
                Reply::Failed(failure) => self.bulk.handle_failure(self.client_now(), id, failure),
                Reply::Silence => unreachable!("silence is not stored"),
            }
        }
        if let Some(entry) = self.renewals.first_entry().filter(|entry| *entry.key() <= self.now) {
            let credentials = entry.remove();
            self.bulk.handle_credentials(self.client_now(), credentials);
        }
        self.bulk.handle_timeout(self.client_now());
        self.drain_at_once();
        assert!(
            self.bulk.poll_timeout().is_none_or(|at| at > self.now),
            "the next timeout does not advance"
        );
    }

    fn drain_at_once(&mut self) {
        loop {
            self.send();
            if !self.take_events() {
                return;
            }
        }
    }

    pub(crate) fn count(&self, is_it: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|(_, event)| is_it(event)).count()
    }

    pub(crate) fn failed(&self) -> impl Iterator<Item = &FailedKeys> {
        self.events.iter().filter_map(|(_, event)| {
            if let Event::Failed(failed) = event { Some(failed) } else { None }
        })
    }

    /// The number of outages that began, and that ended.
    pub(crate) fn outages(&self) -> (usize, usize) {
        let began = self.count(|event| matches!(event, Event::OutageBegan { .. }));
        (began, self.count(|event| matches!(event, Event::OutageEnded { .. })))
    }

    /// Keys by outcome: deleted, rejected, unconfirmed, not attempted. The report and the events
    /// must agree.
    pub(crate) fn outcomes(&self) -> [u64; 4] {
        let report = self.bulk.report();
        let of = |outcome| {
            self.failed()
                .filter(|failed| failed.outcome == outcome)
                .map(|failed| failed.keys.len() as u64)
                .sum()
        };
        let reported: [u64; 3] =
            [of(KeyOutcome::Rejected), of(KeyOutcome::Unconfirmed), of(KeyOutcome::NotAttempted)];
        assert_eq!([report.rejected, report.unconfirmed, report.not_attempted], reported);
        assert_eq!(report.pending(), 0);
        [report.deleted, report.rejected, report.unconfirmed, report.not_attempted]
    }

    pub(crate) fn stopped(&self) -> Option<&StopReason> {
        self.bulk.stopped()
    }
}
