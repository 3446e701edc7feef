//! A `BulkDelete` and the emulator over a faulty network, in virtual time: thousands of runs, each
//! determined by its seed.
//!
//! ```text
//! cargo test --features emulator --test simulation
//! ```
//!
//! This runs 10,000 seeds. `SIMULATION_SEEDS=1000000` runs a million (add `--release`), and
//! `SIMULATION_SEEDS=5000..6000` a range. `SIMULATION_SEED=123` with `-- --nocapture` runs one seed
//! and prints its steps.
//!
//! After every step the report is compared with a model (`model`). After every run both are
//! compared with the emulator, for every occurrence of a key.

#[path = "../common/mod.rs"]
mod common;

mod callers;
mod keys;
mod meaning;
mod model;
mod provider;
mod scenario;
mod stops;
mod tally;
mod trace;
mod world;

use std::env;
use std::io::Write;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use common::{calls, canary, random};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Rate, TransmitId};
use oss_delete_vectors::{Credentials, Key, Now};
use scenario::Scenario;
use tally::Tally;
use trace::Trace;
use world::World;

#[test]
fn the_report_is_correct_under_all_faults() {
    let one = env::var("SIMULATION_SEED")
        .ok()
        .map(|seed| seed.parse::<u64>().expect("SIMULATION_SEED is a number"));
    let seeds = env::var("SIMULATION_SEEDS").map_or(0..10_000, |seeds| range(&seeds));
    let tally = match one {
        Some(seed) => run(seed, &foreign_ids(), Trace::Printed).0,
        None => run_all(seeds.clone()),
    };
    print(&format!("simulation:{tally}"));
    if one.is_none() && seeds.end - seeds.start >= 10_000 {
        tally.assert_complete();
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let foreign_ids = foreign_ids();
    let trace = |seed| run(seed, &foreign_ids, Trace::hashed()).1.expect("a hashed trace");
    let traces: Vec<u64> = (0..200).map(trace).collect();
    assert_eq!((0..200).map(trace).collect::<Vec<_>>(), traces);
    let mut different = traces;
    different.sort_unstable();
    different.dedup();
    assert!(different.len() > 190, "seeds must lead to different runs");
}

fn run_all(seeds: Range<u64>) -> Tally {
    let foreign_ids = foreign_ids();
    let (next, has_failed) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let total = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let mut tally = Tally::default();
                while !has_failed.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let _report = ReportOnPanic { seed, has_failed: &has_failed };
                    tally.merge(run(seed, &foreign_ids, Trace::Off).0);
                }
                total.lock().unwrap().merge(tally);
            });
        }
    });
    total.into_inner().unwrap()
}

fn run(seed: u64, foreign_ids: &[TransmitId], trace: Trace) -> (Tally, Option<u64>) {
    let scenario = Scenario::new(seed);
    let mut world = World::new(seed, &scenario, foreign_ids, trace);
    world.run();
    (world.tally, world.trace.hash())
}

/// `1000` is the first thousand; `1000..2000` is a range.
fn range(seeds: &str) -> Range<u64> {
    let number = |text: &str| {
        text.parse::<u64>().expect("SIMULATION_SEEDS is a number, or two joined by ..")
    };
    seeds
        .split_once("..")
        .map_or_else(|| 0..number(seeds), |(start, end)| number(start)..number(end))
}

/// Ids from another run. This run hands out some of them later and others never.
fn foreign_ids() -> Vec<TransmitId> {
    let options = BulkOptions::new().concurrency(2000).rate(Rate::Unlimited);
    let mut bulk = BulkDelete::new(
        &calls::target(),
        Credentials::new("key", canary::SECRET).unwrap(),
        options,
    )
    .unwrap();
    let now = Now::new(Duration::ZERO, UNIX_EPOCH);
    let transmit = |number: usize| {
        bulk.push(Key::new(&format!("{number}")).unwrap()).unwrap();
        bulk.flush();
        bulk.poll_transmit(now).unwrap().id
    };
    (0..2000).map(transmit).collect()
}

/// Prints the seed if its run panics.
struct ReportOnPanic<'a> {
    seed: u64,
    has_failed: &'a AtomicBool,
}

impl Drop for ReportOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.has_failed.store(true, Ordering::Relaxed);
            let seed = self.seed;
            let replay =
                "cargo test --features emulator --test simulation the_report -- --nocapture";
            print(&format!(
                "simulation: seed {seed} failed; to replay it:\n  SIMULATION_SEED={seed} {replay}"
            ));
        }
    }
}

/// Prints to stderr, which is not captured, because the coverage is part of the result.
fn print(text: &str) {
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{text}").unwrap();
}
