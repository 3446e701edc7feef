//! The outcome of a key depends on all its attempts, not only on the last response.

use std::cell::RefCell;
use std::time::Duration;

use oss_delete_vectors::bulk::{BulkOptions, StopReason};
use oss_delete_vectors::code;

use crate::run::{Call, Reply, Run, SECOND, deleted, error, lost, not_sent};

fn one() -> BulkOptions {
    BulkOptions::new().concurrency(1)
}

#[test]
fn may_have_deleted_is_kept_from_earlier_attempts() {
    for first in [
        || error(500, code::INTERNAL_ERROR),
        lost,
        || error(503, code::QPS_LIMIT_EXCEEDED),
        || error(408, "X"),
    ] {
        let run = Run::new(one(), |call| {
            if call.number == 0 { first() } else { error(403, code::ACCESS_DENIED) }
        })
        .delete(3);
        assert_eq!((run.requests.len(), run.outcomes()), (2, [0, 0, 3, 0]));
        let failed = run.failed().next().unwrap();
        assert_eq!(
            (failed.requests, failed.error.as_ref().unwrap().status().unwrap().as_u16()),
            (2, 403)
        );
    }
}

#[test]
fn rejected_and_unsent_requests_are_not_unconfirmed() {
    for first in [|| error(400, code::INVALID_DIGEST), not_sent] {
        let run = Run::new(one(), |call| {
            if call.number == 0 { first() } else { error(403, code::ACCESS_DENIED) }
        })
        .delete(3);
        assert_eq!((run.requests.len(), run.outcomes()), (2, [0, 3, 0, 0]));
    }
    let run = Run::new(one(), |_| not_sent()).delete(3);
    assert_eq!((run.requests.len(), run.outcomes()), (3, [0, 0, 0, 3]));
}

#[test]
fn keys_are_unconfirmed_after_ten_attempts() {
    // Another batch succeeds before the next failure, so that it is not an outage.
    let run = Run::new(one(), |call| {
        if call.positions.first() == 0 { error(500, code::INTERNAL_ERROR) } else { deleted() }
    })
    .delete(40 * 500);
    assert_eq!(run.outcomes(), [39 * 500, 0, 500, 0]);
    assert_eq!((run.requests.len(), run.failed().next().unwrap().requests), (49, 10));
    assert_eq!(run.stopped(), None);
}

#[test]
fn keys_deleted_after_failures_count_as_deleted() {
    let run = Run::new(one(), |call| if call.number < 5 { lost() } else { deleted() }).delete(500);
    assert_eq!(
        (run.requests.len(), run.outcomes(), run.bulk.report().retries),
        (6, [500, 0, 0, 0], 5)
    );
}

#[test]
fn missing_response_ends_at_the_deadline() {
    let options = one().response_timeout(10 * SECOND).max_attempts(3);
    let run = Run::new(options, |_| Reply::Silence).delete(500);
    assert_eq!((run.requests.len(), run.outcomes()), (3, [0, 0, 500, 0]));
    let message = run.failed().next().unwrap().error.as_ref().unwrap().message().into_owned();
    assert_eq!(message, "no response, but the request may have arrived: timed out after 10s");
    let between: Vec<Duration> =
        run.requests.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(between.iter().all(|&time| time >= 10 * SECOND && time < 11 * SECOND), "{between:?}");
    assert_eq!(run.now, run.requests[2].0 + 10 * SECOND);
}

#[test]
fn response_after_the_deadline_is_ignored() {
    let options = one().response_timeout(SECOND).max_attempts(1);
    let mut run = Run::new(options, |_| Reply::Silence).keys((0..3).map(crate::run::key));
    let id = run.bulk_transmit();
    run.now = 2 * SECOND;
    run.bulk.handle_timeout(run.client_now());
    let report = run.bulk.report();
    assert_eq!((report.unconfirmed, report.deleted), (3, 0));
    run.bulk.handle_response(
        run.client_now(),
        id,
        &oss_delete_vectors::Deleted::new("late").to_response(),
    );
    assert_eq!(run.bulk.report(), report);
}

#[test]
fn response_to_an_earlier_attempt_is_ignored() {
    let mut run = Run::new(one().response_timeout(SECOND), |_| Reply::Silence)
        .keys((0..3).map(crate::run::key));
    let first = run.bulk_transmit();
    run.now = 2 * SECOND;
    run.bulk.handle_timeout(run.client_now());
    run.take_events();
    run.now = 3 * SECOND;
    let second = run.bulk.poll_transmit(run.client_now()).unwrap().id;
    let refused = crate::run::service_error(403, code::ACCESS_DENIED).to_response();
    run.bulk.handle_response(run.client_now(), first, &refused);
    assert_eq!((run.bulk.in_flight(), run.stopped()), (1, None));
    run.bulk.handle_response(
        run.client_now(),
        second,
        &oss_delete_vectors::Deleted::new("id").to_response(),
    );
    assert_eq!(run.bulk.report().deleted, 3);
}

#[test]
fn longest_deadlines_do_not_overflow() {
    // The largest durations mean "never", and must not overflow.
    let options = one()
        .response_timeout(Duration::MAX)
        .outage_timeout(Duration::MAX)
        .credentials_timeout(Duration::MAX);
    let options = options.back_off(SECOND, Duration::MAX);
    let run = Run::new(options, |call| match call.number {
        1..9 => error(500, code::INTERNAL_ERROR),
        9 => error(403, code::SECURITY_TOKEN_EXPIRED),
        _ => deleted(),
    })
    .provider(|_| Some((SECOND, crate::run::credentials())))
    .delete(1000);
    assert_eq!((run.outcomes(), run.stopped()), ([1000, 0, 0, 0], None));
}

#[test]
fn throttled_attempts_are_not_counted() {
    let service = |call: &Call<'_>| {
        if (1..31).contains(&call.number) {
            error(503, code::QPS_LIMIT_EXCEEDED)
        } else {
            deleted()
        }
    };
    let run = Run::new(one().max_attempts(1), service).delete(1000);
    assert_eq!(
        (run.requests.len(), run.outcomes(), run.bulk.report().throttled),
        (32, [1000, 0, 0, 0], 30)
    );
}

#[test]
fn batch_with_the_fatal_response_gets_the_usual_outcome() {
    let run = Run::new(one(), |_| error(403, code::USER_DISABLE)).delete(3);
    assert_eq!(run.outcomes(), [0, 3, 0, 0]);
    assert!(matches!(run.stopped(), Some(StopReason::Rejected(_))));
}

#[test]
fn batch_throttled_four_times_is_sent_last() {
    let sent = RefCell::new(Vec::new());
    let run = Run::new(BulkOptions::new().concurrency(1), |call| {
        let batch = call.positions.first() / 500;
        sent.borrow_mut().push(batch);
        let is_throttled = batch == 1 && sent.borrow().len() < 12;
        if is_throttled { error(503, code::SLOW_DOWN) } else { deleted() }
    })
    .delete(2500);
    assert_eq!((run.outcomes(), run.stopped()), ([2500, 0, 0, 0], None));
    assert_eq!(*sent.borrow(), [0, 1, 1, 1, 1, 2, 3, 4, 1, 1, 1, 1]);
}
