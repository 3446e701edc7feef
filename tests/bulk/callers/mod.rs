//! `Calls` in virtual time: the result of each call, and the number of requests.

mod ending;
mod idle;
mod merging;
mod results;
mod stops;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use oss_delete_vectors::bulk::{BulkOptions, Event, KeyOutcome, TransmitId};
use oss_delete_vectors::calls::{Call, CallId, Calls, DeleteError, DeleteErrorKind, Metrics};
use oss_delete_vectors::emulator::{Emulator, Identity};
use oss_delete_vectors::{Now, TransportError};

use crate::calls::{BUCKET, INDEX, credentials, now, target};

/// Calls, and a service that responds after a fixed time.
struct World {
    calls: Calls,
    emulator: Emulator,
    latency: Duration,
    at: Duration,
    in_flight: VecDeque<(Duration, TransmitId, Request<Bytes>)>,
    /// The keys of each request.
    requests: Vec<usize>,
    finished: Vec<(Duration, CallId, Result<(), DeleteError>)>,
    events: Vec<Event>,
    /// Replaces the service.
    reply: Option<Reply>,
}

type Reply = Box<dyn FnMut(&Request<Bytes>) -> Option<Result<Response<Bytes>, TransportError>>>;

impl World {
    fn new(options: BulkOptions) -> Self {
        let mut emulator = Emulator::new("cn-hangzhou", "1234567890123456");
        emulator.add_identity(Identity::new(credentials()));
        emulator.put_vectors(BUCKET, INDEX, (0..20_000).map(key)).unwrap();
        Self {
            calls: Calls::new(&target(), credentials(), options).unwrap(),
            emulator,
            latency: Duration::from_millis(20),
            at: Duration::ZERO,
            in_flight: VecDeque::new(),
            requests: Vec::new(),
            finished: Vec::new(),
            events: Vec::new(),
            reply: None,
        }
    }

    fn now(&self) -> Now {
        now(self.at)
    }

    fn begin<K: AsRef<str>>(&mut self, keys: impl IntoIterator<Item = K>) -> CallId {
        self.begin_call(Call::new(keys).unwrap())
    }

    fn begin_call(&mut self, call: Call) -> CallId {
        let id = self.calls.begin(self.now(), call);
        self.drain();
        id
    }

    /// Takes all transmits and results.
    fn drain(&mut self) {
        loop {
            loop {
                let wants_transmit = self.calls.wants_transmit(self.now());
                let transmit = self.calls.poll_transmit(self.now());
                assert_eq!(transmit.is_some(), wants_transmit);
                let Some(transmit) = transmit else { break };
                assert!(self.calls.is_in_flight(transmit.id));
                self.requests.push(transmit.keys);
                let due = self.at + self.latency;
                self.in_flight.push_back((due, transmit.id, transmit.to_request()));
            }
            let before = self.events.len();
            self.events.extend(std::iter::from_fn(|| self.calls.poll_event()));
            if self.events.len() == before {
                break;
            }
        }
        let finished = std::iter::from_fn(|| self.calls.poll_finished());
        self.finished.extend(finished.map(|finished| (self.at, finished.id, finished.result)));
    }

    /// Advances to the next event, or to `end` if that is earlier. Returns whether there is an
    /// event.
    fn step(&mut self, end: Duration) -> bool {
        let due = self.in_flight.front().map(|&(due, ..)| due);
        let next = [due, self.calls.poll_timeout()].into_iter().flatten().min();
        let Some(next) = next.filter(|&next| next <= end) else { return false };
        self.at = self.at.max(next);
        while self.in_flight.front().is_some_and(|&(due, ..)| due <= self.at) {
            let (_, id, request) = self.in_flight.pop_front().unwrap();
            let reply = self.reply.as_mut().and_then(|reply| reply(&request));
            let reply = reply.unwrap_or_else(|| Ok(self.emulator.handle(now(self.at), &request)));
            match reply {
                Ok(response) => self.calls.handle_response(now(self.at), id, &response),
                Err(failure) => self.calls.handle_failure(now(self.at), id, failure),
            }
        }
        self.calls.handle_timeout(self.now());
        self.drain();
        true
    }

    fn run_until(&mut self, end: Duration) {
        while self.step(end) {}
        self.at = self.at.max(end);
    }

    /// Runs until all calls have results.
    fn run(&mut self) {
        for _ in 0..1_000_000 {
            if self.metrics().waiting_calls == 0 && self.in_flight.is_empty() {
                return;
            }
            assert!(self.step(Duration::MAX), "nothing is in flight: {:?}", self.calls);
        }
        panic!("no end: {:?}", self.calls);
    }

    fn metrics(&self) -> Metrics {
        self.calls.metrics(self.now())
    }

    /// The only result of a call.
    #[track_caller]
    fn result(&self, id: CallId) -> Result<(), DeleteError> {
        let mut results = self.finished.iter().filter(|(_, of, _)| *of == id);
        let (_, _, result) = results.next().expect("a result");
        assert!(results.next().is_none(), "a second result");
        result.clone()
    }

    fn is_there(&self, key: &str) -> bool {
        self.emulator.contains(BUCKET, INDEX, key)
    }
}

fn key(number: usize) -> String {
    format!("doc-{number}")
}

fn keys(numbers: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    numbers.map(key)
}

/// The keys of an error by outcome.
fn outcomes(error: &DeleteError) -> Vec<(String, KeyOutcome)> {
    error.not_deleted().map(|key| (key.key.to_owned(), key.outcome)).collect()
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
