//! The pacer finds a limit that nobody told it and stays there: exact counts in virtual time, so that a change shows.

#[path = "../../benches/pacing/world.rs"]
mod world;

use world::World;

#[test]
fn an_unknown_limit_is_found_and_held() {
    for limit in [50.0, 500.0] {
        for (depth, latency) in [(0.1, 0.005), (1.0, 0.005), (0.1, 0.2), (1.0, 0.2)] {
            for seed in 0..3 {
                let outcome = World::steady(limit, depth, latency, 10.0, 1, seed).run();
                let (most_wall, most_refused) = (if latency > 0.1 { 14.0 } else { 11.5 }, 60.0 + 0.04 * limit * 10.0);
                let case = format!("{limit}/s, depth {depth} s, latency {latency} s, seed {seed}");
                assert!(outcome.wall < most_wall, "{case}: {} s of virtual time for 10", outcome.wall);
                assert!(outcome.refused < most_refused, "{case}: {} refused", outcome.refused);
            }
        }
    }
}

#[test]
fn a_limit_that_changes_is_found_again_within_ten_seconds() {
    for factor in [0.5, 2.0] {
        for latency in [0.005, 0.2] {
            let after = World::changing(50.0, 0.1, latency, factor, 1);
            assert!(after <= 10.0, "x{factor} at {latency} s: {after} s");
        }
    }
}

#[test]
fn clients_that_share_a_limit_lose_nothing_and_waste_little() {
    let outcome = World::steady(500.0, 0.1, 0.02, 10.0, 4, 1).run();
    assert!(outcome.wall < 15.0 && outcome.refused < 500.0, "{} s, {} refused", outcome.wall, outcome.refused);
}
