//! Pacing under a limit that nobody told the client: simulated in virtual time, deterministic, no sleep.
//!
//! `cargo bench --bench pacing` prints the goals' rows: wall over ideal, and refusals beside what they may be. Medians of five
//! seeds; the worst in brackets.

mod world;

use world::{Outcome, World};

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
    let goal = match (ideal, latency > 0.1) {
        // Too short to be a goal: a smoke run.
        (..10.0, _) => f64::NAN,
        (..60.0, false) => 1.15,
        (..60.0, true) => 1.40,
        (_, false) => 1.05,
        (_, true) => 1.10,
    };
    let name = format!("{limit:>7} {depth:>5}s {:>6}ms {ideal:>5}s", latency * 1e3);
    let batches = limit * ideal + (limit * depth).max(1.0);
    report(&name, &outcomes, ideal, goal, if goal.is_nan() { goal } else { 0.02 * batches + 10.0 });
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
