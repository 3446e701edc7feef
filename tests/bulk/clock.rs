//! A wrong clock is corrected once, to the time of the service.

use std::time::Duration;

use oss_delete_vectors::bulk::{BulkOptions, Event, Rate, StopReason};
use oss_delete_vectors::emulator::Emulator;
use oss_delete_vectors::{Now, code};

use crate::run::{Reply, Run, credentials, error, key, start, target};

const HOUR: Duration = Duration::from_secs(3600);

fn emulated(keys: u64) -> Emulator {
    Emulator::with_vectors(&target(), credentials(), (0..keys).map(key)).unwrap()
}

/// A service with the right clock, and a client whose clock is ahead by `ahead`, or behind by it if
/// `is_behind`.
fn skewed<'a>(
    emulator: &'a mut Emulator,
    options: BulkOptions,
    ahead: Duration,
    is_behind: bool,
) -> Run<'a> {
    let service_ahead = if is_behind { ahead } else { Duration::ZERO };
    let mut run = Run::new(options, move |call| {
        Reply::Response(
            emulator.handle(Now::new(call.at, start() + service_ahead + call.at), call.request),
        )
    });
    run.ahead = if is_behind { Duration::ZERO } else { ahead };
    run
}

#[test]
fn skewed_clock_takes_one_more_request() {
    for is_behind in [false, true] {
        for ahead in [Duration::from_secs(16 * 60), 2 * HOUR, 24 * HOUR, 24 * 400 * HOUR] {
            let mut emulator = emulated(5000);
            let run = skewed(&mut emulator, BulkOptions::new().concurrency(1), ahead, is_behind)
                .delete(5000);
            assert_eq!(
                (run.requests.len(), run.outcomes()),
                (11, [5000, 0, 0, 0]),
                "{ahead:?} {is_behind}"
            );
            assert_eq!(run.count(|event| matches!(event, Event::ClockCorrected)), 1);
        }
    }
}

#[test]
fn requests_dated_before_the_correction_are_resent() {
    let mut emulator = emulated(4000);
    let options = BulkOptions::new().concurrency(8).rate(Rate::Unlimited);
    let run = skewed(&mut emulator, options, 2 * HOUR, false).delete(4000);
    assert_eq!((run.requests.len(), run.outcomes()), (16, [4000, 0, 0, 0]));
    assert_eq!(run.count(|event| matches!(event, Event::ClockCorrected)), 1);
}

#[test]
fn clock_jump_during_a_run_is_corrected() {
    let mut emulator = emulated(10_000);
    let mut run = skewed(&mut emulator, BulkOptions::new().concurrency(1), HOUR, false)
        .keys((0..10_000).map(key));
    run.until(|run| run.requests.len() == 8);
    run.ahead = 5 * HOUR;
    let run = run.delete_all();
    assert_eq!((run.requests.len(), run.outcomes()), (22, [10_000, 0, 0, 0]));
    assert_eq!(run.count(|event| matches!(event, Event::ClockCorrected)), 2);
}

#[test]
fn date_rejected_after_correction_stops_the_run() {
    let run =
        Run::new(BulkOptions::new().concurrency(1), |_| error(403, code::REQUEST_TIME_TOO_SKEWED))
            .delete(1000);
    assert!(matches!(run.stopped(), Some(StopReason::Clock(_))));
    assert_eq!((run.requests.len(), run.outcomes()), (2, [0, 500, 0, 500]));
}

#[test]
fn response_without_a_date_corrects_nothing() {
    let mut response = crate::run::service_error(403, code::REQUEST_TIME_TOO_SKEWED).to_response();
    response.headers_mut().remove("date");
    let run = Run::new(BulkOptions::new().concurrency(1), |_| Reply::Response(response.clone()))
        .delete(1000);
    assert!(matches!(run.stopped(), Some(StopReason::Clock(_))));
    assert_eq!((run.requests.len(), run.outcomes()), (1, [0, 500, 0, 500]));
}
