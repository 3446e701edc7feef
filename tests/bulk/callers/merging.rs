use oss_delete_vectors::Deleted;

use super::*;

#[test]
fn a_call_on_an_idle_client_is_sent_at_once() {
    let mut world = World::new(BulkOptions::new());
    let call = world.begin(["doc-1"]);
    assert_eq!(world.requests, [1]);
    world.run();
    assert_eq!(world.result(call), Ok(()));
    assert_eq!(world.at, world.latency);
    assert!(!world.is_there("doc-1") && world.is_there("doc-2"));
}

#[test]
fn waiting_calls_share_a_request() {
    let mut world = World::new(BulkOptions::new().concurrency(1));
    let calls: Vec<CallId> =
        (0..101).map(|number| world.begin(keys(2 * number..2 * number + 2))).collect();
    world.run();
    assert_eq!(world.requests.iter().sum::<usize>(), 202);
    assert!(world.requests.len() <= 3, "{:?}", world.requests);
    assert!(calls.iter().all(|&call| world.result(call) == Ok(())));
}

#[test]
fn a_result_comes_with_the_last_key_of_its_call() {
    let mut world = World::new(BulkOptions::new().concurrency(1));
    let huge = world.begin(keys(0..1200));
    let small = world.begin(keys(5000..5003));
    let last = world.begin(keys(6000..6400));
    world.run();
    // The rest of the huge call is sent together with the small one.
    assert_eq!(world.requests, [500, 500, 500, 103]);
    let at = |call| world.finished.iter().find(|(_, of, _)| *of == call).unwrap().0;
    let latencies = [huge, small, last].map(|call| at(call).as_millis() / 20);
    assert_eq!(latencies, [3, 3, 4]);
}

#[test]
fn a_huge_call_does_not_starve_small_ones() {
    let mut world = World::new(BulkOptions::new().concurrency(1));
    world.begin(keys(0..15_000));
    for number in 0..20 {
        world.run_until(millis(100 * number));
        let call = world.begin([key(15_000 + number as usize)]);
        let begun = world.at;
        while !world.finished.iter().any(|(_, of, _)| *of == call) {
            assert!(world.step(Duration::MAX));
        }
        assert_eq!(world.result(call), Ok(()));
        let waited = world.at - begun;
        assert!(waited <= 4 * world.latency, "call {number} waited {waited:?}");
    }
}

#[test]
fn two_huge_calls_take_turns() {
    let mut world = World::new(BulkOptions::new().concurrency(1));
    let calls = [world.begin(keys(0..5000)), world.begin(keys(5000..10_000))];
    world.run();
    let ends = calls.map(|call| world.finished.iter().find(|(_, of, _)| *of == call).unwrap().0);
    // The first call sent two batches before the second one began.
    assert_eq!(ends, [17 * world.latency, 20 * world.latency]);
    assert_eq!(world.requests, [500; 20]);
}

#[test]
fn calls_wait_for_room() {
    let mut world = World::new(BulkOptions::new().concurrency(1));
    world.calls = world.calls.most_waiting_keys(1000);
    world.latency = seconds(1);
    // Each of them reserves room for 500 keys.
    let calls: Vec<CallId> = (0..6).map(|n| world.begin(keys(600 * n..600 * n + 600))).collect();
    // A call that is dropped while it waits for room never begins. This one is the next.
    world.calls.abandon(calls[2]);
    let metrics = world.metrics();
    assert_eq!((metrics.waiting_calls, metrics.waiting_keys), (5, 3000));
    world.run();
    assert!([0, 1, 3, 4, 5].iter().all(|&number| world.result(calls[number]) == Ok(())));
    assert!(!world.finished.iter().any(|(_, of, _)| *of == calls[2]));
    let left: Vec<usize> = (0..3600).filter(|&number| world.is_there(&key(number))).collect();
    assert!(left.into_iter().eq(1200..1800));
}

#[test]
fn waiting_events_hold_requests_back() {
    let World { mut calls, .. } = World::new(BulkOptions::new());
    let now = now(Duration::ZERO);
    for number in 0..65 {
        calls.begin(now, Call::new([key(number)]).unwrap());
        assert_eq!(calls.wants_transmit(now), number < 64);
        if let Some(transmit) = calls.poll_transmit(now) {
            calls.handle_response(now, transmit.id, &Deleted::new("some id").to_response());
        }
    }
    assert!(calls.poll_event().is_some() && calls.poll_transmit(now).is_some());
}

#[test]
fn an_empty_call_succeeds_at_once() {
    let mut world = World::new(BulkOptions::new());
    let call = world.begin([""; 0]);
    assert_eq!((world.result(call), world.requests.len()), (Ok(()), 0));
}
