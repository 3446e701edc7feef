//! Unlisted codes and endless rejections lose few keys, and end.

use std::cell::RefCell;
use std::collections::BTreeSet;

use oss_delete_vectors::bulk::{BulkOptions, Event, Rate, StopReason};
use oss_delete_vectors::{DeleteVectors, code};

use crate::run::{Call, Reply, Respond, Run, SECOND, codeless, deleted, error, key, page, target};

/// Responds with `response` to batches with a key of `bad`.
fn rejecting(
    bad: impl IntoIterator<Item = u64>,
    response: impl Fn() -> Reply,
) -> impl Fn(&Call<'_>) -> Reply {
    let bad: BTreeSet<String> = bad.into_iter().map(key).collect();
    move |call| {
        let read = DeleteVectors::parse_request(&target(), call.request).unwrap();
        if read.keys().iter().any(|key| bad.contains(key.as_str())) {
            response()
        } else {
            deleted()
        }
    }
}

#[test]
fn two_seconds_of_unlisted_codes_lose_no_key() {
    let responses: [(&str, Respond); 6] = [
        ("RequestTimeout", || error(400, code::REQUEST_TIMEOUT)),
        ("Throttling.User", || error(400, "Throttling.User")),
        ("Throttling", || error(400, code::THROTTLING)),
        ("unlisted", || error(400, "Unheard")),
        ("codeless", || codeless(400)),
        ("409", || error(409, "Unheard")),
    ];
    for (name, response) in responses {
        for from in [0, 1] {
            let wrong = from * SECOND / 2..(from + 4) * SECOND / 2;
            let service =
                |call: &Call<'_>| if wrong.contains(&call.at) { response() } else { deleted() };
            let rate =
                Rate::from(oss_delete_vectors::bulk::Adaptive::new().max_requests_per_second(20.0));
            let run = Run::new(BulkOptions::new().rate(rate), service).delete(20_000);
            assert_eq!((run.outcomes(), run.stopped()), ([20_000, 0, 0, 0], None), "{name} {from}");
            assert!(run.requests.len() < 40 + 60, "{name} {from}: {}", run.requests.len());
        }
    }
}

#[test]
fn limit_with_an_unlisted_code_is_found() {
    // Five requests per second, throttled with a code of the gateway, with a 503 of nginx, and with
    // unlisted codes.
    let responses: [(&str, Respond); 8] = [
        ("gateway", || error(400, "Throttling.User")),
        ("nginx", || page(503)),
        ("429", || page(429)),
        ("unlisted", || error(400, "Unheard")),
        ("unlisted 403", || error(403, "Unheard")),
        ("unlisted 409", || error(409, "Unheard")),
        ("unlisted 503", || error(503, "Unheard")),
        ("codeless", || codeless(400)),
    ];
    for ((name, response), concurrency) in
        responses.into_iter().flat_map(|named| [1, 16, 1000].map(|c| (named, c)))
    {
        let tokens = RefCell::new((5.0_f64, 0.0_f64));
        let service = |call: &Call<'_>| {
            let (left, at) = &mut *tokens.borrow_mut();
            let now = call.at.as_secs_f64();
            (*left, *at) = ((*left + 5.0 * (now - *at)).min(5.0), now);
            if *left < 1.0 {
                return response();
            }
            *left -= 1.0;
            deleted()
        };
        let run = Run::new(BulkOptions::new().concurrency(concurrency), service).delete(200_000);
        assert_eq!(
            (run.outcomes(), run.stopped()),
            ([200_000, 0, 0, 0], None),
            "{name} at {concurrency}"
        );
        assert!(
            run.requests.len() < 400 + 120,
            "{name} at {concurrency}: {} requests for 400 batches",
            run.requests.len()
        );
    }
}

#[test]
fn keys_with_an_unlisted_code_are_rejected_after_ten_attempts() {
    // Without its code, a 400 may be `RequestTimeout`, after which the key may be deleted.
    let responses: [(Respond, [u64; 4]); 3] = [
        (|| error(400, "Unheard"), [9_999, 1, 0, 0]),
        (|| codeless(400), [9_999, 0, 1, 0]),
        (|| error(413, "Unheard"), [9_999, 1, 0, 0]),
    ];
    for (response, expected) in responses {
        for bad in [0, 777, 9_999] {
            let run = Run::new(BulkOptions::new(), rejecting([bad], response)).delete(10_000);
            assert_eq!((run.outcomes(), run.stopped()), (expected, None), "{bad}");
            let failed = run.failed().next().unwrap();
            assert_eq!(failed.positions, bad..bad + 1);
            // The batch twice (once if it is too large), seven or eight halves until the key is
            // alone, the key ten times, and some attempts that do not count because nothing else
            // progressed.
            assert!((18..=26).contains(&failed.requests), "{}", failed.requests);
        }
    }
    // A proxy's own limit on the size of a body.
    let service =
        |call: &Call<'_>| if call.keys > 100 && call.number > 0 { page(413) } else { deleted() };
    let run = Run::new(BulkOptions::new(), service).delete(5000);
    assert_eq!((run.outcomes(), run.stopped()), ([5000, 0, 0, 0], None));
}

#[test]
fn endless_rejections_stop_the_run() {
    for concurrency in [1, 4, 16, 64] {
        for rate in [Rate::from(oss_delete_vectors::bulk::Adaptive::new()), Rate::Unlimited] {
            for keys in [5000, 20_000, 1_000_000] {
                let options = BulkOptions::new().concurrency(concurrency).rate(rate);
                let service = |call: &Call<'_>| {
                    if call.number == 0 {
                        deleted()
                    } else {
                        error(400, code::VECTOR_INDEX_PARAMETER_INVALID)
                    }
                };
                let run = Run::new(options, service).delete(keys);
                let context =
                    format!("{concurrency} {rate:?} {keys}: {} requests", run.requests.len());
                assert!(matches!(run.stopped(), Some(StopReason::KeysRejected(_))), "{context}");
                assert!(run.requests.len() < 700, "{context}");
                assert!(run.bulk.report().rejected < 64 * 500 + 3000, "{context}");
            }
        }
    }
}

#[test]
fn long_range_of_bad_keys_is_rejected_key_by_key() {
    for (from, to) in [(1000, 3000), (700, 5300), (500, 10_500)] {
        for concurrency in [4, 16] {
            let service = rejecting(from..to, || error(400, code::VECTOR_INDEX_PARAMETER_INVALID));
            let options = BulkOptions::new().concurrency(concurrency);
            let mut run = Run::new(options, service).keys((0..20_000).map(key));
            while !run.bulk.is_finished() {
                run.until(|run| run.requests.len() % 10_000 == 9_999);
                if !run.bulk.is_finished() {
                    run.step();
                    run.drain();
                }
            }
            let bad = to - from;
            assert_eq!(
                (run.outcomes(), run.stopped()),
                ([20_000 - bad, bad, 0, 0], None),
                "{from}..{to} at {concurrency}"
            );
        }
    }
}

#[test]
fn bad_keys_in_every_batch_do_not_stop_the_run() {
    // Eight in a row make the run suspicious. Then whole batches are rejected because of one bad
    // key each.
    for concurrency in [1, 4, 16, 64] {
        for apart in [10, 100, 500] {
            let bad: BTreeSet<u64> =
                (1000..1032).chain((500..20_000).filter(|key| key % apart == 7)).collect();
            let rejected = bad.len() as u64;
            let service = rejecting(bad, || error(400, code::VECTOR_INDEX_PARAMETER_INVALID));
            let run = Run::new(BulkOptions::new().concurrency(concurrency), service).delete(20_000);
            assert_eq!(
                (run.outcomes(), run.stopped()),
                ([20_000 - rejected, rejected, 0, 0], None),
                "{concurrency} {apart}"
            );
        }
    }
}

#[test]
fn keys_that_always_fail_with_500_end() {
    for cursed in [1, 7, 8, 9, 20] {
        for at_the_end in [false, true] {
            let first = if at_the_end { 40 - cursed } else { 1 };
            let bad = (first..first + cursed).map(|batch| 500 * batch + 7);
            let run =
                Run::new(BulkOptions::new(), rejecting(bad, || error(500, code::INTERNAL_ERROR)))
                    .delete(20_000);
            assert_eq!(
                (run.outcomes(), run.stopped()),
                ([20_000 - 500 * cursed, 0, 500 * cursed, 0], None),
                "{cursed}"
            );
            assert!(run.now < 60 * 60 * SECOND, "{cursed}: {:?}", run.now);
        }
    }
}

#[test]
fn last_keys_are_sent_while_others_fail() {
    // Full batches that always fail, and seven keys that never fill a batch.
    for bad in [1, 3, 8] {
        let service = |call: &Call<'_>| match call.positions.first() / 500 {
            batch if (1..=bad).contains(&batch) => error(500, code::INTERNAL_ERROR),
            _ => deleted(),
        };
        // One request in ten seconds: back-off ends before the next request.
        for (concurrency, rate) in [(1, 0.1), (3, 0.1), (1, 1000.0), (16, 1000.0)] {
            let rate = oss_delete_vectors::bulk::Adaptive::new().max_requests_per_second(rate);
            let options = BulkOptions::new().concurrency(concurrency).rate(rate);
            let run = Run::new(options, service).delete(500 * (bad + 1) + 7);
            let context = format!("{bad} {concurrency} {rate:?}: {}", run.requests.len());
            assert_eq!(
                (run.outcomes(), run.stopped()),
                ([507, 0, 500 * bad, 0], None),
                "{context}"
            );
            assert!(run.requests.len() < 130, "{context}");
        }
    }
}

/// Each response of a rate limit, with each kind of rate.
fn limits() -> impl Iterator<Item = (Respond, Rate)> {
    let responses: [Respond; 3] =
        [|| error(503, code::QPS_LIMIT_EXCEEDED), || page(503), || error(400, "Throttling")];
    let rates = [
        Rate::from(oss_delete_vectors::bulk::Adaptive::new()),
        // Below the limit, so that it is not measured.
        Rate::from(oss_delete_vectors::bulk::Adaptive::new().max_requests_per_second(6.6)),
        Rate::Fixed(5.0),
        Rate::Fixed(500.0),
        Rate::Unlimited,
    ];
    responses.into_iter().flat_map(move |response| rates.map(|rate| (response, rate)))
}

#[test]
fn limit_of_zero_is_an_outage() {
    for (response, rate) in limits() {
        let service = |call: &Call<'_>| if call.number < 10 { deleted() } else { response() };
        let run = Run::new(BulkOptions::new().rate(rate).outage_timeout(300 * SECOND), service)
            .delete(100_000);
        assert!(matches!(run.stopped(), Some(StopReason::Outage(_))), "{:?}", run.stopped());
        let began = run
            .events
            .iter()
            .find(|(_, event)| matches!(event, Event::OutageBegan { .. }))
            .unwrap()
            .0;
        assert!((60 * SECOND..90 * SECOND).contains(&began), "{rate:?}: {began:?}");
        assert!((300 * SECOND..310 * SECOND).contains(&run.now), "{:?}", run.now);
        assert_eq!(run.bulk.checkpoint().report().deleted, 5000);
    }
}

#[test]
fn hours_of_throttling_lose_no_key() {
    let until = 6 * 3600 * SECOND;
    for (response, rate) in limits() {
        let is_wrong = |number, at| number >= 10 && at < until;
        let service = |call: &Call<'_>| {
            if is_wrong(call.number, call.at) { response() } else { deleted() }
        };
        let run = Run::new(BulkOptions::new().rate(rate), service).delete(100_000);
        assert_eq!((run.outcomes(), run.stopped()), ([100_000, 0, 0, 0], None), "{rate:?}");
        assert_eq!(run.outages(), (1, 1), "{rate:?}");
        // The first minute, then one request in ten seconds: 2160.
        let wasted = run.requests.len() - 200;
        assert!(wasted < 600 + 2160 * 5 / 4, "{rate:?}: {wasted}");
        assert!(run.now < until + 60 * SECOND, "{rate:?}: {:?}", run.now);
    }
}
