//! The callers of one seed, and all events of their run.

use std::time::{Duration, SystemTime};

use oss_delete_vectors::bulk::{Adaptive, BulkOptions, Event, Rate, TransmitId};
use oss_delete_vectors::calls::{CallId, Calls, DeleteError, DeleteErrorKind};
use oss_delete_vectors::emulator::{Emulator, FaultyNetwork, Identity, NetworkEvent, RateLimit};
use oss_delete_vectors::{Credentials, Now};

use super::Covered;
use super::truth::{SHARED_KEYS, Truth, text};
use crate::calls::{BUCKET, INDEX, credentials, target, time};
use crate::random::Random;
use crate::scenario::{faults, limit, outage};

/// More steps than any seed takes.
const MAX_STEPS: u64 = 5_000_000;

pub(super) struct Crowd {
    random: Random,
    calls: Calls,
    network: FaultyNetwork<TransmitId>,
    emulator: Emulator,
    truth: Truth,
    now: Duration,
    /// Calls that have not begun yet.
    left: usize,
    next_call: Duration,
    mean_gap: f64,
    next_key: u64,
    bad_keys: f64,
    timeouts: f64,
    abandoned: f64,
    /// Events of the service, with their times.
    script: Vec<(Duration, Action)>,
    /// When the provider responds, if there is one.
    provider: Option<Duration>,
    asked: Option<Duration>,
    is_closed: bool,
    ends_by_abort: bool,
    pub(super) covered: Covered,
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Revoke,
    Allow,
    RemoveIndex,
    CreateIndex,
    Limit,
    Outage,
    Credentials,
}

impl Crowd {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut emulator = Emulator::new("cn-hangzhou", "1234567890123456");
        emulator.add_identity(Identity::new(credentials()));
        emulator.put_vectors(BUCKET, INDEX, ["any"]).unwrap();
        if random.chance(0.4) {
            let (per_second, depth) = limit(&mut random);
            emulator.set_rate_limit(Some(RateLimit::new(per_second, depth).unwrap()));
        }
        // Some of the shared keys are rejected, and some always fail.
        let bad = random.pick(&[0.0, 0.0, 0.01, 0.1]);
        let shared = |random: &mut Random| -> Vec<String> {
            (0..SHARED_KEYS).filter(|_| random.chance(bad)).map(text).collect()
        };
        emulator.reject_keys(shared(&mut random));
        emulator.fail_keys(shared(&mut random));
        let provider = random.chance(0.5).then(|| random.millis(1..60_000));
        let mut calls = Calls::new(&target(), credentials(), options(seed, &mut random))
            .unwrap()
            .most_waiting_keys(random.pick(&[1, 500, 5000, 100_000, 100_000]));
        if provider.is_some() {
            calls.enable_renewal();
        }
        let faults = faults(&mut random);
        let latency = (random.millis(0..200), random.millis(0..300));
        let left = random.log(50.0, 10_000.0) as usize;
        let mean_gap = random.log(1e-5, 0.3);
        let length = left as f64 * mean_gap;
        let script = script(&mut random, length.max(5.0));
        Self {
            calls,
            network: FaultyNetwork::new(seed, faults).with_latency(latency.0, latency.1),
            emulator,
            truth: Truth::default(),
            now: Duration::ZERO,
            left,
            next_call: Duration::ZERO,
            mean_gap,
            next_key: SHARED_KEYS,
            bad_keys: bad,
            timeouts: random.pick(&[0.0, 0.1, 0.5]),
            abandoned: random.pick(&[0.0, 0.05, 0.3]),
            script,
            provider,
            asked: None,
            is_closed: false,
            ends_by_abort: random.chance(0.1),
            covered: Covered::default(),
            random,
        }
    }

    pub(super) fn run(&mut self) {
        for step in 0.. {
            assert!(step < MAX_STEPS, "no end: {:?}", self.calls);
            self.drain();
            if self.left == 0 && !self.is_closed && self.random.chance(0.01) {
                self.close();
                continue;
            }
            if self.is_closed && self.calls.is_finished() {
                break;
            }
            self.wait();
            self.handle_due();
        }
        let metrics = self.calls.metrics(self.client_now());
        assert_eq!((metrics.waiting_calls, metrics.waiting_keys), (0, 0));
        assert_eq!(metrics.oldest_call, None);
        self.covered.requests = metrics.requests;
        self.end_network();
        self.truth.check();
    }

    pub(super) fn results(&self) -> Vec<(CallId, Option<Result<(), DeleteError>>)> {
        self.truth.calls.iter().map(|(&id, call)| (id, call.result.clone())).collect()
    }

    fn close(&mut self) {
        self.is_closed = true;
        if self.ends_by_abort {
            self.calls.abort();
        } else {
            self.calls.close();
        }
        self.next_key += 1;
        let keys = vec![self.next_key];
        let late = self.calls.begin(self.client_now(), Truth::call(&keys, None));
        self.truth.begin(late, keys, self.now, None);
        self.covered.calls += 1;
        self.covered.keys += 1;
    }

    /// Takes all transmits and results.
    fn drain(&mut self) {
        loop {
            while let Some(transmit) = self.calls.poll_transmit(self.client_now()) {
                self.truth.sent(transmit.id, &transmit.to_request());
                self.network.send(self.now, transmit.id, transmit.to_request());
            }
            let mut had_event = false;
            while let Some(event) = self.calls.poll_event() {
                had_event = true;
                match event {
                    Event::Stopped(_) => {
                        self.covered.stops += 1;
                        self.truth.stopped();
                    }
                    Event::CredentialsNeeded if self.asked.is_none() => {
                        self.asked = self.provider.map(|delay| self.now + delay);
                    }
                    _ => {}
                }
            }
            if !had_event {
                break;
            }
        }
        while let Some(finished) = self.calls.poll_finished() {
            let count = match &finished.result {
                Ok(()) => &mut self.covered.succeeded,
                Err(error) => match error.kind() {
                    DeleteErrorKind::NotDeleted => &mut self.covered.not_deleted,
                    DeleteErrorKind::Stopped(_) => &mut self.covered.stopped,
                    DeleteErrorKind::TimedOut(_) => &mut self.covered.timed_out,
                    _ => &mut self.covered.closed,
                },
            };
            *count += 1;
            self.truth.finished(finished.id, finished.result, self.now, self.is_closed);
        }
    }

    fn wait(&mut self) {
        let call = (self.left > 0).then_some(self.next_call);
        let script = self.script.iter().map(|&(at, _)| at).min();
        let next = [self.network.next_event(), self.calls.poll_timeout(), call, script, self.asked];
        let Some(next) = next.into_iter().flatten().min() else {
            assert!(
                !self.is_closed,
                "nothing is in flight, and the run does not end: {:?}",
                self.calls
            );
            return self.close();
        };
        self.now = self.now.max(next);
    }

    fn handle_due(&mut self) {
        while self.left > 0 && self.next_call <= self.now {
            self.left -= 1;
            self.begin();
            let gap = -self.mean_gap * (1.0 - self.random.fraction()).ln();
            self.next_call += Duration::from_secs_f64(gap);
        }
        while let Some(due) = self.script.iter().position(|&(at, _)| at <= self.now) {
            let (_, action) = self.script.remove(due);
            self.act(action);
        }
        let now = Now::new(self.now, service_time(self.now));
        while let Some(event) = self.network.poll(now, &mut self.emulator) {
            match event {
                NetworkEvent::Arrived { id, executed, .. } => {
                    self.truth.arrived(id, executed, self.now);
                }
                NetworkEvent::Delivered { id, result: Ok(response), .. } => {
                    self.calls.handle_response(now, id, &response);
                }
                NetworkEvent::Delivered { id, result: Err(failure), .. } => {
                    self.calls.handle_failure(now, id, failure);
                }
                _ => unreachable!("there are no other events"),
            }
            if self.random.chance(0.3) {
                break;
            }
        }
        if self.asked.is_some_and(|at| at <= self.now) {
            self.asked = None;
            self.act(Action::Credentials);
        }
        self.calls.handle_timeout(now);
    }

    fn begin(&mut self) {
        let random = &mut self.random;
        let count = match random.size(0..1000) {
            0..5 => 0,
            5..8 => random.size(500..3000),
            _ => random.size(1..30),
        };
        let shares = self.bad_keys > 0.0 || random.chance(0.3);
        let keys: Vec<u64> = (0..count)
            .map(|_| {
                if shares && random.chance(0.2) {
                    return random.range(0..SHARED_KEYS);
                }
                self.next_key += 1;
                self.next_key
            })
            .collect();
        let timeout =
            random.chance(self.timeouts).then(|| Duration::from_secs_f64(random.log(0.01, 100.0)));
        let is_abandoned = random.chance(self.abandoned);
        let id = self.calls.begin(self.client_now(), Truth::call(&keys, timeout));
        self.covered.calls += 1;
        self.covered.keys += keys.len() as u64;
        self.truth.begin(id, keys, self.now, timeout);
        if is_abandoned {
            self.drain();
            let call = self.truth.calls.get_mut(&id).unwrap();
            if call.result.is_none() {
                call.is_abandoned = true;
                self.calls.abandon(id);
                self.covered.abandoned += 1;
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Revoke => {
                self.emulator.remove_identity(credentials().access_key_id());
            }
            Action::Allow => self.emulator.add_identity(Identity::new(credentials())),
            Action::RemoveIndex => {
                self.emulator.remove_index(BUCKET, INDEX);
            }
            Action::CreateIndex => {
                self.emulator.put_vectors(BUCKET, INDEX, ["any"]).unwrap();
            }
            Action::Limit => {
                let limit = self.random.chance(0.7).then(|| limit(&mut self.random));
                self.emulator.set_rate_limit(
                    limit.map(|(per_second, depth)| RateLimit::new(per_second, depth).unwrap()),
                );
            }
            Action::Outage => {
                let length = Duration::from_secs_f64(self.random.log(1.0, 300.0));
                let outage = outage(&mut self.random);
                self.network.begin_outage(outage, self.now + length);
            }
            Action::Credentials => {
                let wrong = Credentials::new("unknown", crate::canary::WRONG_SECRET).unwrap();
                let credentials = if self.random.chance(0.3) { wrong } else { credentials() };
                self.calls.handle_credentials(self.client_now(), credentials);
            }
        }
    }

    /// Delivers the responses that no call waits for.
    fn end_network(&mut self) {
        while let Some(next) = self.network.next_event() {
            self.now = self.now.max(next);
            let now = Now::new(self.now, service_time(self.now));
            while let Some(event) = self.network.poll(now, &mut self.emulator) {
                if let NetworkEvent::Arrived { id, executed, .. } = event {
                    self.truth.arrived(id, executed, self.now);
                }
            }
        }
        assert!(self.calls.poll_transmit(self.client_now()).is_none(), "a transmit after the end");
        assert!(self.calls.poll_finished().is_none(), "a result after the end");
    }

    fn client_now(&self) -> Now {
        Now::new(self.now, service_time(self.now))
    }
}

fn service_time(now: Duration) -> SystemTime {
    time() + now
}

fn options(seed: u64, random: &mut Random) -> BulkOptions {
    let options = BulkOptions::new()
        .seed(seed)
        .concurrency(random.pick(&[1, 2, 4, 16, 16, 64]))
        .max_attempts(random.pick(&[1, 3, 10, 10]))
        .response_timeout(Duration::from_secs(random.pick(&[2, 10, 75])))
        .credentials_timeout(Duration::from_secs(random.pick(&[1, 60, 300])))
        .rate(match random.size(0..5) {
            0..3 => Rate::default(),
            3 => Adaptive::new().max_keys_per_second(random.log(100.0, 1e6)).into(),
            _ => Rate::Unlimited,
        });
    match random.size(0..3) {
        0 => options.outage_timeout(Duration::from_secs(random.pick(&[1, 10, 600]))),
        _ => options,
    }
}

fn script(random: &mut Random, length: f64) -> Vec<(Duration, Action)> {
    let mut script = Vec::new();
    for _ in 0..random.pick(&[0, 0, 1, 2, 4]) {
        let at = Duration::from_secs_f64(length * random.fraction());
        let end = at + Duration::from_secs_f64(random.log(0.1, 200.0));
        match random.size(0..5) {
            0 => script.extend([(at, Action::Revoke), (end, Action::Allow)]),
            1 => script.extend([(at, Action::RemoveIndex), (end, Action::CreateIndex)]),
            2 => script.push((at, Action::Limit)),
            3 => script.push((at, Action::Credentials)),
            _ => script.push((at, Action::Outage)),
        }
    }
    script
}
