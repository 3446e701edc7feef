//! The times of requests: at once if possible, and not before the service allows it.

use std::ops::Range;
use std::time::Duration;

use http::HeaderValue;
use oss_delete_vectors::bulk::{Adaptive, BulkDelete, BulkOptions, Rate};
use oss_delete_vectors::{Deleted, Key, Now, code};

use crate::run::{
    Call, LATENCY, Reply, Run, SECOND, credentials, deleted, error, key, service_error, start,
    target,
};

#[test]
fn one_key_is_sent_at_once() {
    for rate in [
        Rate::default(),
        Adaptive::new().max_requests_per_second(0.01).into(),
        Rate::Fixed(0.01),
        Rate::Unlimited,
    ] {
        let run = Run::new(BulkOptions::new().rate(rate), |_| deleted()).delete(1);
        assert_eq!(
            (run.requests.as_slice(), run.outcomes()),
            ([(Duration::ZERO, 1)].as_slice(), [1, 0, 0, 0])
        );
        assert_eq!(run.now, LATENCY);
    }
}

#[test]
fn no_keys_send_no_request() {
    let run = Run::new(BulkOptions::new(), |_| deleted()).delete(0);
    assert_eq!((run.requests.len(), run.events.len(), run.now), (0, 0, Duration::ZERO));
}

#[test]
fn flush_sends_a_partial_batch() {
    let mut bulk = BulkDelete::new(&target(), credentials(), BulkOptions::new()).unwrap();
    let now = Now::new(SECOND, start());
    for number in 0..3 {
        bulk.push(Key::new(&key(number)).unwrap()).unwrap();
    }
    assert!(bulk.poll_transmit(now).is_none(), "an open batch must wait");
    bulk.flush();
    let transmit = bulk.poll_transmit(now).unwrap();
    assert_eq!(transmit.keys, 3);
    assert_eq!(transmit.positions, 0..3);
    bulk.flush();
    assert!(bulk.poll_transmit(now).is_none(), "nothing was pushed in the meantime");
}

/// Pushes the keys `numbers` and flushes. Returns the number of keys in the next request, if any.
fn push_and_flush(bulk: &mut BulkDelete, now: Now, numbers: Range<u64>) -> Option<usize> {
    for number in numbers {
        bulk.push(Key::new(&key(number)).unwrap()).unwrap();
    }
    bulk.flush();
    bulk.poll_transmit(now).map(|transmit| transmit.keys)
}

#[test]
fn keys_join_a_batch_that_waits_for_a_slot() {
    let options = BulkOptions::new().concurrency(1);
    let mut bulk = BulkDelete::new(&target(), credentials(), options).unwrap();
    let now = Now::new(SECOND, start());
    bulk.push(Key::new(&key(0)).unwrap()).unwrap();
    bulk.flush();
    let first = bulk.poll_transmit(now).unwrap();
    assert_eq!(push_and_flush(&mut bulk, now, 1..3), None);
    assert_eq!(push_and_flush(&mut bulk, now, 3..9), None);
    // Pushed but not flushed: the batch is still open.
    bulk.push(Key::new(&key(9)).unwrap()).unwrap();
    bulk.handle_response(now, first.id, &Deleted::new("id").to_response());
    let second = bulk.poll_transmit(now).unwrap();
    assert_eq!((first.keys, second.keys, second.positions.len()), (1, 9, 9));
}

#[test]
fn keys_join_a_batch_that_waits_for_the_rate() {
    for rate in [Rate::Fixed(1.0), Adaptive::new().max_keys_per_second(10.0).into()] {
        let mut bulk =
            BulkDelete::new(&target(), credentials(), BulkOptions::new().rate(rate)).unwrap();
        let at = |time| Now::new(time, start());
        assert_eq!(push_and_flush(&mut bulk, at(Duration::ZERO), 0..1), Some(1));
        assert_eq!(push_and_flush(&mut bulk, at(Duration::ZERO), 1..8), None);
        assert_eq!(push_and_flush(&mut bulk, at(Duration::ZERO), 8..11), None);
        assert_eq!(bulk.poll_timeout(), Some(SECOND), "{rate:?}");
        assert_eq!(push_and_flush(&mut bulk, at(SECOND), 11..11), Some(10));
    }
}

#[test]
fn fixed_rate_is_exact() {
    let run = Run::new(BulkOptions::new().rate(Rate::Fixed(8.0)), |_| deleted()).delete(20 * 500);
    let times: Vec<Duration> = run.requests.iter().map(|&(at, _)| at).collect();
    assert_eq!(times, (0..20).map(|slot| slot * Duration::from_millis(125)).collect::<Vec<_>>());
}

#[test]
fn end_of_time_does_not_overflow() {
    let end = Now::new(Duration::MAX, start());
    for rate in [
        Rate::Fixed(0.001),
        Adaptive::new().max_requests_per_second(0.001).max_keys_per_second(0.001).into(),
    ] {
        let mut bulk =
            BulkDelete::new(&target(), credentials(), BulkOptions::new().rate(rate)).unwrap();
        bulk.push(Key::new("a").unwrap()).unwrap();
        bulk.finish();
        for reply in [
            service_error(503, code::QPS_LIMIT_EXCEEDED).to_response(),
            Deleted::new("id").to_response(),
        ] {
            let transmit = bulk.poll_transmit(end).expect("a transmit at the end of time");
            bulk.handle_response(end, transmit.id, &reply);
        }
        assert_eq!((bulk.report().deleted, bulk.is_finished()), (1, true));
    }
}

#[test]
fn maximum_request_rate_is_never_exceeded() {
    let rate = Adaptive::new().max_requests_per_second(50.0);
    let run =
        Run::new(BulkOptions::new().concurrency(64).rate(rate), |_| deleted()).delete(300 * 500);
    for window in run.requests.windows(51) {
        assert!(
            window[50].0 - window[0].0 >= SECOND - Duration::from_millis(20),
            "{:?}",
            window[0].0
        );
    }
    assert!(run.now < 7 * SECOND);
}

#[test]
fn maximum_key_rate_is_never_exceeded() {
    let rate = Adaptive::new().max_keys_per_second(5000.0);
    let run = Run::new(BulkOptions::new().rate(rate), |_| deleted()).delete(50 * 500);
    for window in run.requests.windows(11) {
        assert!(
            window[10].0 - window[0].0 >= SECOND - Duration::from_millis(20),
            "{:?}",
            window[0].0
        );
    }
    assert!(run.now < 6 * SECOND);
}

#[test]
fn lost_responses_time_out_early() {
    // Throttled once, so that the window is one request. Then one response in four is lost.
    let run = Run::new(BulkOptions::new(), |call| match call.number {
        1 => error(503, code::QPS_LIMIT_EXCEEDED),
        number if number % 4 == 3 => Reply::Silence,
        _ => deleted(),
    })
    .delete(40 * 500);
    assert_eq!(run.outcomes(), [20_000, 0, 0, 0]);
    assert!(run.now < 25 * SECOND, "{:?}", run.now);
}

#[test]
fn unlimited_rate_is_bounded_by_concurrency() {
    let run = Run::new(BulkOptions::new().concurrency(10).rate(Rate::Unlimited), |_| deleted())
        .delete(100 * 500);
    assert_eq!(run.now, 10 * LATENCY);
}

/// The first response asks to wait `seconds`. Returns the time of the second request.
fn second_request_after(seconds: u64) -> Duration {
    let reply = service_error(503, code::SLOW_DOWN).with_retry_after(Duration::from_secs(seconds));
    let run = Run::new(BulkOptions::new().concurrency(1), |call| match call.number {
        0 => Reply::Response(reply.to_response()),
        _ => deleted(),
    })
    .delete(500);
    run.requests[1].0
}

#[test]
fn retry_after_is_followed_up_to_five_minutes() {
    for seconds in [7, 30, 300] {
        assert_eq!(second_request_after(seconds), LATENCY + Duration::from_secs(seconds));
    }
    for seconds in [301, 86_400, u64::MAX] {
        assert_eq!(second_request_after(seconds), LATENCY + 300 * SECOND);
    }
}

#[test]
fn retry_after_applies_to_any_response() {
    for status in [503, 500, 429] {
        let mut response = service_error(status, "X").to_response();
        // The date of the response is 16:20:57.
        response
            .headers_mut()
            .insert("retry-after", HeaderValue::from_static("Sat, 16 Dec 2023 16:21:37 GMT"));
        let run = Run::new(BulkOptions::new().concurrency(1), |call| match call.number {
            0 => Reply::Response(response.clone()),
            _ => deleted(),
        })
        .delete(500);
        assert_eq!(run.requests[1].0, LATENCY + 40 * SECOND, "{status}");
    }
}

#[test]
fn qos_delay_does_not_delay_requests() {
    let held_back = Deleted::new("id").with_qos_delay(60 * SECOND).to_response();
    let run = Run::new(BulkOptions::new().concurrency(1), |_| Reply::Response(held_back.clone()))
        .delete(10 * 500);
    assert_eq!((run.requests.len(), run.now), (10, 10 * LATENCY));
}

/// How many requests of a run are in flight at most, if the second one is throttled and the others
/// get `reply`.
fn most_in_flight(reply: fn() -> Reply) -> usize {
    let run = Run::new(BulkOptions::new(), |call| match call.number {
        1 => error(503, code::QPS_LIMIT_EXCEEDED),
        _ => reply(),
    })
    .delete(200 * 500);
    assert_eq!(run.outcomes(), [100_000, 0, 0, 0]);
    let in_flight_at =
        |time| run.requests.iter().filter(|&&(at, _)| at <= time && time < at + LATENCY).count();
    run.requests[2..].iter().map(|&(at, _)| in_flight_at(at)).max().unwrap()
}

#[test]
fn qos_delay_keeps_requests_in_flight_few() {
    let held_back = || {
        Reply::Response(Deleted::new("id").with_qos_delay(Duration::from_millis(1)).to_response())
    };
    assert!(2 * most_in_flight(held_back) < most_in_flight(deleted));
}

/// A throttled response leaves room for one request at a time.
#[test]
fn lost_request_leaves_the_window_after_half_a_second() {
    let run = Run::new(BulkOptions::new(), |call| match call.number {
        1 => error(503, code::QPS_LIMIT_EXCEEDED),
        2 => Reply::Silence,
        _ => deleted(),
    })
    .delete(100 * 500);
    assert_eq!(run.outcomes(), [50_000, 0, 0, 0]);
    assert_eq!(run.requests[3].0 - run.requests[2].0, SECOND / 2);
}

#[test]
fn another_failure_resets_the_back_off_of_throttling() {
    for seed in 0..20 {
        let options = BulkOptions::new().concurrency(1).rate(Rate::Fixed(1000.0));
        let options = options.back_off(SECOND, 1000 * SECOND).seed(seed);
        let run = Run::new(options, |call| match call.number {
            1..=4 | 6 => error(503, code::QPS_LIMIT_EXCEEDED),
            5 => error(500, code::INTERNAL_ERROR),
            _ => deleted(),
        })
        .delete(2 * 500);
        assert_eq!((run.requests.len(), run.outcomes()), (8, [1000, 0, 0, 0]));
        let waits: Vec<Duration> =
            run.requests.windows(2).map(|pair| pair[1].0 - pair[0].0 - LATENCY).collect();
        for (wait, most) in waits[1..].iter().zip([1, 2, 4, 8, 1, 1]) {
            assert!(*wait <= most * SECOND, "{waits:?}");
        }
    }
}

/// The waits between the requests of a run, after its first one, over some seeds. `code` and its
/// status are the response to requests with two keys, until `accepted`.
fn longest_waits(status: u16, code: &str, accepted: usize) -> Vec<Duration> {
    let mut longest = vec![Duration::ZERO; accepted - 1];
    for seed in 0..20 {
        let options = BulkOptions::new().concurrency(1).rate(Rate::Unlimited).seed(seed);
        let mut run = Run::new(options.back_off(SECOND, 1000 * SECOND), |call| match call.number {
            1.. if call.keys == 2 && call.number < accepted => error(status, code),
            _ => deleted(),
        });
        run = run.keys((0..502).map(key)).delete_all();
        assert_eq!(run.outcomes(), [502, 0, 0, 0]);
        let waits = run.requests[1..].windows(2).map(|pair| pair[1].0 - pair[0].0 - LATENCY);
        longest.iter_mut().zip(waits).for_each(|(longest, wait)| *longest = wait.max(*longest));
    }
    longest
}

#[test]
fn back_off_doubles_with_each_failure_and_split() {
    let failures = longest_waits(500, code::INTERNAL_ERROR, 5);
    let split = longest_waits(400, "Unlisted", 9);
    for (wait, most) in failures.iter().zip([1, 2, 4, 8]).chain(split.iter().zip([1, 2])) {
        assert!(*wait > most * SECOND / 2 && *wait <= most * SECOND, "{failures:?} {split:?}");
    }
}

#[test]
fn back_off_stays_within_its_cap() {
    let options = BulkOptions::new().concurrency(1).back_off(SECOND, 4 * SECOND).max_attempts(6);
    let run = Run::new(options, |_| error(500, code::INTERNAL_ERROR)).delete(500);
    let waits: Vec<Duration> =
        run.requests.windows(2).map(|pair| pair[1].0 - pair[0].0 - LATENCY).collect();
    assert_eq!(waits.len(), 5);
    for (wait, most) in waits.iter().zip([1, 2, 4, 4, 4]) {
        assert!(*wait <= most * SECOND, "{waits:?}");
    }
}

#[test]
fn rate_recovers_after_throttling_ends() {
    for minutes in [1, 10, 60] {
        // A limit of 5 requests per second before and after, and only throttling in between.
        let (from, until) = (60 * SECOND, 60 * SECOND + minutes * 60 * SECOND);
        let (mut tokens, mut filled_at) = (5.0_f64, Duration::ZERO);
        let service = |call: &Call<'_>| {
            tokens = (tokens + (call.at - filled_at).as_secs_f64() * 5.0).min(5.0);
            filled_at = call.at;
            if (from..until).contains(&call.at) || tokens < 1.0 {
                return error(503, code::QPS_LIMIT_EXCEEDED);
            }
            tokens -= 1.0;
            deleted()
        };
        let run = Run::new(BulkOptions::new(), service).delete(300_000);
        assert_eq!(run.outcomes(), [300_000, 0, 0, 0]);
        // 300 of the 600 batches are left, which take a minute.
        assert!(run.now < until + 90 * SECOND, "{minutes} min: {:?} after", run.now - until);
        let during: Vec<Duration> = run
            .requests
            .iter()
            .map(|&(at, _)| at)
            .filter(|at| (from..until).contains(at))
            .collect();
        assert!(
            during.windows(2).all(|pair| pair[1] - pair[0] <= 21 * SECOND),
            "it must send a request at least every twenty seconds"
        );
    }
}
