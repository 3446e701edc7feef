//! Days of one run in virtual time, through whatever days bring: tokens that expire, limits that move, outages of hours, clocks
//! that are set, processes that are killed, and every fault of the network all the while. A binary of its own, with one test, for
//! its heap is counted.
//!
//! ```text
//! cargo test --features emulator --test soak_virtual                                       one run of three days
//! SOAK_SECONDS=3600 cargo test --release --features emulator --test soak_virtual           run after run, for an hour of real time
//! ```
//!
//! Every key that is reported deleted is looked for at once, those that are left at the end are looked up one by one.

mod days;
#[path = "../simulation/random.rs"]
mod random;
mod tally;

use std::alloc::System;
use std::env;
use std::io::Write;
use std::time::{Duration, Instant};

use cap::Cap;
use days::Days;
use tally::Tally;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

#[test]
fn days_of_faults_lose_nothing_and_take_no_more_memory() {
    let time = env::var("SOAK_SECONDS").map_or(0, |seconds| seconds.parse().expect("SOAK_SECONDS is a number"));
    let (start, mut tally) = (Instant::now(), Tally::default());
    for seed in 0.. {
        Days::new(seed).live(&mut tally);
        tally.add("runs", 1);
        if start.elapsed() >= Duration::from_secs(time) {
            break;
        }
    }
    // Past the capturing of output: what was covered is part of the result.
    writeln!(std::io::stderr(), "soak in virtual time:{tally}").unwrap();
    tally.assert_complete();
}
