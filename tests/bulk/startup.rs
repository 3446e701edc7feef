//! Before the first deletion, every kind of failure soon stops the run with the reason.

use std::time::Duration;

use oss_delete_vectors::bulk::{BulkOptions, Event, Rate, StopReason};
use oss_delete_vectors::code;

use crate::run::{
    Call, LATENCY, Reply, Respond, Run, SECOND, codeless, deleted, error, lost, not_sent, page,
    service_error,
};

/// Responses that stop the run at once, because they are not from OSS.
#[test]
fn response_not_from_oss_stops_the_run_at_once() {
    for status in [
        200, 204, 301, 302, 400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 411, 412, 413, 418,
        421, 431, 451,
    ] {
        let run = Run::new(BulkOptions::new().concurrency(1), |_| page(status)).delete(5000);
        let Some(StopReason::Rejected(error)) = run.stopped() else {
            panic!("{status}: {:?}", run.stopped())
        };
        let advice = error.advice(&crate::run::target()).unwrap();
        assert!(advice.starts_with("check the endpoint"), "{status}: {advice}");
        assert_eq!(
            (run.requests.len(), run.outcomes()),
            (1, [0, 0, 500, run.bulk.report().pushed - 500]),
            "{status}"
        );
    }
}

#[test]
fn run_without_success_stops_after_ten_attempts() {
    let kinds: [(&str, Respond); 11] = [
        ("reset", lost),
        ("502", || page(502)),
        ("500 page", || page(500)),
        ("408 page", || page(408)),
        ("500", || error(500, code::INTERNAL_ERROR)),
        ("503", || error(503, "ServiceUnavailable")),
        ("408", || error(408, "X")),
        ("bad request", || error(400, code::BAD_REQUEST)),
        ("409", || error(409, "X")),
        ("unlisted", || error(400, "Unheard")),
        ("codeless", || codeless(403)),
    ];
    for (name, kind) in kinds {
        for rate in [Rate::from(oss_delete_vectors::bulk::Adaptive::new()), Rate::Fixed(50.0)] {
            let run = Run::new(BulkOptions::new().rate(rate), |_| kind()).delete(5000);
            assert!(
                matches!(run.stopped(), Some(StopReason::NoSuccess(_))),
                "{name}: {:?}",
                run.stopped()
            );
            assert!(
                run.requests.len() <= 10 && run.now <= 60 * SECOND,
                "{name}: {} {:?}",
                run.requests.len(),
                run.now
            );
            assert_eq!(run.outages(), (0, 0), "{name}");
            assert_eq!(run.bulk.settled().len(), 0, "{name}: no key may be settled");
        }
    }
}

#[test]
fn failing_connection_is_tried_three_times() {
    let run = Run::new(BulkOptions::new(), |_| not_sent()).delete(5000);
    assert!(matches!(run.stopped(), Some(StopReason::Unreachable(_))));
    assert_eq!(run.requests.len(), 3);
}

#[test]
fn initial_minute_of_throttling_stops_the_run() {
    let kinds: [(&str, Respond); 5] = [
        ("qps", || error(503, code::QPS_LIMIT_EXCEEDED)),
        ("429 page", || page(429)),
        ("503 page", || page(503)),
        ("503 codeless", || codeless(503)),
        ("gateway", || error(400, "Throttling.Api")),
    ];
    for (name, kind) in kinds {
        for rate in [
            Rate::from(oss_delete_vectors::bulk::Adaptive::new()),
            Rate::Fixed(5.0),
            Rate::Unlimited,
        ] {
            let run =
                Run::new(BulkOptions::new().concurrency(4).rate(rate), |_| kind()).delete(5000);
            assert!(
                matches!(run.stopped(), Some(StopReason::NoSuccess(_))),
                "{name}: {:?}",
                run.stopped()
            );
            assert!(
                (59 * SECOND..=61 * SECOND).contains(&run.now),
                "{name} {rate:?}: {:?}",
                run.now
            );
            assert_eq!(run.bulk.settled().len(), 0, "{name}: no key may be settled");
        }
    }
    // A limit that accepts some requests is not a failure.
    let run = Run::new(BulkOptions::new(), |call| {
        if call.number == 8 { deleted() } else { error(503, code::SLOW_DOWN) }
    });
    let mut run = run.keys((0..5000).map(crate::run::key));
    run.until(|run| run.bulk.report().deleted > 0);
    assert_eq!(run.stopped(), None);
}

#[test]
fn retry_after_extends_the_initial_minute() {
    let wait = service_error(503, code::SLOW_DOWN).with_retry_after(50 * SECOND);
    let service = |call: &Call<'_>| {
        if call.number < 5 { Reply::Response(wait.to_response()) } else { deleted() }
    };
    let run = Run::new(BulkOptions::new().concurrency(1), service).delete(500);
    assert_eq!((run.outcomes(), run.requests.len()), ([500, 0, 0, 0], 6));
    assert!(run.now >= 250 * SECOND);
    // An endless Retry-After counts as an hour.
    let run = Run::new(BulkOptions::new().concurrency(1), |_| Reply::Response(wait.to_response()))
        .delete(500);
    assert!(matches!(run.stopped(), Some(StopReason::NoSuccess(_))), "{:?}", run.stopped());
    assert!(run.now <= Duration::from_secs(3600 + 60 + 50), "{:?}", run.now);
}

#[test]
fn hanging_request_can_extend_the_initial_minute() {
    let run = Run::new(BulkOptions::new(), |_| Reply::Silence).delete(5000);
    assert!(matches!(run.stopped(), Some(StopReason::NoSuccess(_))));
    assert_eq!((run.requests.len(), run.now), (2, 75 * SECOND));
    // After two attempts, the minute waits for the third one.
    let service = |call: &Call<'_>| if call.number < 2 { lost() } else { Reply::Silence };
    let run = Run::new(BulkOptions::new().concurrency(1), service).delete(5000);
    assert!(matches!(run.stopped(), Some(StopReason::NoSuccess(_))));
    assert_eq!((run.requests.len(), run.now), (3, run.requests[2].0 + 75 * SECOND));
    let (stopped_at, _) =
        run.events.iter().find(|(_, event)| matches!(event, Event::Stopped(_))).unwrap();
    assert_eq!(*stopped_at, run.now);
    // The second of two requests may be the first success.
    let service = |call: &Call<'_>| if call.number == 0 { lost() } else { deleted() };
    let run = Run::new(BulkOptions::new(), service).delete(5000);
    assert_eq!((run.outcomes(), run.stopped()), ([5000, 0, 0, 0], None));
}

#[test]
fn brief_failure_at_the_start_is_survived() {
    for seed in 0..20 {
        for rate in [Rate::from(oss_delete_vectors::bulk::Adaptive::new()), Rate::Unlimited] {
            let service = |call: &Call<'_>| if call.at < SECOND { page(502) } else { deleted() };
            let run = Run::new(BulkOptions::new().rate(rate).seed(seed), service).delete(20_000);
            assert_eq!(
                (run.outcomes(), run.stopped()),
                ([20_000, 0, 0, 0], None),
                "seed {seed} {rate:?}"
            );
        }
    }
}

#[test]
fn outage_after_the_first_deletion_is_survived() {
    let service = |call: &Call<'_>| match call.at.as_secs() {
        _ if call.number == 0 => deleted(),
        0..86_400 => page(502),
        _ => deleted(),
    };
    let run = Run::new(BulkOptions::new(), service).delete(20_000);
    assert_eq!((run.outcomes(), run.stopped()), ([20_000, 0, 0, 0], None));
    assert_eq!(run.outages(), (1, 1));
    assert!(
        run.now > Duration::from_secs(86_400)
            && run.now < Duration::from_secs(86_400 + 60) + LATENCY
    );
    let Some((_, Event::OutageBegan { error, .. })) =
        run.events.iter().find(|(_, event)| matches!(event, Event::OutageBegan { .. }))
    else {
        panic!("no outage")
    };
    assert_eq!(error.status().unwrap(), 502);
}

#[test]
fn lost_requests_do_not_make_a_service_unreachable() {
    let run = Run::new(BulkOptions::new().concurrency(1), |call| match call.number {
        0 | 1 => lost(),
        2 => not_sent(),
        _ => deleted(),
    })
    .delete(500);
    assert_eq!((run.outcomes(), run.stopped()), ([500, 0, 0, 0], None));
}
