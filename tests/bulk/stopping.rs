//! A run that cannot succeed stops: it sends no more requests, and every key has an outcome.

use std::cell::Cell;
use std::time::Duration;

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event, KeyOutcome, Rate, StopReason};
use oss_delete_vectors::{Key, Now, code};

use crate::run::{
    Reply, Run, SECOND, credentials, deleted, error, key, lost, not_sent, service_error, start,
    target,
};

const MILLION: u64 = 1_000_000;

#[test]
fn missing_index_stops_after_two_requests() {
    let run =
        Run::new(BulkOptions::new(), |_| error(404, code::NO_SUCH_VECTOR_INDEX)).delete(MILLION);
    let pushed = run.bulk.report().pushed;
    assert_eq!(run.requests.len(), 2);
    assert!(pushed <= 50 * 500, "no more keys may be taken than there is room for: {pushed}");
    assert_eq!(run.outcomes(), [0, 1000, 0, pushed - 1000]);
    let Some(StopReason::Rejected(error)) = run.stopped() else { panic!("{:?}", run.stopped()) };
    assert_eq!(error.code(), Some(code::NO_SUCH_VECTOR_INDEX));
    assert!(
        run.events.iter().all(|(_, event)| matches!(event, Event::Stopped(_) | Event::Failed(_)))
    );
}

#[test]
fn wrong_index_name_stops_after_splitting_one_batch() {
    let run = Run::new(BulkOptions::new(), |_| error(400, code::VECTOR_INDEX_PARAMETER_INVALID))
        .delete(MILLION);
    // First two batches. Then 250, 125, 63, 32, 16, 8, 4, 2 and eight single keys, with the splits
    // on the way.
    let sizes: Vec<usize> = run.requests.iter().map(|&(_, keys)| keys).collect();
    assert_eq!(
        sizes,
        [500, 500, 250, 125, 63, 32, 16, 8, 4, 2, 1, 1, 2, 1, 1, 4, 2, 1, 1, 2, 1, 1]
    );
    assert!(matches!(run.stopped(), Some(StopReason::KeysRejected(_))));
    let pushed = run.bulk.report().pushed;
    // Both sent batches, and no unsent one.
    assert_eq!(run.outcomes(), [0, 1000, 0, pushed - 1000]);
}

#[test]
fn unreachable_service_is_tried_three_times() {
    let run = Run::new(BulkOptions::new().concurrency(1), |_| not_sent()).delete(MILLION);
    assert_eq!(run.requests.len(), 3);
    assert!(matches!(run.stopped(), Some(StopReason::Unreachable(_))));
    assert_eq!(run.outcomes(), [0, 0, 0, run.bulk.report().pushed]);
}

#[test]
fn service_that_responded_once_is_not_unreachable() {
    let reply = |number| if number == 0 { error(503, code::INTERNAL_ERROR) } else { not_sent() };
    let run =
        Run::new(BulkOptions::new().concurrency(1), |call| reply(call.number)).delete(MILLION);
    assert!(matches!(run.stopped(), Some(StopReason::NoSuccess(_))), "{:?}", run.stopped());
    assert_eq!(run.requests.len(), 10);
}

#[test]
fn stop_waits_for_requests_in_flight() {
    let mut run = Run::new(BulkOptions::new().concurrency(4).rate(Rate::Unlimited), |call| {
        match call.number {
            1 => error(500, code::INTERNAL_ERROR),
            2 => error(429, "TooManyRequests"),
            3 => not_sent(),
            _ => deleted(),
        }
    })
    .keys((0..).map(key));
    run.drain();
    assert_eq!(run.bulk.in_flight(), 4);
    run.bulk.stop();
    let pushed = run.bulk.report().pushed;
    assert_eq!(run.bulk.report().pending(), 2000, "unsent keys must have their outcome at once");
    run.until(|_| false);
    assert_eq!(run.requests.len(), 4);
    assert_eq!(run.outcomes(), [500, 500, 500, pushed - 1500]);
    assert_eq!(run.stopped(), Some(&StopReason::Requested));
    assert_eq!(run.bulk.poll_timeout(), None);
}

#[test]
fn stopped_run_reports_no_outage() {
    let options = BulkOptions::new().concurrency(2).rate(Rate::Unlimited);
    let mut run = Run::new(options, |call| if call.number == 0 { lost() } else { Reply::Silence })
        .keys((0..1000).map(key));
    run.drain();
    run.step();
    run.bulk.stop();
    assert_eq!(run.bulk.in_flight(), 1);
    run.bulk.handle_timeout(Now::new(70 * SECOND, start() + 70 * SECOND));
    run.take_events();
    assert_eq!((run.bulk.in_flight(), run.outages()), (1, (0, 0)));
    run.until(|_| false);
    assert_eq!((run.outages(), run.stopped()), ((0, 0), Some(&StopReason::Requested)));
}

#[test]
fn abort_ignores_later_responses() {
    let mut run = Run::new(BulkOptions::new(), |_| deleted()).keys((0..).map(key));
    run.until(|run| run.bulk.report().deleted >= 5000);
    let deleted = run.bulk.report().deleted;
    let in_flight = run.bulk.in_flight() as u64;
    assert!(in_flight > 0);
    run.bulk.abort();
    assert!(run.bulk.is_finished());
    let report = run.bulk.report();
    run.take_events();
    assert_eq!(
        run.outcomes(),
        [deleted, 0, 500 * in_flight, report.pushed - deleted - 500 * in_flight]
    );
    run.step();
    assert_eq!(run.bulk.report(), report);
    assert_eq!(run.bulk.settled().len(), deleted, "interrupted keys are not settled");
}

#[test]
fn stop_before_the_first_request_sends_nothing() {
    let mut run = Run::new(BulkOptions::new(), |_| deleted());
    for number in 0..700 {
        run.bulk.push(Key::new(&key(number)).unwrap()).unwrap();
    }
    run.bulk.stop();
    run.until(|_| false);
    assert_eq!((run.requests.len(), run.outcomes()), (0, [0, 0, 0, 700]));
    assert!(run.failed().all(|failed| failed.error.is_none() && failed.requests == 0));
    assert!(run.bulk.push(Key::new("late").unwrap()).is_err());
}

#[test]
fn fatal_response_keeps_earlier_deletions() {
    let run = Run::new(BulkOptions::new().concurrency(1), |call| {
        if call.number < 10 { deleted() } else { error(403, code::ACCESS_DENIED) }
    })
    .delete(50_000);
    assert_eq!(run.requests.len(), 11);
    assert_eq!(run.outcomes(), [5000, 500, 0, run.bulk.report().pushed - 5500]);
}

#[test]
fn rejection_not_from_oss_leaves_keys_unconfirmed() {
    // A page of a proxy says nothing about the service, which may have deleted keys.
    for (status, body) in
        [(404, "<html>"), (302, ""), (405, ""), (407, ""), (411, ""), (200, "<html>welcome</html>")]
    {
        let page = http::Response::builder().status(status).body(body.into()).unwrap();
        let page = Cell::new(Some(page));
        let run = Run::new(BulkOptions::new().concurrency(1), |_| {
            crate::run::Reply::Response(page.take().unwrap())
        })
        .delete(600);
        assert!(matches!(run.stopped(), Some(StopReason::Rejected(_))), "{status}");
        assert_eq!((run.requests.len(), run.outcomes()), (1, [0, 0, 500, 100]), "{status}");
    }
}

#[test]
fn lost_requests_do_not_stop_the_run() {
    let run = Run::new(BulkOptions::new().concurrency(1), |call| {
        if call.number < 5 { lost() } else { deleted() }
    })
    .delete(10);
    assert_eq!((run.requests.len(), run.outcomes(), run.stopped()), (6, [10, 0, 0, 0], None));
    assert_eq!(run.failed().filter(|failed| failed.outcome == KeyOutcome::Unconfirmed).count(), 0);
}

#[test]
fn request_from_before_a_restart_stops_nothing() {
    let mut bulk = BulkDelete::new(&target(), credentials(), BulkOptions::new()).unwrap();
    let now = Now::new(Duration::ZERO, start());
    for restarts in 1..3 {
        bulk.push(Key::new("old").unwrap()).unwrap();
        bulk.flush();
        let sent = bulk.poll_transmit(now).unwrap();
        (0..restarts).for_each(|_| {
            bulk.stop();
            bulk.restart();
        });
        bulk.push(Key::new("new").unwrap()).unwrap();
        let denied = service_error(403, code::ACCESS_DENIED).to_response();
        bulk.handle_response(now, sent.id, &denied);
        assert_eq!((bulk.stopped(), bulk.report().rejected), (None, restarts));
        bulk.stop();
        bulk.restart();
    }
}
