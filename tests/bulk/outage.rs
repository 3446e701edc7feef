//! The run outlives its service's absence: one probe at a time, ever more rarely, and no attempt is counted.

use std::time::Duration;

use oss_delete_vectors::bulk::{BulkOptions, Event, Rate, StopReason};
use oss_delete_vectors::code;

use crate::run::{Answer, Call, Run, SECOND, deleted, error, lost, not_sent};

const HOUR: Duration = Duration::from_secs(3600);

/// Down from the `from`th request on, and then until `until`.
fn down(from: usize, until: Duration, answer: impl Fn() -> Answer) -> impl Fn(&Call<'_>) -> Answer {
    move |call| if call.number >= from && call.at < until { answer() } else { deleted() }
}

#[test]
fn two_hours_down_in_mid_run_lose_nothing() {
    for answer in [not_sent, lost, || error(503, code::BAD_ERROR_RESPONSE), || error(500, code::INTERNAL_ERROR)] {
        let run = Run::new(BulkOptions::new(), down(20, 2 * HOUR, answer)).delete(100_000);
        assert_eq!((run.outcomes(), run.stopped()), ([100_000, 0, 0, 0], None));
        let began = run.count(|event| matches!(event, Event::OutageBegan));
        let ended = run.count(|event| matches!(event, Event::OutageEnded));
        assert_eq!((began, ended), (1, 1));
        // At most 20 s apart and 10 s in the mean: 720 of them, within a fifth.
        let probes = run.requests.len() - 200;
        assert!((576..864).contains(&probes), "{probes} probes");
        let after = run.requests.iter().map(|&(at, _)| at).find(|&at| at >= 2 * HOUR).unwrap();
        assert!(after < 2 * HOUR + 20 * SECOND, "it took until {after:?} to notice");
    }
}

#[test]
fn two_hours_of_silence_cost_a_probe_each_deadline() {
    let run = Run::new(BulkOptions::new(), down(20, 2 * HOUR, || Answer::Silence)).delete(100_000);
    assert_eq!((run.outcomes(), run.stopped()), ([100_000, 0, 0, 0], None));
    let probes = run.requests.len() - 200;
    assert!((60..130).contains(&probes), "75 s and up to 20 s more each: {probes} probes");
}

#[test]
fn probes_go_one_at_a_time() {
    let mut run = Run::new(BulkOptions::new().rate(Rate::Unlimited), down(100, 2 * HOUR, lost)).keys((0..).map(crate::run::key));
    run.until(|run| run.count(|event| matches!(event, Event::OutageBegan)) == 1);
    // What was in flight when it began ends first.
    run.until(|run| run.bulk.in_flight() == 0);
    let before = run.requests.len();
    while run.now < HOUR {
        run.step();
        assert!(run.bulk.in_flight() <= 1);
    }
    assert!(run.requests.len() > before + 100);
}

#[test]
fn it_gives_up_after_as_long_as_it_was_told() {
    let options = BulkOptions::new().give_up_after(600 * SECOND);
    let run = Run::new(options, down(20, 2 * HOUR, not_sent)).delete(100_000);
    assert_eq!(run.stopped(), Some(&StopReason::Outage));
    let first_failure = run.events.iter().find(|(_, event)| matches!(event, Event::Retrying { .. })).unwrap().0;
    assert_eq!(run.events.iter().find(|(_, event)| matches!(event, Event::Stopped(_))).unwrap().0, first_failure + 600 * SECOND);
    let pushed = run.bulk.report().pushed;
    assert_eq!(run.outcomes(), [10_000, 0, 0, pushed - 10_000]);
}

#[test]
fn one_batch_alone_is_no_outage() {
    let run = Run::new(BulkOptions::new(), |_| error(500, code::INTERNAL_ERROR)).delete(500);
    assert_eq!((run.requests.len(), run.outcomes()), (10, [0, 0, 500, 0]));
    assert_eq!(run.count(|event| matches!(event, Event::OutageBegan)), 0);
}

#[test]
fn an_outage_from_the_start_that_answers_is_survived() {
    let run = Run::new(BulkOptions::new(), down(0, HOUR, || error(502, code::BAD_ERROR_RESPONSE))).delete(20_000);
    assert_eq!((run.outcomes(), run.stopped()), ([20_000, 0, 0, 0], None));
}
