//! One request, built and signed, and `BulkDelete` with a million keys: CPU time and allocations,
//! compared with a hand-written floor and the peers.
//!
//! `cargo build --release && target/release/requests` takes half a minute. `--test` runs everything
//! once.

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use peers::bulk_cases::{self, BULK, PARTS, bulk};
use peers::measure::{Case, Rounds};
use peers::request_cases::*;
use peers::table::{Goal, goal, goals_head, is_smoke};

const SAMPLE: Duration = Duration::from_millis(40);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["one", keys] => one(keys.parse().unwrap()),
        _ => compare(),
    }
}

/// Prints the time of one request of ours in microseconds, for `official-sdk`.
fn one(keys: usize) {
    let mut cases = building(keys);
    cases.retain(|case| case.name == OURS_FROM_KEYS);
    println!("{}", Rounds::of(&mut cases, 3, SAMPLE).nanos(OURS_FROM_KEYS) / 1000.0);
}

fn compare() {
    let (rounds, sample) = if is_smoke() { (1, Duration::from_micros(100)) } else { (9, SAMPLE) };
    let mut groups = [
        ("500 keys", building(500)),
        ("3 keys", building(3)),
        ("signature alone", signing()),
        ("bulk", bulk()),
    ];
    let [many, few, signature, whole] =
        groups.each_mut().map(|(_, cases)| Rounds::of(cases, rounds, sample));
    let allocations = allocations();

    goals_head();
    goal("build and sign, 500 keys: ours / MD5 of its body", many.ratio(OURS, MD5), Goal::None);
    goal("build and sign, 500 keys: ours / floor", many.ratio(OURS, FLOOR), Goal::AtMost(1.05));
    goal(
        "build and sign, 500 keys: allocations",
        allocations.of("500 keys", OURS),
        Goal::AtMost(7.0),
    );
    goal(
        "500 keys: aws-sdk-s3vectors / ours, both with a copy of the keys",
        many.ratio(AWS_FROM_KEYS, OURS_FROM_KEYS),
        Goal::AtLeast(1.8),
    );
    goal(
        "500 keys: aws-sdk-s3vectors / ours, both without",
        many.ratio(AWS, OURS),
        Goal::AtLeast(1.8),
    );
    goal("build and sign, 3 keys: ours / floor", few.ratio(OURS, FLOOR), Goal::AtMost(1.12));
    goal(
        "3 keys: aws-sdk-s3vectors / ours, both with a copy of the keys",
        few.ratio(AWS_FROM_KEYS, OURS_FROM_KEYS),
        Goal::AtLeast(18.0),
    );
    goal(
        "3 keys: aws-sdk-s3vectors / ours, both without",
        few.ratio(AWS, OURS),
        Goal::AtLeast(18.0),
    );
    goal(
        "signature alone: ours / floor",
        signature.ratio(SIGN_OURS, SIGN_FLOOR),
        Goal::AtMost(1.15),
    );
    for peer in [SIGN_REQSIGN, SIGN_AWS, SIGN_RUSTY_S3] {
        goal(&format!("{peer} / ours"), signature.ratio(peer, SIGN_OURS), Goal::None);
    }
    goal("a retry: ours / floor", signature.ratio(RETRY_OURS, RETRY_FLOOR), Goal::None);
    goal("a retry, in microseconds", signature.nanos(RETRY_OURS) / 1000.0, Goal::AtMost(1.0));
    let keys = bulk_cases::keys() as f64;
    let on_top = (whole.nanos(BULK) - whole.nanos(PARTS)) / 1000.0 / (keys / 500.0);
    goal(
        "BulkDelete on top of building and signing, microseconds a batch of 500",
        on_top,
        Goal::AtMost(8.0),
    );
    goal(
        "BulkDelete, building and signing included: allocations a key",
        allocations.of("bulk", BULK) / keys,
        Goal::AtMost(0.04),
    );
    goal(
        "BulkDelete, building and signing included: million keys a second",
        keys / whole.nanos(BULK) * 1000.0,
        Goal::None,
    );

    println!("\n{:<72} {:>12} {:>12}", "absolute", "CPU", "allocations");
    for ((group, cases), rounds) in groups.iter().zip([&many, &few, &signature, &whole]) {
        for Case { name, .. } in cases {
            let (micros, allocations) = (rounds.nanos(name) / 1000.0, allocations.of(group, name));
            println!("{:<72} {micros:>9.2} us {allocations:>12}", format!("{group}: {name}"));
        }
    }
}

/// The counts of `allocations`, by group and case.
struct Allocations(HashMap<(String, String), f64>);

impl Allocations {
    /// `NaN` if nothing was counted, which misses every goal.
    fn of(&self, group: &str, name: &str) -> f64 {
        self.0.get(&(group.to_owned(), name.to_owned())).copied().unwrap_or(f64::NAN)
    }
}

/// Runs another program, because a counting allocator would slow down the cases that allocate more.
fn allocations() -> Allocations {
    let program = std::env::current_exe().unwrap().with_file_name("allocations");
    let output = match Command::new(&program).args(std::env::args().skip(1)).output() {
        Ok(output) if output.status.success() => output.stdout,
        Ok(output) => {
            panic!("{} failed: {}", program.display(), String::from_utf8_lossy(&output.stderr))
        }
        Err(error) => {
            eprintln!(
                "allocations are not counted: {}: {error}; `cargo build --release` builds all programs",
                program.display()
            );
            Vec::new()
        }
    };
    let counted = String::from_utf8(output).unwrap();
    let rows = counted.lines().map(|line| {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut next = || fields.next().expect("group, case and count");
        ((next(), next()), next().parse().expect("a count"))
    });
    Allocations(rows.collect())
}
