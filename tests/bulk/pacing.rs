//! The pacer finds unknown limits and keeps to them: exact counts in virtual time, so that every
//! change is visible.

#[path = "../../benches/pacing/service.rs"]
mod service;
#[path = "../../benches/pacing/world.rs"]
mod world;

use service::{Bucket, Limits};
use world::{
    Faults, LOST_AND_FAILED, World, alternating_sizes, changing, documented, one_key_each,
    random_sizes, seconds_to_hold, world,
};

#[test]
fn unknown_limit_is_found_and_kept() {
    for limit in [50.0, 500.0] {
        for (depth, latency) in [(0.1, 0.005), (1.0, 0.005), (0.1, 0.2), (1.0, 0.2)] {
            for seed in 0..3 {
                let outcome = one_key_each(limit, depth, latency, 10.0).run(seed);
                let (wall, most_wall) = (outcome.wall(), if latency > 0.1 { 14.0 } else { 11.5 });
                let case = format!("{limit}/s, depth {depth} s, latency {latency} s, seed {seed}");
                assert!(wall < most_wall, "{case}: {wall} s of virtual time for 10");
                assert!(
                    (outcome.throttled as f64) < 60.0 + 0.05 * limit * 10.0,
                    "{case}: {} throttled",
                    outcome.throttled
                );
            }
        }
    }
}

/// The actual time relative to the ideal time, and the share of throttled batches.
fn measure(world: &World, seed: u64) -> (f64, f64) {
    let outcome = world.run(seed);
    (outcome.wall() / world.ideal(), outcome.throttled as f64 / world.batches.len() as f64)
}

#[test]
fn both_documented_limits_are_found_at_any_batch_size() {
    let limits = documented(2500.0, 1000.0);
    for (case, concurrency, batches, most_throttled) in [
        ("full batches", 16, vec![500; 300], 0.08),
        ("1 to 500 keys", 16, random_sizes(1..501, 75_000), 0.08),
        ("10 keys", 64, vec![10; 7500], 0.03),
        ("1 key: 1,000 requests/s", 256, vec![1; 20_000], 0.04),
        ("25 full, 2,500 of 5, in turns", 64, alternating_sizes(25, 2500, 4), 0.02),
    ] {
        for seed in 0..3 {
            let (wall, throttled) =
                measure(&world(limits, 0.02, concurrency, batches.clone()), seed);
            assert!(
                wall < 1.05 && throttled < most_throttled,
                "{case}, seed {seed}: {wall} of the ideal time, {throttled}"
            );
        }
    }
}

#[test]
fn one_limit_is_remembered_while_the_other_binds() {
    // Full batches at 10/s, limited by keys, then single keys at 100/s, alternating every 3 s.
    let limits = Limits {
        requests: Bucket::new(100.0, 30.0),
        keys: Bucket::new(5000.0, 1500.0),
        ..Limits::NONE
    };
    let (wall, _) = measure(&world(limits, 0.02, 64, alternating_sizes(30, 300, 10)), 1);
    assert!(wall < 1.1, "{wall} of the ideal time");
}

#[test]
fn request_limit_holds_for_mixed_sizes() {
    let limits = Limits { requests: Bucket::new(50.0, 50.0), ..Limits::NONE };
    for (case, batches) in
        [("in turns", alternating_sizes(150, 150, 5)), ("at random", random_sizes(1..501, 375_000))]
    {
        let (wall, _) = measure(&world(limits, 0.005, 16, batches), 1);
        assert!(wall < 1.15, "{case}: {wall} of the ideal time");
    }
}

#[test]
fn limits_are_told_apart_while_sizes_change() {
    let requests = |rate, depth| Limits { requests: Bucket::new(rate, depth), ..Limits::NONE };
    let both = Limits {
        requests: Bucket::new(26.5, 2.9),
        keys: Bucket::new(884.0, 174.0),
        ..Limits::NONE
    };
    let in_turns = |turn: [(usize, usize); 2], times| {
        turn.map(|(size, count)| vec![size; count]).concat().repeat(times)
    };
    let few_a_turn = in_turns([(172, 7), (1, 36)], 12);
    // The worst seeds of 31 while limits were forgotten after a change of sizes.
    for (seeds, limits, latency, batches) in [
        ([0, 10, 11], requests(500.0, 50.0), 0.2, alternating_sizes(1500, 1500, 5)),
        ([0, 6, 20], requests(240.0, 192.0), 0.114, alternating_sizes(264, 264, 14)),
        ([0, 2, 15], documented(500.0, 100.0), 0.005, alternating_sizes(25, 2500, 5)),
        // Each limit may be blamed for throttles of the other one.
        ([1, 17, 20], both, 0.108, few_a_turn),
    ] {
        let concurrency = (1000.0 * latency) as usize + 16;
        for seed in seeds {
            let (wall, _) = measure(&world(limits, latency, concurrency, batches.clone()), seed);
            assert!(wall < 1.4, "{latency} s, seed {seed}: {wall} of the ideal time");
        }
    }
}

#[test]
fn lost_responses_cost_little() {
    let world = World { faults: LOST_AND_FAILED, ..one_key_each(50.0, 1.0, 0.02, 30.0) };
    let (wall, _) = measure(&world, 1);
    assert!(wall < 1.3, "{wall} of the ideal time");
}

#[test]
fn changed_limits_are_found_within_ten_seconds() {
    for factor in [0.5, 2.0] {
        for latency in [0.005, 0.2] {
            let outcome = changing(50.0, 0.1, latency, factor).run(1);
            let after = seconds_to_hold(&outcome, 20.0, 50.0 * factor);
            assert!(after <= 10.0, "x{factor} at {latency} s: {after} s");
        }
    }
}

#[test]
fn clients_sharing_a_limit_lose_no_key() {
    let world = World { clients: 4, ..one_key_each(500.0, 0.1, 0.02, 10.0) };
    let outcome = world.run(1);
    let (wall, throttled) = (outcome.wall(), outcome.throttled);
    assert!(wall < 15.0 && throttled < 500, "{wall} s, {throttled} throttled");
}

#[test]
fn limit_on_concurrency_is_kept_without_throttling() {
    let limits = Limits { keys_in_flight: 2500.0, service_time: 0.1, ..Limits::NONE };
    let (wall, throttled) = measure(&world(limits, 0.005, 16, vec![500; 3000]), 1);
    assert!(wall < 1.15 && throttled < 0.03, "{wall} of the ideal time, {throttled}");
}

#[test]
fn clients_sharing_a_low_limit_get_their_share() {
    let limits = documented(2500.0, 1000.0);
    let mut walls: Vec<f64> = (0..5)
        .map(|seed| {
            let world = World { clients: 2, ..world(limits, 0.02, 16, vec![500; 300]) };
            measure(&world, seed).0
        })
        .collect();
    walls.sort_by(f64::total_cmp);
    assert!(walls[2] < 1.1 && walls[4] < 1.3, "of the ideal time: {walls:?}");
}

#[test]
fn client_that_got_nothing_at_first_recovers() {
    // In each of these runs, one of four clients had next to nothing accepted while the others
    // worked.
    for seed in [16, 17, 18] {
        let world =
            World { clients: 4, ..world(documented(2500.0, 1000.0), 0.02, 16, vec![500; 300]) };
        let (wall, _) = measure(&world, seed);
        assert!(wall < 2.2, "seed {seed}: {wall} of the ideal time");
    }
}

#[test]
fn failed_attempts_count_towards_the_limit() {
    for (case, batches) in
        [("full", vec![500; 300]), ("1 to 500 keys", random_sizes(1..501, 150_000))]
    {
        let world = World {
            faults: LOST_AND_FAILED,
            ..world(documented(2500.0, 1000.0), 0.02, 16, batches)
        };
        let (wall, _) = measure(&world, 1);
        assert!(wall < 1.15, "{case}: {wall} of the ideal time");
    }
}

#[test]
fn throttles_at_any_pace_do_not_stop_a_run() {
    for (part, most) in [(0.1, 3.0), (0.3, 4.0)] {
        let faults = Faults { throttled: part, ..Faults::default() };
        let world = World { faults, ..one_key_each(50.0, 1.0, 0.02, 30.0) };
        let mut walls: Vec<f64> = (0..5).map(|seed| measure(&world, seed).0).collect();
        walls.sort_by(f64::total_cmp);
        assert!(walls[2] < most, "{part} throttled: {walls:?} of the ideal time");
    }
}

#[test]
fn errors_without_a_limit_do_not_slow_a_run() {
    let faults = Faults { lost: 0.05, failed: 0.075, unavailable: 0.025, throttled: 0.0 };
    let world = World { faults, ..one_key_each(50.0, 1.0, 0.012, 9.0) };
    let mut walls: Vec<f64> = (0..15).map(|seed| measure(&world, seed).0).collect();
    walls.sort_by(f64::total_cmp);
    assert!(walls[7] < 1.1 && walls[13] < 1.25, "of the ideal time: {walls:?}");
}
