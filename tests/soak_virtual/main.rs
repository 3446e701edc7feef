//! A run of several days in virtual time: credentials that expire, rate limits that change, outages
//! of hours, clocks that are set, processes that are killed, and all network faults. A separate
//! binary with one test, because its heap is measured.
//!
//! ```text
//! cargo test --features emulator --test soak_virtual
//! ```
//!
//! This makes one run of three days. `SOAK_SECONDS=3600` repeats runs for an hour of real time (add
//! `--release`). Each run has its own seed; the first one is 0 or `SOAK_SEED`.
//!
//! Each key that is reported deleted is looked up at once, and those that are left at the end are
//! looked up one by one.

#[path = "../common/mod.rs"]
mod common;

mod days;
mod tally;

use std::alloc::System;
use std::env;
use std::io::Write;
use std::time::{Duration, Instant};

use cap::Cap;
use common::{calls, canary, random};
use days::Days;
use tally::Tally;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

#[test]
fn days_of_faults_lose_no_key_and_no_memory() {
    let number = |name: &str| {
        env::var(name)
            .map_or(0, |number| number.parse().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let (time, first) = (number("SOAK_SECONDS"), number("SOAK_SEED"));
    let (start, mut tally) = (Instant::now(), Tally::default());
    for seed in first.. {
        let _report = ReportOnPanic { seed };
        Days::new(seed).run(&mut tally);
        tally.add("runs", 1);
        if start.elapsed() >= Duration::from_secs(time) {
            break;
        }
    }
    // Written to stderr directly, which is not captured, because the coverage is part of the
    // result.
    writeln!(std::io::stderr(), "soak in virtual time:{tally}").unwrap();
    tally.assert_complete();
}

/// Prints the seed if its run panics.
struct ReportOnPanic {
    seed: u64,
}

impl Drop for ReportOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("soak in virtual time: SOAK_SEED={} failed", self.seed);
        }
    }
}
