//! A run survives an outage: one probe at a time, with growing pauses, and no attempt is counted.

use std::cell::Cell;
use std::time::Duration;

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event, Rate, StopReason};
use oss_delete_vectors::{Deleted, Key, Now, code};

use crate::run::{
    Call, Reply, Respond, Run, SECOND, credentials, deleted, error, key, lost, not_sent, page,
    service_error, start, target,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Down from request `from` on, until `until`.
fn down(from: usize, until: Duration, reply: impl Fn() -> Reply) -> impl Fn(&Call<'_>) -> Reply {
    move |call| if call.number >= from && call.at < until { reply() } else { deleted() }
}

#[test]
fn two_hour_outage_loses_no_key() {
    for reply in [
        not_sent,
        lost,
        || page(502),
        || page(403),
        || error(503, "ServiceUnavailable"),
        || error(500, code::INTERNAL_ERROR),
    ] {
        let run = Run::new(BulkOptions::new(), down(20, 2 * HOUR, reply)).delete(100_000);
        assert_eq!((run.outcomes(), run.stopped()), ([100_000, 0, 0, 0], None));
        assert_eq!(run.outages(), (1, 1));
        // At most 20 s apart and 10 s on average: 720 probes, within a fifth.
        let probes = run.requests.len() - 200;
        assert!((576..864).contains(&probes), "{probes} probes");
        let after = run.requests.iter().map(|&(at, _)| at).find(|&at| at >= 2 * HOUR).unwrap();
        assert!(after < 2 * HOUR + 20 * SECOND, "noticed only at {after:?}");
    }
}

#[test]
fn silent_outage_costs_one_probe_per_deadline() {
    let run = Run::new(BulkOptions::new(), down(20, 2 * HOUR, || Reply::Silence)).delete(100_000);
    assert_eq!((run.outcomes(), run.stopped()), ([100_000, 0, 0, 0], None));
    let probes = run.requests.len() - 200;
    assert!((60..130).contains(&probes), "75 s and up to 20 s more each: {probes} probes");
}

#[test]
fn probes_go_one_at_a_time() {
    let mut run = Run::new(BulkOptions::new().rate(Rate::Unlimited), down(100, 2 * HOUR, lost))
        .keys((0..).map(crate::run::key));
    run.until(|run| run.outages().0 == 1);
    // Requests that were in flight at the start of the outage end first.
    run.until(|run| run.bulk.in_flight() == 0);
    let before = run.requests.len();
    while run.now < HOUR {
        run.step();
        assert!(run.bulk.in_flight() <= 1);
    }
    assert!(run.requests.len() > before + 100);
}

#[test]
fn outage_limit_stops_the_run() {
    let options = BulkOptions::new().outage_timeout(600 * SECOND);
    let run = Run::new(options, down(20, 2 * HOUR, not_sent)).delete(100_000);
    assert!(
        matches!(run.stopped(), Some(StopReason::Outage(error)) if error.to_string() == "the request was not sent: connection refused")
    );
    let first_failure =
        run.events.iter().find(|(_, event)| matches!(event, Event::Retrying { .. })).unwrap().0;
    assert_eq!(
        run.events.iter().find(|(_, event)| matches!(event, Event::Stopped(_))).unwrap().0,
        first_failure + 600 * SECOND
    );
    let pushed = run.bulk.report().pushed;
    assert_eq!(run.outcomes(), [10_000, 0, 0, pushed - 10_000]);
}

#[test]
fn one_failing_batch_is_not_an_outage() {
    let run = Run::new(BulkOptions::new(), |_| error(500, code::INTERNAL_ERROR)).delete(500);
    assert_eq!((run.requests.len(), run.outcomes()), (10, [0, 0, 500, 0]));
    assert_eq!(run.outages(), (0, 0));
}

#[test]
fn attempts_during_an_outage_are_not_counted() {
    // With two attempts, a failure after the outage would be the last attempt of a batch that lost
    // one in the outage.
    let (lost_first, lost_again) = (Cell::new(None), Cell::new(false));
    let run = Run::new(BulkOptions::new().max_attempts(2), |call| {
        let first = call.positions.first();
        if call.number >= 20 && call.at < 600 * SECOND {
            lost_first.set(lost_first.get().or(Some(first)));
            lost()
        } else if lost_first.get() == Some(first) && !lost_again.replace(true) {
            lost()
        } else {
            deleted()
        }
    });
    let run = run.delete(100_000);
    assert!(lost_again.get());
    assert_eq!((run.outcomes(), run.stopped(), run.outages()), ([100_000, 0, 0, 0], None, (1, 1)));
}

#[test]
fn rejected_keys_end_an_outage() {
    let is_split = Cell::new(false);
    let run = Run::new(BulkOptions::new(), |call| {
        if call.number >= 20 && call.at < 600 * SECOND {
            lost()
        } else if call.number >= 20 && !is_split.replace(true) {
            error(400, code::VECTOR_INDEX_PARAMETER_INVALID)
        } else {
            deleted()
        }
    })
    .delete(20_000);
    assert_eq!((run.outcomes(), run.outages()), ([20_000, 0, 0, 0], (1, 1)));
    let end = run.events.iter().position(|(_, event)| matches!(event, Event::OutageEnded { .. }));
    let end = end.unwrap();
    assert!(matches!(run.events[end + 1].1, Event::Split { keys: 500, .. }));
}

#[test]
fn batches_delayed_to_the_same_moment_are_all_kept() {
    let options = BulkOptions::new().rate(Rate::Unlimited).concurrency(3);
    let mut bulk = BulkDelete::new(&target(), credentials(), options).unwrap();
    (0..1500).for_each(|number| bulk.push(Key::new(&key(number)).unwrap()).unwrap());
    bulk.finish();
    let at = |time| Now::new(time, start());
    let sent: Vec<_> = std::iter::from_fn(|| bulk.poll_transmit(at(Duration::ZERO))).collect();
    assert_eq!(sent.len(), 3);
    // Both delays end at the end of the clock.
    let late = at(Duration::MAX - Duration::from_nanos(1));
    bulk.handle_response(late, sent[0].id, &Deleted::new("id").to_response());
    let throttled = service_error(503, code::SLOW_DOWN).to_response();
    sent[1..].iter().for_each(|sent| bulk.handle_response(late, sent.id, &throttled));
    assert_eq!(bulk.poll_timeout(), Some(Duration::MAX));
    bulk.stop();
    let report = bulk.report();
    assert_eq!((report.deleted, report.unconfirmed, report.pending()), (500, 1000, 0));
}

/// Failures that are not from OSS.
const NOT_FROM_OSS: [Respond; 6] =
    [not_sent, lost, || page(401), || page(502), || page(500), || Reply::Silence];

#[test]
fn two_hour_outage_loses_none_of_the_last_keys() {
    for left in [1, 2, 7, 8, 9] {
        for concurrency in [1, 16] {
            for reply in NOT_FROM_OSS {
                let options = BulkOptions::new().concurrency(concurrency);
                let run = Run::new(options, down(3, 2 * HOUR, reply)).delete(1500 + 500 * left);
                let context = format!("{left} at {concurrency}");
                assert_eq!(
                    (run.outcomes(), run.stopped()),
                    ([1500 + 500 * left, 0, 0, 0], None),
                    "{context}"
                );
                assert_eq!(run.outages(), (1, 1), "{context}");
                assert!(run.requests.len() < 1000, "{context}: {}", run.requests.len());
                assert!(run.now < 2 * HOUR + 110 * SECOND, "{context}: {:?}", run.now);
                let options =
                    BulkOptions::new().concurrency(concurrency).outage_timeout(600 * SECOND);
                let run = Run::new(options, down(3, 2 * HOUR, reply)).delete(1500 + 500 * left);
                assert!(
                    matches!(run.stopped(), Some(StopReason::Outage(_))),
                    "{context}: {:?}",
                    run.stopped()
                );
                assert!(run.now < 700 * SECOND, "{context}: {:?}", run.now);
            }
        }
    }
}

#[test]
fn one_deletion_per_minute_is_not_an_outage() {
    for reply in NOT_FROM_OSS {
        for pause in [60 * SECOND, HOUR] {
            let next = Cell::new(Duration::ZERO);
            let service = |call: &Call<'_>| {
                if call.at < next.get() {
                    return reply();
                }
                next.set(call.at + pause);
                deleted()
            };
            let run = Run::new(BulkOptions::new(), service).delete(10_000);
            assert_eq!((run.outcomes(), run.stopped()), ([10_000, 0, 0, 0], None), "{pause:?}");
        }
    }
}

#[test]
fn failing_batch_ends_while_others_succeed() {
    for cursed in [1, 3, 7] {
        for reply in [not_sent, lost, || page(405), || page(502)] {
            let is_cursed =
                |call: &Call<'_>| (1000..1000 + 500 * cursed).contains(&call.positions.first());
            let service = |call: &Call<'_>| if is_cursed(call) { reply() } else { deleted() };
            let options = BulkOptions::new().rate(Rate::from(
                oss_delete_vectors::bulk::Adaptive::new().max_requests_per_second(5.0),
            ));
            let run = Run::new(options, service).delete(100_000);
            let [deleted, rejected, unconfirmed, not_attempted] = run.outcomes();
            assert_eq!(
                (deleted, rejected, unconfirmed + not_attempted),
                (100_000 - 500 * cursed, 0, 500 * cursed)
            );
            assert_eq!((run.outages(), run.stopped()), ((0, 0), None), "{cursed}");
        }
    }
}

#[test]
fn few_failing_batches_are_not_an_outage() {
    // The third and the fourth of twenty batches. They are the last ones left.
    let is_cursed = |call: &Call<'_>| (1000..2000).contains(&call.positions.first());
    let service = |call: &Call<'_>| {
        if is_cursed(call) { error(500, code::INTERNAL_ERROR) } else { deleted() }
    };
    let run = Run::new(BulkOptions::new(), service).delete(10_000);
    // Ten attempts each, and attempts without other progress, which do not count.
    assert_eq!(run.outcomes(), [9000, 0, 1000, 0]);
    assert!((18 + 20..18 + 24).contains(&run.requests.len()), "{}", run.requests.len());
    assert_eq!(run.outages(), (0, 0));
}

#[test]
fn failing_batch_does_not_prolong_an_outage() {
    for seed in 0..50 {
        let options = BulkOptions::new().seed(seed);
        let service = |call: &Call<'_>| {
            if call.positions.contains(5000) || (SECOND..4 * SECOND).contains(&call.at) {
                error(500, code::INTERNAL_ERROR)
            } else {
                deleted()
            }
        };
        let run = Run::new(options.rate(Rate::Fixed(20.0)), service).delete(50_000);
        assert_eq!((run.outcomes(), run.stopped()), ([49_500, 0, 500, 0], None), "seed {seed}");
    }
}

#[test]
fn transient_rejections_use_up_attempts() {
    // Ten batches, the last ones left. Responses are from OSS, so the attempts count.
    let service =
        |call: &Call<'_>| if call.number == 0 { deleted() } else { error(409, "Unknown") };
    let run = Run::new(BulkOptions::new(), service).delete(5500);
    assert_eq!((run.outcomes(), run.stopped()), ([500, 5000, 0, 0], None));
    assert!(run.requests.len() <= 1 + 120, "{}", run.requests.len());
}

#[test]
fn requests_in_flight_at_outage_start_are_not_probes() {
    let options = BulkOptions::new().concurrency(64).rate(Rate::Unlimited);
    let service = |call: &Call<'_>| if (1..64).contains(&call.number) { lost() } else { deleted() };
    let run = Run::new(options, service).delete(50_000);
    assert_eq!(run.outcomes(), [50_000, 0, 0, 0]);
    let probe = run.requests[64].0;
    assert!(probe <= SECOND / 4, "the first back-off is at most 0.2 s: {probe:?}");
}

#[test]
fn outage_is_reported_after_a_minute_without_success() {
    let wait = |delay| {
        Reply::Response(service_error(503, code::SLOW_DOWN).with_retry_after(delay).to_response())
    };
    // The response, the number of batches left, and the time until the first of them fails.
    let cases: [(&str, &dyn Fn() -> Reply, u64, Duration); 5] = [
        ("hold", &|| wait(HOUR), 20, Duration::ZERO),
        ("hold, two batches", &|| wait(Duration::MAX), 2, Duration::ZERO),
        ("silence, two batches", &|| Reply::Silence, 2, 75 * SECOND),
        ("page", &|| page(503), 2, Duration::ZERO),
        ("one of OSS", &|| error(500, code::INTERNAL_ERROR), 200, Duration::ZERO),
    ];
    for (name, reply, left, fails_after) in cases {
        let service = |call: &Call<'_>| if call.number > 0 { reply() } else { deleted() };
        let options = BulkOptions::new().concurrency(1).outage_timeout(4 * HOUR);
        let mut run = Run::new(options, service).keys((0..500 * (left + 1)).map(key));
        run.until(|run| run.outages().0 == 1);
        assert!(run.now <= fails_after + 61 * SECOND, "{name}: {:?}", run.now);
    }
    // Also before the first deletion, if the service asks to wait.
    let mut run = Run::new(BulkOptions::new(), |_| wait(300 * SECOND)).keys((0..5000).map(key));
    run.until(|run| run.outages().0 == 1);
    assert!(run.now <= 61 * SECOND, "{:?}", run.now);
}

#[test]
fn failing_batches_do_not_starve_the_last_partial_one() {
    // The full batches always fail. The last one is partial, still open, and must be sent: until
    // then the cause is unknown, and no attempt counts.
    let run = Run::new(BulkOptions::new().concurrency(1), |call| match call.keys {
        500 if call.number > 0 => error(500, code::INTERNAL_ERROR),
        _ => deleted(),
    })
    .delete(10 * 500 + 3);
    assert_eq!((run.outcomes()[0], run.bulk.report().pending()), (503, 0));
    assert_eq!(run.stopped(), None);
}

/// Whether the batch is the reason shows only once the response of the other one comes.
#[test]
fn attempts_do_not_count_while_another_batch_may_succeed() {
    let (back_off, failures) = (Duration::from_millis(10), Cell::new(0));
    let run = Run::new(
        BulkOptions::new().concurrency(2).rate(Rate::Unlimited).back_off(back_off, back_off),
        |call| match call.positions.first() {
            500 if failures.get() < 15 => {
                failures.set(failures.get() + 1);
                error(500, code::INTERNAL_ERROR)
            }
            1000 if failures.get() < 15 => Reply::Silence,
            _ => deleted(),
        },
    )
    .delete(1500);
    assert_eq!((run.requests.len(), run.outcomes()), (3 + 15 + 1, [1500, 0, 0, 0]));
}
