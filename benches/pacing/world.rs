//! A hidden limit, a way to it and clients, in virtual time: deterministic, no sleep.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{Response, StatusCode};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, TransmitId};
use oss_delete_vectors::{Credentials, Deleted, Key, Now, ServiceError, Target, code};

pub(crate) struct Outcome {
    /// Seconds until the last batch was deleted.
    pub(crate) wall: f64,
    pub(crate) refused: f64,
}

/// Clients, the way to the service, and its token bucket.
pub(crate) struct World {
    clients: Vec<BulkDelete>,
    left: Vec<u64>,
    /// The wakeup of each client that counts.
    wakeups: Vec<u64>,
    latency: f64,
    jitter: u64,
    limit: f64,
    depth: f64,
    tokens: f64,
    filled_at: f64,
    events: BinaryHeap<Reverse<(u64, u64, Step)>>,
    number: u64,
    answers: [Response<Bytes>; 2],
    refused: u64,
    /// When requests were accepted.
    accepted: Vec<f64>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Arrival { client: usize, id: TransmitId },
    Answer { client: usize, id: TransmitId, is_accepted: bool },
    Wakeup { client: usize },
}

impl World {
    /// `clients` that share a limit of so many requests a second, with `depth` seconds of it at once, for `ideal` seconds.
    pub(crate) fn steady(limit: f64, depth: f64, latency: f64, ideal: f64, clients: usize, seed: u64) -> Self {
        let burst = (limit * depth).max(1.0);
        Self::new((limit, burst), latency, (limit * ideal + burst) as u64, clients, concurrency(limit, latency), seed)
    }

    /// The limit is multiplied by `factor` after 20 s: seconds from then until 90 % of the new one is held, over 2 s each, to the
    /// end of the look 20 s later.
    pub(crate) fn changing(limit: f64, depth: f64, latency: f64, factor: f64, seed: u64) -> f64 {
        let (change, window, new) = (20.0, 2.0, limit * factor);
        let concurrency = concurrency(new.max(limit), latency);
        let batches = (limit * change + new * 40.0) as u64;
        let mut world = Self::new((limit, limit * depth), latency, batches, 1, concurrency, seed);
        world.run_until(|time, world| {
            if time >= change && world.limit == limit {
                world.fill(time);
                (world.limit, world.depth) = (new, new * depth);
            }
            time > change + 30.0
        });
        let is_held = |from: f64| {
            let accepted = world.accepted.iter().filter(|&&time| (from..from + window).contains(&time)).count();
            accepted as f64 >= 0.9 * new * window
        };
        let last_miss = (0..=100).rev().map(|step| f64::from(step) / 5.0).find(|after| !is_held(change + after));
        last_miss.map_or(0.0, |after| after + 0.2)
    }

    fn new((limit, depth): (f64, f64), latency: f64, batches: u64, clients: usize, concurrency: usize, seed: u64) -> Self {
        let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("i").build().unwrap();
        let client = |number: usize| {
            let options = BulkOptions::new().concurrency(concurrency).seed(seed * 31 + number as u64);
            BulkDelete::new(&target, Credentials::new("id", "secret").unwrap(), options).unwrap()
        };
        let throttle = ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code::QPS_LIMIT_EXCEEDED, "too fast");
        Self {
            clients: (0..clients).map(client).collect(),
            left: vec![batches / clients as u64; clients],
            wakeups: vec![0; clients],
            latency,
            jitter: seed + 1,
            limit,
            depth,
            tokens: depth,
            filled_at: 0.0,
            events: BinaryHeap::new(),
            number: 0,
            answers: [throttle.to_response(), Deleted::new("id").to_response()],
            refused: 0,
            accepted: Vec::new(),
        }
    }

    pub(crate) fn run(mut self) -> Outcome {
        self.run_until(|_, _| false);
        for client in &self.clients {
            let report = client.report();
            assert_eq!(report.deleted, report.pushed, "none may be lost: {report:?}");
        }
        Outcome { wall: self.accepted.iter().copied().fold(0.0, f64::max), refused: self.refused as f64 }
    }

    fn run_until(&mut self, mut is_over: impl FnMut(f64, &mut Self) -> bool) {
        for client in 0..self.clients.len() {
            self.drive(0, client);
        }
        while let Some(Reverse((time, _, step))) = self.events.pop() {
            if is_over(time as f64 / 1e9, self) {
                return;
            }
            match step {
                Step::Arrival { client, id } => {
                    let is_accepted = self.admits(time as f64 / 1e9);
                    let after = self.half_latency();
                    self.schedule(time + after, Step::Answer { client, id, is_accepted });
                }
                Step::Answer { client, id, is_accepted } => {
                    let now = now(time);
                    self.clients[client].handle_response(now, id, &self.answers[usize::from(is_accepted)]);
                    self.drive(time, client);
                }
                Step::Wakeup { client } if self.wakeups[client] == time => {
                    self.clients[client].handle_timeout(now(time));
                    self.drive(time, client);
                }
                Step::Wakeup { .. } => {}
            }
        }
    }

    fn drive(&mut self, time: u64, client: usize) {
        let bulk = &mut self.clients[client];
        let mut sent = Vec::new();
        loop {
            while self.left[client] > 0 && bulk.can_push() {
                bulk.push(Key::new("key").unwrap()).unwrap();
                bulk.flush();
                self.left[client] -= 1;
                if self.left[client] == 0 {
                    bulk.finish();
                }
            }
            let before = sent.len();
            sent.extend(std::iter::from_fn(|| bulk.poll_transmit(now(time))).map(|transmit| transmit.id));
            let events = std::iter::from_fn(|| bulk.poll_event()).count();
            if sent.len() == before && events == 0 {
                break;
            }
        }
        let timeout = bulk.poll_timeout();
        for id in sent {
            let after = self.half_latency();
            self.schedule(time + after, Step::Arrival { client, id });
        }
        // Timers of a millisecond's grain, as runtimes have them.
        if let Some(timeout) = timeout.filter(|timeout| timeout.as_secs() < 3600) {
            let due = (timeout.as_nanos() as u64).max(time + 1).div_ceil(1_000_000) * 1_000_000;
            if std::mem::replace(&mut self.wakeups[client], due) != due {
                self.schedule(due, Step::Wakeup { client });
            }
        }
    }

    fn schedule(&mut self, time: u64, step: Step) {
        self.number += 1;
        self.events.push(Reverse((time, self.number, step)));
    }

    fn fill(&mut self, time: f64) {
        self.tokens = (self.tokens + (time - self.filled_at) * self.limit).min(self.depth);
        self.filled_at = time;
    }

    fn admits(&mut self, time: f64) -> bool {
        self.fill(time);
        let is_accepted = self.tokens >= 1.0;
        if is_accepted {
            self.tokens -= 1.0;
            self.accepted.push(time);
        } else {
            self.refused += 1;
        }
        is_accepted
    }

    /// Half the latency, 20 % up or down, in nanoseconds.
    fn half_latency(&mut self) -> u64 {
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let jitter = 0.8 + 0.4 * (self.jitter >> 11) as f64 / (1_u64 << 53) as f64;
        (self.latency / 2.0 * jitter * 1e9) as u64
    }
}

fn concurrency(limit: f64, latency: f64) -> usize {
    ((2.0 * limit * latency) as usize).max(16)
}

fn now(time: u64) -> Now {
    Now::new(Duration::from_nanos(time), UNIX_EPOCH + Duration::from_secs(1_702_743_657) + Duration::from_nanos(time))
}
