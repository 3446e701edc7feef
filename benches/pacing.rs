//! Pacing under a limit that nobody told the client: simulated in virtual time, deterministic, no sleep.
//!
//! `cargo bench --bench pacing` prints the goals' rows: wall over ideal, and refusals beside what they may be. Medians of five
//! seeds; the worst in brackets.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{Response, StatusCode};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Rate, TransmitId};
use oss_delete_vectors::{Credentials, Deleted, Key, Now, ServiceError, Target, code};

const SEEDS: u64 = 5;

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--test");
    let seeds = if smoke { 1 } else { SEEDS };
    let ideals: &[f64] = if smoke { &[2.0] } else { &[10.0, 60.0] };
    println!("one client, 20 % jitter, concurrency max(16, 2 x limit x latency)");
    println!(
        "{:>7} {:>6} {:>8} {:>6} | wall/ideal (worst)   goal | refused (worst)    may be",
        "limit/s", "depth", "latency", "ideal"
    );
    for &ideal in ideals {
        for limit in [50.0, 500.0, 5000.0] {
            for depth in [0.1, 1.0] {
                for latency in [0.005, 0.2] {
                    steady(limit, depth, latency, ideal, seeds);
                }
            }
        }
    }
    if smoke {
        return;
    }
    println!("\nslow limits, one client, 5 ms, 60 s ideal: reported, none lost");
    for limit in [1.0, 5.0] {
        steady(limit, 1.0, 0.005, 60.0, seeds);
    }
    println!("\nclients that share a limit of 500/s, depth 0.1 s, 20 ms, 60 s ideal: reported, none lost");
    for clients in [2, 4] {
        let outcomes: Vec<Outcome> = (0..seeds).map(|seed| World::steady(500.0, 0.1, 0.02, 60.0, clients, seed).run()).collect();
        report(&format!("{clients} clients"), &outcomes, 60.0, f64::NAN, f64::NAN);
    }
    println!("\nlimit changed at 20 s: seconds until 90 % of the new limit is held, over 2 s; goal 10");
    for limit in [50.0, 500.0, 5000.0] {
        for (latency, depth) in [(0.005, 0.1), (0.005, 1.0), (0.2, 0.1), (0.2, 1.0)] {
            for factor in [0.5, 2.0] {
                let mut times: Vec<f64> = (0..seeds).map(|seed| World::changing(limit, depth, latency, factor, seed)).collect();
                times.sort_by(f64::total_cmp);
                let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
                println!("{limit:>7} {depth:>5}s {:>6}ms  x{factor:<4}  {median:>5.1} ({worst:.1})", latency * 1e3);
            }
        }
    }
}

fn steady(limit: f64, depth: f64, latency: f64, ideal: f64, seeds: u64) {
    let outcomes: Vec<Outcome> = (0..seeds).map(|seed| World::steady(limit, depth, latency, ideal, 1, seed).run()).collect();
    let goal = match (ideal > 30.0, latency > 0.1) {
        (true, false) => 1.05,
        (true, true) => 1.10,
        (false, false) => 1.15,
        (false, true) => 1.40,
    };
    let name = format!("{limit:>7} {depth:>5}s {:>6}ms {ideal:>5}s", latency * 1e3);
    report(&name, &outcomes, ideal, goal, (limit * ideal + (limit * depth).max(1.0)) * 0.02 + 10.0);
}

fn report(name: &str, outcomes: &[Outcome], ideal: f64, goal: f64, most_refused: f64) {
    let mut walls: Vec<f64> = outcomes.iter().map(|outcome| outcome.wall / ideal).collect();
    let mut refused: Vec<f64> = outcomes.iter().map(|outcome| outcome.refused).collect();
    walls.sort_by(f64::total_cmp);
    refused.sort_by(f64::total_cmp);
    let middle = outcomes.len() / 2;
    let (wall, worst) = (walls[middle], walls[outcomes.len() - 1]);
    let (refusals, most) = (refused[middle], refused[outcomes.len() - 1]);
    let mark = |missed: bool| if missed { " MISSED" } else { "" };
    println!(
        "{name:>31} | {wall:>6.3} ({worst:.3})  {goal:>6.2}{} | {refusals:>6} ({most})  {most_refused:>8.0}{}",
        mark(wall > goal),
        mark(refusals > most_refused),
    );
}

struct Outcome {
    /// Seconds until the last batch was deleted.
    wall: f64,
    refused: f64,
}

/// Clients, the way to the service, and its token bucket.
struct World {
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
    fn steady(limit: f64, depth: f64, latency: f64, ideal: f64, clients: usize, seed: u64) -> Self {
        let burst = (limit * depth).max(1.0);
        Self::new(limit, burst, latency, (limit * ideal + burst) as u64, clients, seed)
    }

    fn new(limit: f64, burst: f64, latency: f64, batches: u64, clients: usize, seed: u64) -> Self {
        let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("i").build().unwrap();
        let client = |number: usize| {
            let options = BulkOptions::new()
                .concurrency(((2.0 * limit * latency) as usize).max(16))
                .rate(Rate::Adaptive { max_qps: None })
                .seed(seed * 31 + number as u64);
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
            depth: burst,
            tokens: burst,
            filled_at: 0.0,
            events: BinaryHeap::new(),
            number: 0,
            answers: [throttle.to_response(), Deleted::new("id").to_response()],
            refused: 0,
            accepted: Vec::new(),
        }
    }

    /// Seconds from the change until the new limit is held to 90 %.
    fn changing(limit: f64, depth: f64, latency: f64, factor: f64, seed: u64) -> f64 {
        let (change, window) = (20.0, 2.0);
        let new = limit * factor;
        let mut world = Self::new(limit, limit * depth, latency, (limit * change + new * 40.0) as u64, 1, seed);
        let concurrency = ((2.0 * new.max(limit) * latency) as usize).max(16);
        let options = BulkOptions::new().concurrency(concurrency).seed(seed);
        let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("i").build().unwrap();
        world.clients = vec![BulkDelete::new(&target, Credentials::new("id", "secret").unwrap(), options).unwrap()];
        world.run_until(|time, world| {
            if time >= change && world.limit == limit {
                world.fill(time);
                (world.limit, world.depth) = (new, new * depth);
            }
            time > change + 30.0
        });
        let held = |from: f64| {
            let accepted = world.accepted.iter().filter(|&&time| (from..from + window).contains(&time)).count();
            accepted as f64 >= 0.9 * new * window
        };
        // From when on it is held to the end of the look.
        let steps = (0..=100).map(|tenth| change + f64::from(tenth) / 5.0);
        let mut since = f64::INFINITY;
        for from in steps {
            match held(from) {
                true if since.is_infinite() => since = from - change,
                false => since = f64::INFINITY,
                true => {}
            }
        }
        since
    }

    fn run(mut self) -> Outcome {
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

fn now(time: u64) -> Now {
    Now::new(Duration::from_nanos(time), UNIX_EPOCH + Duration::from_secs(1_702_743_657) + Duration::from_nanos(time))
}
