//! How long a response is awaited, once the latency is known: 3 seconds, and half a second if the
//! run waits for nothing else.

use std::time::Duration;

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Rate, Transmit};
use oss_delete_vectors::{Deleted, Key, Now, code};

use crate::run::{SECOND, credentials, service_error, start, target};

fn at(time: Duration) -> Now {
    Now::new(time, start() + time)
}

fn send(bulk: &mut BulkDelete, now: Duration, keys: &[&str]) -> Transmit {
    keys.iter().for_each(|key| bulk.push(Key::new(key).unwrap()).unwrap());
    bulk.flush();
    bulk.poll_transmit(at(now)).unwrap()
}

/// A run after one response, which took 10 ms.
fn begun(options: BulkOptions) -> BulkDelete {
    let options = options.rate(Rate::Unlimited).back_off(1000 * SECOND, 1000 * SECOND);
    let mut bulk = BulkDelete::new(&target(), credentials(), options).unwrap();
    let first = send(&mut bulk, Duration::ZERO, &["first"]);
    let now = at(Duration::from_millis(10));
    bulk.handle_response(now, first.id, &Deleted::new("id").to_response());
    bulk
}

/// Asserts when the only request in flight, which was sent after one second, is given up.
fn assert_given_up(bulk: &mut BulkDelete, after: Duration, case: &str) {
    let millisecond = Duration::from_millis(1);
    for (time, in_flight) in [(after - millisecond, 1), (after, 0)] {
        bulk.handle_timeout(at(SECOND + time));
        assert_eq!(bulk.in_flight(), in_flight, "{case}: {time:?}");
    }
}

#[test]
fn last_response_is_given_up_early() {
    let (usual, early) = (3 * SECOND, SECOND / 2);
    let one = || BulkOptions::new().concurrency(1);

    let mut bulk = begun(one());
    send(&mut bulk, SECOND, &["a"]);
    assert_given_up(&mut bulk, usual, "more keys may follow");

    let mut bulk = begun(one());
    send(&mut bulk, SECOND, &["a"]);
    bulk.finish();
    assert_given_up(&mut bulk, early, "the run waits for nothing else");

    let mut bulk = begun(one());
    send(&mut bulk, SECOND, &["a"]);
    bulk.push(Key::new("b").unwrap()).unwrap();
    bulk.finish();
    assert_given_up(&mut bulk, usual, "the open batch waits");

    let mut bulk = begun(one());
    send(&mut bulk, SECOND, &["a"]);
    (0..500).for_each(|key| bulk.push(Key::new(&key.to_string()).unwrap()).unwrap());
    bulk.finish();
    assert_given_up(&mut bulk, usual, "a full batch waits");

    let mut bulk = begun(BulkOptions::new().concurrency(2));
    let failed = send(&mut bulk, SECOND, &["a"]);
    send(&mut bulk, SECOND, &["b"]);
    bulk.finish();
    let failure = service_error(500, code::INTERNAL_ERROR).to_response();
    bulk.handle_response(at(SECOND + Duration::from_millis(10)), failed.id, &failure);
    assert_given_up(&mut bulk, usual, "a batch waits for its back-off");

    let mut bulk = begun(one().max_attempts(1));
    send(&mut bulk, SECOND, &["a"]);
    bulk.finish();
    assert_given_up(&mut bulk, usual, "there is no other attempt");

    let mut bulk = begun(one().max_attempts(2));
    send(&mut bulk, SECOND, &["a"]);
    bulk.finish();
    assert_given_up(&mut bulk, early, "there is another attempt");
}

#[test]
fn parked_batch_is_waited_for() {
    let options = BulkOptions::new().concurrency(2).rate(Rate::Unlimited);
    let mut bulk = BulkDelete::new(&target(), credentials(), options).unwrap();
    let rejected = service_error(400, code::VECTOR_INDEX_PARAMETER_INVALID).to_response();
    let now = Duration::from_millis(10);
    let two = send(&mut bulk, Duration::ZERO, &["a", "b"]);
    let parked = send(&mut bulk, Duration::ZERO, &["c"]);
    bulk.finish();
    bulk.handle_response(at(now), two.id, &rejected);
    bulk.handle_response(at(now), parked.id, &rejected);
    let first = bulk.poll_transmit(at(now)).unwrap();
    bulk.handle_response(at(2 * now), first.id, &rejected);
    let second = bulk.poll_transmit(at(SECOND)).unwrap();
    assert_eq!([first.keys, second.keys], [1, 1]);
    assert_given_up(&mut bulk, 3 * SECOND, "a rejected batch waits");
}
