//! A service with hidden limits, a way to it, clients and a writer beside them, in virtual time:
//! deterministic, no sleep.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{Response, StatusCode};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Rate, TransmitId};
use oss_delete_vectors::{Credentials, Deleted, Key, KeyBatch, Now, ServiceError, Target, code};

use super::service::{Bucket, Limits, Service};

/// What is simulated, as data.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) limits: Limits,
    /// Seconds of a round trip without the time in the service; every way is 20 % up or down.
    pub(crate) latency: f64,
    pub(crate) clients: usize,
    pub(crate) concurrency: usize,
    /// Keys of each batch, dealt to the clients in turn.
    pub(crate) batches: Vec<usize>,
    /// At this time, the rates and depths are multiplied by the factor.
    pub(crate) change: Option<(f64, f64)>,
    /// A writer takes half of both rates from 30 s to 60 s, from 90 s to 120 s, and so on, in
    /// batches of so many keys.
    pub(crate) writer: Option<usize>,
    pub(crate) faults: Faults,
    /// The simulation ends at this time.
    pub(crate) until: f64,
    pub(crate) rate: Rate,
}

/// Probabilities.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    /// The response is lost.
    pub(crate) lost: f64,
    /// The response is 500, or 503 with a code that is not listed. Nothing is deleted.
    pub(crate) failed: f64,
    pub(crate) unavailable: f64,
    /// Throttled for another reason than the limits: it takes nothing of them.
    pub(crate) throttled: f64,
}

/// 5 % of the responses are lost, and 10 % of the others are 500.
pub(crate) const LOST_AND_FAILED: Faults =
    Faults { lost: 0.05, failed: 0.1, unavailable: 0.0, throttled: 0.0 };

/// What became of it.
pub(crate) struct Outcome {
    /// Accepted batches: when, of which client, how many keys.
    pub(crate) accepted: Vec<(f64, usize, usize)>,
    pub(crate) throttled: usize,
    pub(crate) requests: usize,
    /// Whether all was accepted before the end of the simulation.
    is_complete: bool,
}

impl Outcome {
    /// Seconds until the last batch was accepted.
    pub(crate) fn wall(&self) -> f64 {
        if !self.is_complete {
            return f64::INFINITY;
        }
        self.accepted.iter().map(|&(time, ..)| time).fold(0.0, f64::max)
    }

    /// Batches accepted from `from` on for `window` seconds.
    pub(crate) fn batches_in(&self, from: f64, window: f64) -> usize {
        let first = self.accepted.partition_point(|&(time, ..)| time < from);
        self.accepted[first..].partition_point(|&(time, ..)| time < from + window)
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Arrival { client: usize, id: TransmitId },
    Departure { client: usize, id: TransmitId, answer: Answer },
    Answer { client: usize, id: TransmitId, answer: Answer },
    Wakeup { client: usize },
    Write,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Deleted,
    Throttled,
    ServerError,
    Unavailable,
    Lost,
}

struct Client {
    bulk: BulkDelete,
    /// Keys of each batch that was not pushed yet.
    left: VecDeque<usize>,
    pushed: u64,
    /// The batch that was pushed last is still open: more keys would join it.
    is_waiting: bool,
    /// The wakeup that counts.
    wakeup: u64,
    /// Keys of each request in flight.
    keys: BTreeMap<TransmitId, usize>,
}

struct Simulation<'a> {
    world: &'a World,
    clients: Vec<Client>,
    service: Service,
    jitter: u64,
    events: BinaryHeap<Reverse<(u64, u64, Step)>>,
    number: u64,
    outcome: Outcome,
}

impl World {
    /// Runs to the end, or until the time is over. Nothing may be lost.
    pub(crate) fn run(&self, seed: u64) -> Outcome {
        let mut simulation = Simulation::new(self, seed);
        simulation.run();
        simulation.outcome.is_complete = true;
        for client in &simulation.clients {
            let report = client.bulk.report();
            let is_over = self.until < f64::INFINITY;
            simulation.outcome.is_complete &= report.deleted == report.pushed;
            assert!(is_over || report.deleted == report.pushed, "no key may be lost: {report:?}");
        }
        simulation.outcome
    }

    /// The shortest time: all amounts over their rates, failed attempts included, less what a full
    /// bucket gives at once. Batches whose sizes come in turns, so that each limit binds for a
    /// while, take longer: as long as one after the other takes.
    pub(crate) fn ideal(&self) -> f64 {
        let Faults { lost, failed, unavailable, throttled } = self.faults;
        let attempts = 1.0 / ((1.0 - lost) * (1.0 - failed - unavailable));
        let keys: usize = self.batches.iter().sum();
        if self.limits.requests.rate.is_infinite()
            && self.limits.keys.rate.is_infinite()
            && self.limits.keys_in_flight.is_infinite()
        {
            let requests = self.batches.len() as f64 * attempts / (1.0 - throttled);
            return requests * self.latency / self.concurrency as f64;
        }
        let all_at_once =
            self.limits.ideal(self.batches.len() as f64 * attempts, keys as f64 * attempts);
        all_at_once.max(Service::new(self.limits).one_after_the_other(&self.batches))
    }
}

impl<'a> Simulation<'a> {
    fn new(world: &'a World, seed: u64) -> Self {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("i")
            .build()
            .unwrap();
        let client = |number: usize| {
            let options = BulkOptions::new()
                .concurrency(world.concurrency)
                .rate(world.rate)
                .seed(seed * 31 + number as u64);
            Client {
                bulk: BulkDelete::new(&target, Credentials::new("id", "secret").unwrap(), options)
                    .unwrap(),
                left: world.batches.iter().copied().skip(number).step_by(world.clients).collect(),
                pushed: 0,
                is_waiting: false,
                wakeup: 0,
                keys: BTreeMap::new(),
            }
        };
        Self {
            world,
            clients: (0..world.clients).map(client).collect(),
            service: Service::new(world.limits),
            jitter: seed * 77 + 1,
            events: BinaryHeap::new(),
            number: 0,
            outcome: Outcome {
                accepted: Vec::new(),
                throttled: 0,
                requests: 0,
                is_complete: false,
            },
        }
    }

    fn run(&mut self) {
        let answers = responses();
        for client in 0..self.clients.len() {
            self.drive(0, client);
        }
        if self.world.writer.is_some() {
            self.schedule(30_000_000_000, Step::Write);
        }
        let mut change = self.world.change;
        while let Some(Reverse((time, _, step))) = self.events.pop() {
            let at = time as f64 / 1e9;
            if at > self.world.until || self.clients.iter().all(|client| client.bulk.is_finished())
            {
                return;
            }
            if let Some((_, factor)) = change.filter(|&(when, _)| at >= when) {
                self.service.scale(at, factor);
                change = None;
            }
            match step {
                Step::Arrival { client, id } => self.arrive(time, client, id),
                Step::Departure { client, id, answer } => {
                    let keys = self.clients[client].keys.remove(&id).expect("it is in flight");
                    if answer != Answer::Throttled {
                        self.service.leave(keys);
                    }
                    if answer != Answer::Lost {
                        let after = self.half_latency();
                        self.schedule(time + after, Step::Answer { client, id, answer });
                    }
                }
                Step::Answer { client, id, answer } => {
                    self.clients[client].bulk.handle_response(
                        now(time),
                        id,
                        &answers[answer as usize],
                    );
                    self.drive(time, client);
                }
                Step::Wakeup { client } if self.clients[client].wakeup == time => {
                    self.clients[client].bulk.handle_timeout(now(time));
                    self.drive(time, client);
                }
                Step::Wakeup { .. } => {}
                Step::Write => self.write(time),
            }
        }
    }

    fn arrive(&mut self, time: u64, client: usize, id: TransmitId) {
        let (at, keys) = (time as f64 / 1e9, self.clients[client].keys[&id]);
        self.outcome.requests += 1;
        let faults = self.world.faults;
        let is_unlucky = faults.throttled > 0.0 && self.draw() < faults.throttled;
        if is_unlucky || !self.service.admits(at, keys) {
            self.outcome.throttled += 1;
            return self.schedule(time, Step::Departure { client, id, answer: Answer::Throttled });
        }
        let chance = self.draw();
        let answer = if chance < faults.failed {
            Answer::ServerError
        } else if chance < faults.failed + faults.unavailable {
            Answer::Unavailable
        } else if self.draw() < faults.lost {
            Answer::Lost
        } else {
            Answer::Deleted
        };
        if answer == Answer::Deleted {
            self.outcome.accepted.push((at, client, keys));
        }
        let service_time = self.world.limits.service_time * (0.8 + 0.4 * self.draw()) * 1e9;
        self.schedule(time + service_time as u64, Step::Departure { client, id, answer });
    }

    /// The writer's next batch, as soon as there is room for it and not before half of the rate
    /// lets it.
    fn write(&mut self, time: u64) {
        let (at, keys) = (time as f64 / 1e9, self.world.writer.expect("there is a writer"));
        let is_admitted = self.service.admits(at, keys);
        let pause = if is_admitted {
            self.service.leave(keys);
            2.0 * self.service.limits().ideal_interval(keys)
        } else {
            0.01
        };
        let mut next = at + pause;
        if ((next / 30.0) as u64).is_multiple_of(2) {
            next = ((next / 30.0).floor() + 1.0) * 30.0;
        }
        self.schedule((next * 1e9) as u64, Step::Write);
    }

    fn drive(&mut self, time: u64, number: usize) {
        let client = &mut self.clients[number];
        let mut sent = Vec::new();
        loop {
            while !client.is_waiting
                && client.bulk.can_push()
                && let Some(keys) = client.left.pop_front()
            {
                for _ in 0..keys {
                    client.pushed += 1;
                    client.bulk.push(Key::new(&client.pushed.to_string()).unwrap()).unwrap();
                }
                client.bulk.flush();
                client.is_waiting = keys < KeyBatch::MAX_KEYS;
                if client.left.is_empty() {
                    client.bulk.finish();
                }
            }
            if let Some(transmit) = client.bulk.poll_transmit(now(time)) {
                let end = transmit.positions.ranges().last().map(|range| range.end);
                client.is_waiting &= end != Some(client.pushed);
                sent.push((transmit.id, transmit.keys));
            } else if std::iter::from_fn(|| client.bulk.poll_event()).count() == 0 {
                break;
            }
        }
        client.keys.extend(sent.iter().copied());
        let timeout = client.bulk.poll_timeout();
        for (id, _) in sent {
            let after = self.half_latency();
            self.schedule(time + after, Step::Arrival { client: number, id });
        }
        // Timers of a millisecond's grain, as runtimes have them.
        if let Some(timeout) = timeout.filter(|timeout| timeout.as_secs() < 36_000) {
            let due = (timeout.as_nanos() as u64).max(time + 1).div_ceil(1_000_000) * 1_000_000;
            if std::mem::replace(&mut self.clients[number].wakeup, due) != due {
                self.schedule(due, Step::Wakeup { client: number });
            }
        }
    }

    fn schedule(&mut self, time: u64, step: Step) {
        self.number += 1;
        self.events.push(Reverse((time, self.number, step)));
    }

    /// Half the latency, 20 % up or down, in nanoseconds.
    fn half_latency(&mut self) -> u64 {
        (self.world.latency / 2.0 * (0.8 + 0.4 * self.draw()) * 1e9) as u64
    }

    /// From 0 to 1.
    fn draw(&mut self) -> f64 {
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        (self.jitter >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// By [`Answer`]; a lost one has none.
fn responses() -> [Response<Bytes>; 4] {
    let error = |code| ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code, "m").to_response();
    let failed = ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "m")
        .to_response();
    let unavailable = error("ServiceUnavailable");
    [Deleted::new("id").to_response(), error(code::QPS_LIMIT_EXCEEDED), failed, unavailable]
}

fn now(time: u64) -> Now {
    Now::new(
        Duration::from_nanos(time),
        UNIX_EPOCH + Duration::from_secs(1_702_743_657) + Duration::from_nanos(time),
    )
}

pub(crate) fn world(
    limits: Limits,
    latency: f64,
    concurrency: usize,
    batches: Vec<usize>,
) -> World {
    World {
        limits,
        latency,
        clients: 1,
        concurrency,
        batches,
        change: None,
        writer: None,
        faults: Faults::default(),
        until: f64::INFINITY,
        rate: Rate::default(),
    }
}

/// Requests alone are limited, `depth` seconds of them at once; as many batches as take `ideal`
/// seconds.
pub(crate) fn one_key_each(limit: f64, depth: f64, latency: f64, ideal: f64) -> World {
    let burst = (limit * depth).max(1.0);
    let limits = Limits { requests: Bucket::new(limit, burst), ..Limits::NONE };
    world(limits, latency, concurrency(limit, latency), vec![1; (limit * ideal + burst) as usize])
}

pub(crate) fn documented(keys_depth: f64, requests_depth: f64) -> Limits {
    Limits {
        requests: Bucket::new(1000.0, requests_depth),
        keys: Bucket::new(2500.0, keys_depth),
        service_time: 0.01,
        ..Limits::NONE
    }
}

pub(crate) fn concurrency(requests_per_second: f64, latency: f64) -> usize {
    ((2.0 * requests_per_second * latency) as usize).max(16)
}

/// Sizes at random, for so many keys in all.
pub(crate) fn random_sizes(sizes: std::ops::Range<usize>, keys: usize) -> Vec<usize> {
    let mut random = 1_u64;
    let mut left = keys;
    std::iter::from_fn(|| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let size = sizes.start + (random % sizes.len() as u64) as usize;
        (left > 0).then(|| left = left.saturating_sub(size)).map(|()| size)
    })
    .collect()
}

/// So many full batches, then so many of 5 keys, over and over.
pub(crate) fn alternating_sizes(full: usize, small: usize, times: usize) -> Vec<usize> {
    [vec![500; full], vec![5; small]].concat().repeat(times)
}

/// Seconds from `change` until `rate` batches a second are held for good, 90 % of them in every
/// window, for a look of 20 s.
pub(crate) fn seconds_to_hold(outcome: &Outcome, change: f64, rate: f64) -> f64 {
    // Long enough that one batch more or less is no miss.
    let window = f64::max(2.0, 20.0 / rate).min(10.0);
    let expected = (0.9 * rate * window - 1e-9).floor().max(1.0);
    let is_held = |from: f64| outcome.batches_in(from, window) as f64 >= expected;
    let last_miss = (0..=100)
        .rev()
        .map(|step| f64::from(step) / 5.0)
        .filter(|after| after + window <= 25.0)
        .find(|after| !is_held(change + after));
    last_miss.map_or(0.0, |after| after + 0.2)
}

/// Requests alone are limited; after 20 s the limit is another one for 30 s.
pub(crate) fn changing(limit: f64, depth: f64, latency: f64, factor: f64) -> World {
    let (change, new) = (20.0, limit * factor);
    World {
        concurrency: concurrency(f64::max(new, limit), latency),
        batches: vec![1; (limit * change + new * 40.0) as usize + 100],
        change: Some((change, factor)),
        until: change + 30.0,
        ..one_key_each(limit, f64::max(depth, 1.0 / new.min(limit)), latency, 1.0)
    }
}
