//! Pacing under limits that are unknown to the client: simulated in virtual time, deterministic, no
//! sleep.
//!
//! `cargo bench --bench pacing` prints the goals' rows: wall over ideal time, and throttled requests
//! beside what is allowed. Medians of five seeds, or of 31 for several clients; the worst in
//! brackets. Below a missed row of equal batches is what a fixed rate reaches: a client that knows
//! the limit. `cargo bench --bench pacing -- WORDS` prints only the rows, and the sections, whose
//! name has these words in it.

mod drawn;
mod rows;
mod service;
mod world;

use std::cell::Cell;

use rows::{Bench, SEEDS, SEEDS_SHARED, print_times};
use service::{Bucket, Limits};
use world::{
    Faults, LOST_AND_FAILED, Outcome, World, alternating_sizes, changing, concurrency, documented,
    one_key_each, random_sizes, seconds_to_hold, world,
};

const DRAWN: u64 = 50;

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let bench = Bench {
        is_smoke: arguments.iter().any(|argument| argument == "--test"),
        word: arguments.first().cloned(),
        is_section_wanted: Cell::new(true),
    };
    println!(
        "one client unless noted, 20 % jitter; wall / ideal time: median (worst) of {SEEDS} seeds, of \
         {SEEDS_SHARED} for several clients"
    );
    bench.requests_alone();
    bench.slow();
    bench.both();
    bench.keys_alone();
    bench.mixed_under_requests_alone();
    bench.other_limits();
    bench.in_flight();
    bench.shared();
    bench.faults();
    bench.by_chance();
    bench.changes();
    bench.writer();
    bench.drawn();
}

impl Bench {
    fn requests_alone(&self) {
        self.section(
            "requests alone: limit/s, depth, latency; concurrency max(16, 2 x limit x latency)",
        );
        for ideal in self.pick(&[10.0, 60.0]) {
            for limit in self.pick(&[50.0, 500.0, 5000.0]) {
                for depth in [0.1, 1.0] {
                    for latency in [0.005, 0.2] {
                        let wall = match (ideal == 10.0, latency > 0.1) {
                            (true, false) => 1.15,
                            (true, true) => 1.40,
                            (false, false) => 1.05,
                            (false, true) => 1.10,
                        };
                        let name = format!("{limit}/s {depth} s {} ms, {ideal} s", latency * 1e3);
                        self.row(
                            &name,
                            &one_key_each(limit, depth, latency, ideal),
                            (wall, (0.02, 10.0)),
                        );
                    }
                }
            }
        }
    }

    fn slow(&self) {
        self.section("slow limits: requests alone of one key, and 2,500 keys/s with full batches");
        for limit in [0.05, 0.1, 1.0, 5.0] {
            let ideal = if limit < 1.0 { 1200.0 } else { 60.0 };
            let name = format!("{limit}/s 1 s 5 ms, {ideal} s");
            self.row(&name, &one_key_each(limit, 1.0, 0.005, ideal), (1.05, (0.02, 10.0)));
        }
        for (ideal, wall) in [(10.0, 1.10), (60.0, 1.02)] {
            for depth in [500.0, 2500.0] {
                for latency in [0.005, 0.05, 0.2] {
                    let limits = documented(depth, 1000.0);
                    let batches = vec![500; ((2500.0 * ideal + depth) / 500.0) as usize];
                    let name = format!("5/s, {depth} keys deep {} ms, {ideal} s", latency * 1e3);
                    self.row(&name, &world(limits, latency, 16, batches), (wall, (0.02, 5.0)));
                }
            }
        }
    }

    fn both(&self) {
        self.section("both: 1,000 requests/s and 2,500 keys/s");
        for latency in self.pick(&[0.005, 0.05, 0.2]) {
            for (depth, requests_depth) in [(2500.0, 1000.0), (500.0, 100.0)] {
                let limits = documented(depth, requests_depth);
                let (steady, alternating) = match latency {
                    0.005 => (1.02, 1.10),
                    0.05 => (1.03, 1.10),
                    _ => (1.10, 1.25),
                };
                for (name, concurrency, batches, wall) in [
                    ("600 full batches", 16, vec![500; 600], steady),
                    ("15,000 of 10 keys", 64, vec![10; 15_000], steady),
                    ("60,000 of 1 key", 256, vec![1; 60_000], steady),
                    ("1 to 500 keys", 16, random_sizes(1..501, 150_000), steady),
                    (
                        "25 full, 2,500 of 5, ten times",
                        64,
                        alternating_sizes(25, 2500, 10),
                        alternating,
                    ),
                ] {
                    let name = format!("{depth} keys deep {} ms: {name}", latency * 1e3);
                    self.row(
                        &name,
                        &world(limits, latency, concurrency, batches),
                        (wall, (0.02, 10.0)),
                    );
                }
            }
        }
    }

    fn keys_alone(&self) {
        self.section("keys alone: 1 to 500 keys each");
        for limit in [2_500.0, 25_000.0, 250_000.0] {
            for depth in [0.2, 1.0] {
                for latency in [0.005, 0.2] {
                    let depth: f64 = limit * depth;
                    let limits = Limits { keys: Bucket::new(limit, depth), ..Limits::NONE };
                    let batches = random_sizes(1..501, (limit * 60.0 + depth) as usize);
                    let name = format!("{limit} keys/s {depth} deep {} ms", latency * 1e3);
                    let wall = if latency > 0.1 { 1.10 } else { 1.05 };
                    self.row(
                        &name,
                        &world(limits, latency, concurrency(limit / 250.0, latency), batches),
                        (wall, (0.02, 10.0)),
                    );
                }
            }
        }
    }

    fn mixed_under_requests_alone(&self) {
        self.section("mixed sizes under requests alone");
        for limit in [5.0, 50.0, 500.0] {
            for depth in [0.1, 1.0] {
                for latency in [0.005, 0.2] {
                    let depth: f64 = f64::max(limit * depth, 1.0);
                    let limits = Limits { requests: Bucket::new(limit, depth), ..Limits::NONE };
                    let count = (limit * 60.0 + depth) as usize;
                    let wall = if latency > 0.1 { 1.10 } else { 1.05 };
                    let mut random = random_sizes(1..501, 500 * count);
                    random.truncate(count);
                    let alternating = alternating_sizes(count / 20, count / 20, 10);
                    for (mix, batches) in [("1 to 500", random), ("500, then 5", alternating)] {
                        let name =
                            format!("{limit}/s {depth} deep {} ms: {mix} keys", latency * 1e3);
                        self.row(
                            &name,
                            &world(limits, latency, concurrency(limit, latency), batches),
                            (wall, (0.02, 10.0)),
                        );
                    }
                }
            }
        }
    }

    fn other_limits(&self) {
        self.section("other limits of both kinds");
        for (requests, keys) in [(100.0, 5_000.0), (20.0, 10_000.0), (300.0, 900.0)] {
            for seconds in [0.3, 2.0] {
                for latency in [0.02, 0.1] {
                    let depth = f64::max(keys * seconds, 500.0);
                    let limits = Limits {
                        requests: Bucket::new(requests, requests * seconds),
                        keys: Bucket::new(keys, depth),
                        ..Limits::NONE
                    };
                    let mean = (keys / requests) as usize;
                    for (mix, batches) in [
                        ("full", vec![500; (keys * 60.0 / 500.0) as usize]),
                        (
                            "about the ratio",
                            random_sizes(1..(2 * mean).min(500) + 1, (keys * 50.0) as usize),
                        ),
                        (
                            "1 or 500",
                            alternating_sizes(
                                (keys / 500.0 * 3.0) as usize,
                                (requests * 3.0) as usize,
                                10,
                            ),
                        ),
                    ] {
                        let name = format!(
                            "{requests}/s, {keys} keys/s, {seconds} s {} ms: {mix}",
                            latency * 1e3
                        );
                        self.row(&name, &world(limits, latency, 64, batches), (1.10, (0.02, 10.0)));
                    }
                }
            }
        }
    }

    fn in_flight(&self) {
        self.section("keys in flight: 2,500 at once, 100 ms each; 3,000 full batches");
        for (latency, wall) in [(0.005, 1.08), (0.05, 1.10), (0.2, 1.15)] {
            for concurrency in [16, 64] {
                let limits = Limits {
                    requests: Bucket::new(1000.0, 1000.0),
                    keys_in_flight: 2500.0,
                    service_time: 0.1,
                    ..Limits::NONE
                };
                let name = format!("{} ms, concurrency {concurrency}", latency * 1e3);
                self.row(
                    &name,
                    &world(limits, latency, concurrency, vec![500; 3000]),
                    (wall, (0.02, 10.0)),
                );
            }
        }
        for (latency, keys, service) in
            [(0.01, 5_000.0, 0.05), (0.1, 10_000.0, 0.5), (0.02, 1_000.0, 0.3)]
        {
            let limits = Limits { keys_in_flight: keys, service_time: service, ..Limits::NONE };
            let name = format!("{keys} at once, {service} s, {} ms: 1 to 500 keys", latency * 1e3);
            let batches = random_sizes(1..501, (keys / service * 60.0) as usize);
            self.row(&name, &world(limits, latency, 64, batches), (1.15, (0.02, 10.0)));
        }
    }

    fn shared(&self) {
        self.section("clients that share a limit, 20 ms: wall, and the least share");
        for clients in [2, 4] {
            let wall = if clients == 2 { 1.05 } else { 1.10 };
            for (name, world) in [
                ("500 requests/s", World { clients, ..one_key_each(500.0, 0.1, 0.02, 60.0) }),
                (
                    "5 full batches/s",
                    World {
                        clients,
                        ..world(documented(2500.0, 1000.0), 0.02, 16, vec![500; 300])
                    },
                ),
                (
                    "2,500 keys/s of 1 to 500",
                    World {
                        clients,
                        ..world(documented(2500.0, 1000.0), 0.02, 16, random_sizes(1..501, 150_000))
                    },
                ),
            ] {
                let outcomes =
                    self.row(&format!("{clients} clients, {name}"), &world, (wall, (0.04, 20.0)));
                let share = |outcome: &Outcome| {
                    let half = outcome.batches_in(0.0, outcome.wall() / 2.0);
                    let of = |client| {
                        outcome.accepted[..half]
                            .iter()
                            .filter(|&&(_, whose, _)| whose == client)
                            .count()
                    };
                    (0..clients).map(of).min().unwrap_or_default() as f64 * clients as f64
                        / half as f64
                };
                let least = outcomes.iter().map(share).fold(f64::INFINITY, f64::min);
                println!("{:>60} least share in the first half, of an equal one: {least:.2}", "");
            }
        }
    }

    fn faults(&self) {
        self.section("5 % of responses lost, 10 % server errors, 20 ms");
        for (name, world) in [
            ("50 requests/s", one_key_each(50.0, 1.0, 0.02, 30.0)),
            (
                "1,000 requests/s, 2,500 keys/s: full",
                world(documented(2500.0, 1000.0), 0.02, 16, vec![500; 300]),
            ),
            (
                "1,000 requests/s, 2,500 keys/s: 1 to 500",
                world(documented(2500.0, 1000.0), 0.02, 16, random_sizes(1..501, 150_000)),
            ),
        ] {
            self.row(name, &World { faults: LOST_AND_FAILED, ..world }, (1.15, (0.04, 20.0)));
        }
    }

    /// No goal is set. A run that takes 20 times as long is not waited for.
    fn by_chance(&self) {
        self.section("throttled at random, for another reason than the limit of 50/s, 20 ms");
        for part in [0.02, 0.1, 0.3, 0.5] {
            let world = one_key_each(50.0, 1.0, 0.02, 30.0);
            let faults = Faults { throttled: part, ..Faults::default() };
            let until = 20.0 * world.ideal();
            let name = format!("{} %", 100.0 * part);
            self.row(&name, &World { faults, until, ..world }, (f64::INFINITY, (2.0, 0.0)));
        }
    }

    fn changes(&self) {
        self.section("limit changed at 20 s: seconds until 90 % of the new one is held; goal 10");
        for limit in self.pick(&[5.0, 50.0, 500.0, 5000.0]) {
            for (latency, depth) in [(0.005, 0.1), (0.005, 1.0), (0.2, 0.1), (0.2, 1.0)] {
                for factor in [0.1, 0.5, 2.0, 10.0] {
                    let (change, new) = (20.0, limit * factor);
                    if new > 10_000.0 {
                        continue;
                    }
                    let world = changing(limit, depth, latency, factor);
                    let name = format!("{limit}/s {depth} s {} ms, x {factor}", latency * 1e3);
                    if self.wants(&name) {
                        let outcomes = self.outcomes(&world);
                        print_times(
                            &name,
                            outcomes
                                .iter()
                                .map(|outcome| seconds_to_hold(outcome, change, new))
                                .collect(),
                        );
                    }
                }
            }
        }
    }

    fn writer(&self) {
        self.section("a writer takes half from 30 s to 60 s: seconds until 90 % of what is left is held; goal 10");
        for (name, limits, keys, rate) in [
            ("5 full batches/s", documented(2500.0, 1000.0), 500, 5.0),
            (
                "500 requests/s",
                Limits { requests: Bucket::new(500.0, 50.0), ..Limits::NONE },
                1,
                500.0,
            ),
        ] {
            for latency in [0.005, 0.05, 0.2] {
                let world = World {
                    writer: Some(keys),
                    until: 85.0,
                    ..world(
                        limits,
                        latency,
                        concurrency(rate, latency),
                        vec![keys; (rate * 100.0) as usize],
                    )
                };
                let name = format!("{name} {} ms", latency * 1e3);
                if !self.wants(&name) {
                    continue;
                }
                let outcomes = self.outcomes(&world);
                for (what, from, left) in [("comes", 30.0, rate / 2.0), ("leaves", 60.0, rate)] {
                    let times = outcomes
                        .iter()
                        .map(|outcome| seconds_to_hold(outcome, from, left))
                        .collect();
                    print_times(&format!("{name}, writer {what}"), times);
                }
            }
        }
    }

    fn drawn(&self) {
        self.section(
            "drawn worlds: wall over ideal time, and throttled: of half, nine tenths, all",
        );
        drawn::print(|name| self.wants(name), if self.is_smoke { 1 } else { DRAWN });
    }

    /// All of them, or the first in a smoke run.
    fn pick(&self, values: &[f64]) -> Vec<f64> {
        values[..if self.is_smoke { 1 } else { values.len() }].to_vec()
    }
}
