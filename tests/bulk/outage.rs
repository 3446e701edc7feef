//! The run outlives its service's absence: one probe at a time, ever more rarely, and no attempt is counted.

use std::time::Duration;

use oss_delete_vectors::bulk::{BulkOptions, Event, Rate, StopReason};
use oss_delete_vectors::code;

use crate::run::{Answer, Call, Run, SECOND, deleted, error, lost, not_sent, page};

const HOUR: Duration = Duration::from_secs(3600);

/// Down from the `from`th request on, and then until `until`.
fn down(from: usize, until: Duration, answer: impl Fn() -> Answer) -> impl Fn(&Call<'_>) -> Answer {
    move |call| if call.number >= from && call.at < until { answer() } else { deleted() }
}

#[test]
fn two_hours_down_in_mid_run_lose_nothing() {
    for answer in
        [not_sent, lost, || page(502), || page(403), || error(503, "ServiceUnavailable"), || error(500, code::INTERNAL_ERROR)]
    {
        let run = Run::new(BulkOptions::new(), down(20, 2 * HOUR, answer)).delete(100_000);
        assert_eq!((run.outcomes(), run.stopped()), ([100_000, 0, 0, 0], None));
        assert_eq!(run.outages(), (1, 1));
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
    run.until(|run| run.outages().0 == 1);
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
    assert!(matches!(run.stopped(), Some(StopReason::Outage(error)) if error.to_string() == "connection refused"));
    let first_failure = run.events.iter().find(|(_, event)| matches!(event, Event::Retrying { .. })).unwrap().0;
    assert_eq!(run.events.iter().find(|(_, event)| matches!(event, Event::Stopped(_))).unwrap().0, first_failure + 600 * SECOND);
    let pushed = run.bulk.report().pushed;
    assert_eq!(run.outcomes(), [10_000, 0, 0, pushed - 10_000]);
}

#[test]
fn one_batch_alone_is_no_outage() {
    let run = Run::new(BulkOptions::new(), |_| error(500, code::INTERNAL_ERROR)).delete(500);
    assert_eq!((run.requests.len(), run.outcomes()), (10, [0, 0, 500, 0]));
    assert_eq!(run.outages(), (0, 0));
}

#[test]
fn a_few_batches_that_always_fail_are_no_outage_either() {
    // The third and the fourth of twenty, which in the end are the last that are left.
    let is_cursed = |call: &Call<'_>| (1000..2000).contains(&call.positions.first());
    let service = |call: &Call<'_>| if is_cursed(call) { error(500, code::INTERNAL_ERROR) } else { deleted() };
    let run = Run::new(BulkOptions::new(), service).delete(10_000);
    // Ten attempts each, and those that do not count because nothing else had got on.
    assert_eq!(run.outcomes(), [9000, 0, 1000, 0]);
    assert!((18 + 20..18 + 24).contains(&run.requests.len()), "{}", run.requests.len());
    assert_eq!(run.outages(), (0, 0));
}

#[test]
fn a_batch_that_always_fails_does_not_keep_an_outage_going() {
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
fn passing_rejections_spend_attempts_in_the_end() {
    // Ten batches, the last that are left. OSS itself answers, so that their attempts count.
    let service = |call: &Call<'_>| if call.number == 0 { deleted() } else { error(409, "Unknown") };
    let run = Run::new(BulkOptions::new(), service).delete(5500);
    assert_eq!((run.outcomes(), run.stopped()), ([500, 5000, 0, 0], None));
    assert!(run.requests.len() <= 1 + 120, "{}", run.requests.len());
}

#[test]
fn what_was_under_way_when_the_circuit_opened_is_no_probe() {
    let options = BulkOptions::new().concurrency(64).rate(Rate::Unlimited);
    let service = |call: &Call<'_>| if (1..64).contains(&call.number) { lost() } else { deleted() };
    let run = Run::new(options, service).delete(50_000);
    assert_eq!(run.outcomes(), [50_000, 0, 0, 0]);
    let probe = run.requests[64].0;
    assert!(probe <= SECOND / 4, "the first back-off is at most 0.2 s: {probe:?}");
}
