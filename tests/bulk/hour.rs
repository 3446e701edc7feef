//! An hour of any response that says nothing about the keys loses no key.

use std::time::Duration;

use oss_delete_vectors::bulk::{BulkOptions, Event, StopReason};
use oss_delete_vectors::code;

use crate::run::{Call, Reply, Run, SECOND, codeless, deleted, error, lost, not_sent, page};

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) type Named = (&'static str, Box<dyn Fn() -> Reply>);

/// Every response that says nothing about the keys.
pub(crate) fn responses() -> Vec<Named> {
    let mut responses: Vec<Named> = vec![
        ("lost", Box::new(lost)),
        ("not sent", Box::new(not_sent)),
        ("bad request", Box::new(|| error(400, code::BAD_REQUEST))),
        ("digest", Box::new(|| error(400, code::INVALID_DIGEST))),
        ("request timeout", Box::new(|| error(400, code::REQUEST_TIMEOUT))),
        ("conflict", Box::new(|| error(409, "Conflict"))),
        ("unauthorized", Box::new(|| error(401, "VerifyError"))),
        ("unlisted", Box::new(|| error(400, "Unheard"))),
        ("internal", Box::new(|| error(500, code::INTERNAL_ERROR))),
        ("throttling", Box::new(|| error(400, "Throttling.User"))),
        ("qps", Box::new(|| error(503, code::QPS_LIMIT_EXCEEDED))),
    ];
    for status in [
        200, 204, 302, 400, 401, 402, 403, 404, 405, 407, 408, 409, 411, 412, 413, 418, 421, 429,
        500, 502, 503, 504,
    ] {
        responses.push(("page", Box::new(move || page(status))));
    }
    for status in [400, 401, 403, 404, 408, 409, 413, 418, 429, 500, 502, 503] {
        responses.push(("codeless", Box::new(move || codeless(status))));
    }
    responses
}

#[test]
fn an_hour_of_one_response_loses_no_key() {
    for (number, (name, response)) in responses().into_iter().enumerate() {
        let wrong = 100 * SECOND..100 * SECOND + HOUR;
        let service =
            |call: &Call<'_>| if wrong.contains(&call.at) { response() } else { deleted() };
        let options = BulkOptions::new()
            .rate(oss_delete_vectors::bulk::Adaptive::new().max_requests_per_second(5.0));
        let run = Run::new(options, service).delete(500_000);
        assert_eq!((run.outcomes(), run.stopped()), ([500_000, 0, 0, 0], None), "{number}: {name}");
        assert_eq!(run.outages(), (1, 1), "{number}: {name}");
        // One request at a time: 360 probes at ten seconds each.
        assert!(run.requests.len() < 1000 + 600, "{number}: {name}: {}", run.requests.len());
        let lasted = run.events.iter().find_map(|(_, event)| match event {
            Event::OutageEnded { lasted, .. } => Some(*lasted),
            _ => None,
        });
        assert!(
            (HOUR - 2 * SECOND..HOUR + 25 * SECOND).contains(&lasted.unwrap()),
            "{number}: {name}: {lasted:?}"
        );
    }
}

#[test]
fn outage_timeout_stops_the_run() {
    for (number, (name, response)) in responses().into_iter().enumerate() {
        let service = |call: &Call<'_>| if call.at > 10 * SECOND { response() } else { deleted() };
        let options = BulkOptions::new()
            .rate(oss_delete_vectors::bulk::Adaptive::new().max_requests_per_second(5.0));
        let run = Run::new(options.outage_timeout(600 * SECOND), service).delete(500_000);
        let Some(StopReason::Outage(error)) = run.stopped() else {
            panic!("{number}: {name}: {:?}", run.stopped())
        };
        let began = run.events.iter().find_map(|(_, event)| match event {
            Event::OutageBegan { error, .. } => Some(error.clone()),
            _ => None,
        });
        assert_eq!(began.as_ref(), Some(error), "{number}: {name}");
        assert!((600 * SECOND..640 * SECOND).contains(&run.now), "{number}: {name}: {:?}", run.now);
        assert_eq!(
            run.bulk.checkpoint().report().deleted,
            run.bulk.checkpoint().settled().len(),
            "{number}: {name}: a key is lost"
        );
    }
}

#[test]
fn unlisted_codes_of_other_statuses_stop_the_run() {
    for status in [402, 403, 404, 412, 418] {
        let service =
            |call: &Call<'_>| if call.number < 20 { deleted() } else { error(status, "Unheard") };
        let run = Run::new(BulkOptions::new(), service).delete(500_000);
        assert!(
            matches!(run.stopped(), Some(StopReason::Rejected(_))),
            "{status}: {:?}",
            run.stopped()
        );
        assert_eq!(
            run.bulk.checkpoint().report().rejected,
            0,
            "{status}: keys must be sent again after a resume"
        );
        assert!(run.requests.len() < 500, "{status}: {}", run.requests.len());
    }
}
