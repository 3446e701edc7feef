//! Combinations of responses: in sequence, alternating, for some batches only, or for days.

use std::time::Duration;

use oss_delete_vectors::bulk::{Adaptive, BulkOptions, Event, Rate};
use oss_delete_vectors::code;

use crate::hour::responses;
use crate::run::{Call, Reply, Respond, Run, SECOND, deleted, error, page, service_error};

const DAY: Duration = Duration::from_secs(86_400);

fn rates() -> [Rate; 3] {
    [Rate::from(Adaptive::new()), Rate::Fixed(50.0), Rate::Unlimited]
}

#[test]
fn a_sequence_of_responses_loses_no_key() {
    for pause in [0, 1, 30] {
        for rate in [Adaptive::new().max_requests_per_second(5.0).into(), Rate::Fixed(5.0)] {
            let phases = responses();
            // Ten minutes of each response, with a pause of `pause` seconds before the next.
            let service = |call: &Call<'_>| {
                let seconds = call.at.as_secs();
                match phases.get(usize::try_from(seconds / 600).unwrap()) {
                    Some((_, response)) if call.number > 0 && seconds % 600 >= pause => response(),
                    _ => deleted(),
                }
            };
            let options = BulkOptions::new().rate(rate);
            let run = Run::new(options, service).delete(500_000);
            let context = format!("{pause} {rate:?}");
            assert_eq!((run.outcomes(), run.stopped()), ([500_000, 0, 0, 0], None), "{context}");
            assert!(run.requests.len() < 5000, "{context}: {}", run.requests.len());
        }
    }
}

#[test]
fn alternating_responses_from_the_start_stop_the_run() {
    let all = responses();
    let pairs = all.iter().flat_map(|first| all.iter().map(move |second| (first, second)));
    for (number, ((name, first), (other, second))) in pairs.enumerate() {
        let rate = rates()[number % 3];
        let service =
            |call: &Call<'_>| if call.number.is_multiple_of(2) { first() } else { second() };
        let run = Run::new(BulkOptions::new().rate(rate), service).delete(50_000);
        let context = format!("{name}, {other}, {rate:?}");
        assert!(run.stopped().is_some() && run.now <= 61 * SECOND, "{context}: {:?}", run.now);
        assert_eq!((run.bulk.report().deleted, run.bulk.settled().len()), (0, 0), "{context}");
    }
}

#[test]
fn a_throttled_batch_does_not_delay_others() {
    let responses: [Respond; 4] = [
        || error(503, code::QPS_LIMIT_EXCEEDED),
        || error(400, "Throttling.User"),
        || page(429),
        || page(503),
    ];
    for response in responses {
        for (number, rate) in rates().into_iter().enumerate() {
            for bad in [[1, 2], [40, 60]] {
                let is_bad = |call: &Call<'_>| bad.contains(&(call.positions.first() / 500));
                let service = |call: &Call<'_>| if is_bad(call) { response() } else { deleted() };
                let options = BulkOptions::new().rate(rate).outage_timeout(600 * SECOND);
                let run = Run::new(options, service).delete(50_000);
                let last =
                    run.events.iter().rfind(|(_, event)| matches!(event, Event::Deleted { .. }));
                let context = format!("{number} {bad:?}: {:?}", run.bulk.report());
                assert_eq!(run.bulk.report().deleted, 49_000, "{context}");
                assert!(last.unwrap().0 < 300 * SECOND, "{context}: {:?}", last.unwrap().0);
                assert!(run.requests.len() < 500, "{context}");
            }
        }
    }
}

#[test]
fn retry_after_of_days_is_retried_within_minutes() {
    for (status, code) in [(503, code::SLOW_DOWN), (429, "X"), (500, "X"), (302, "X"), (400, "X")] {
        for (rate, days) in rates().into_iter().zip([1, 3, 100_000]) {
            let wait = service_error(status, code).with_retry_after(days * DAY);
            let is_over = |call: &Call<'_>| call.number == 0 || call.at > DAY;
            let service = |call: &Call<'_>| {
                if is_over(call) { deleted() } else { Reply::Response(wait.to_response()) }
            };
            let run = Run::new(BulkOptions::new().rate(rate), service).delete(50_000);
            let context = format!("{status} {days}");
            assert_eq!((run.outcomes(), run.stopped()), ([50_000, 0, 0, 0], None), "{context}");
            // One request every five minutes, and two for each request in flight at first.
            assert!(run.requests.len() < 100 + 288 + 32, "{context}: {}", run.requests.len());
            assert!(run.now < DAY + 330 * SECOND, "{context}: {:?}", run.now);
        }
    }
}
