//! Random callers of one `Calls`, with every fault. Each call gets exactly one result, which agrees
//! with what the emulator deleted.
//!
//! ```text
//! cargo test --features emulator --test simulation callers
//! ```
//!
//! This runs 300 seeds. `CALLERS_SEEDS=4000` makes 10 million calls (add `--release`), and
//! `CALLERS_SEED=123` runs one seed.

mod crowd;
mod truth;

use std::env;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use self::crowd::Crowd;
use crate::print;

/// What was covered.
#[derive(Debug, Default)]
struct Covered {
    calls: u64,
    keys: u64,
    requests: u64,
    succeeded: u64,
    not_deleted: u64,
    stopped: u64,
    timed_out: u64,
    closed: u64,
    abandoned: u64,
    stops: u64,
}

impl Covered {
    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.keys += other.keys;
        self.requests += other.requests;
        self.succeeded += other.succeeded;
        self.not_deleted += other.not_deleted;
        self.stopped += other.stopped;
        self.timed_out += other.timed_out;
        self.closed += other.closed;
        self.abandoned += other.abandoned;
        self.stops += other.stops;
    }
}

#[test]
fn each_caller_gets_one_correct_result() {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("CALLERS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CALLERS_SEEDS").unwrap_or(300),
    };
    let covered = run_all(seeds.clone());
    print(&format!("callers: {covered:?}"));
    if seeds.end - seeds.start >= 300 {
        let Covered { succeeded, not_deleted, stopped, timed_out, closed, abandoned, .. } = covered;
        for count in [succeeded, not_deleted, stopped, timed_out, closed, abandoned] {
            assert!(count > 500, "a kind of result is too rare: {covered:?}");
        }
    }
}

#[test]
fn callers_of_one_seed_get_the_same_results() {
    for seed in 0..20 {
        let run = || {
            let mut crowd = Crowd::new(seed);
            crowd.run();
            crowd.results()
        };
        assert_eq!(run(), run(), "seed {seed}");
    }
}

fn run_all(seeds: Range<u64>) -> Covered {
    let (next, has_failed) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let total = Mutex::new(Covered::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while !has_failed.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let _report = ReportOnPanic { seed, has_failed: &has_failed };
                    let mut crowd = Crowd::new(seed);
                    crowd.run();
                    total.lock().unwrap().merge(&crowd.covered);
                }
            });
        }
    });
    total.into_inner().unwrap()
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
            print(&format!("callers: CALLERS_SEED={} failed", self.seed));
        }
    }
}
