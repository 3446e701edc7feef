//! The cases of `fixtures/errors.json` with several attempts: at least as good as the official SDK.

use std::cell::RefCell;

use oss_delete_vectors::bulk::{BulkOptions, StopReason};
use oss_delete_vectors::{DeleteVectors, Operation};

use crate::fixtures::{ErrorCase, error_cases};
use crate::run::{Reply, Run, not_sent};

/// A case and its result: requests; keys deleted, rejected, unconfirmed and not attempted; and the
/// comparison with the SDK.
const EXPECTED: [(&str, usize, [u64; 4], Comparison); 7] = [
    ("sequence/503-500-then-204", 3, [3, 0, 0, 0], Comparison::Same),
    // The SDK dates its second request wrongly as well. Only the recorded server accepts it.
    (
        "sequence/skew-then-204",
        2,
        [3, 0, 0, 0],
        Comparison::Better("the second request has the service's date"),
    ),
    (
        "sequence/skew-behind-then-204",
        2,
        [3, 0, 0, 0],
        Comparison::Better("the second request has the service's date"),
    ),
    (
        "sequence/skew-always",
        2,
        [0, 3, 0, 0],
        Comparison::Better("one request fewer, and the reason is the clock"),
    ),
    ("transport/connect-refused", 3, [0, 0, 0, 3], Comparison::Same),
    ("transport/connect-timeout", 3, [0, 0, 0, 3], Comparison::Same),
    ("transport/tls-failure", 3, [0, 0, 0, 3], Comparison::Same),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Same,
    Better(&'static str),
}

#[test]
fn sequences_match_or_improve_on_the_sdk() {
    let cases: Vec<ErrorCase> = error_cases()
        .into_iter()
        .filter(|case| case.id.starts_with("sequence/") || case.id.starts_with("transport/"))
        .collect();
    assert_eq!(
        cases.iter().map(|case| case.id.as_str()).collect::<Vec<_>>(),
        EXPECTED.map(|(id, ..)| id)
    );
    for (case, (id, requests, outcomes, comparison)) in cases.iter().zip(EXPECTED) {
        let dates = RefCell::new(Vec::new());
        let run = Run::new(BulkOptions::new().concurrency(1), |call| {
            dates
                .borrow_mut()
                .push(call.request.headers()["x-oss-date"].to_str().unwrap().to_owned());
            let number = call.number.min(case.responses.len() - 1);
            case.responses[number].clone().map_or_else(not_sent, Reply::Response)
        })
        .delete(3);
        assert_eq!((run.requests.len(), run.outcomes()), (requests, outcomes), "{id}");

        let attempts = case.expected["attempts"].as_u64().unwrap();
        let is_success = case.expected["outcome"] == "success";
        assert_eq!(is_success, outcomes[0] == 3, "{id}: deleted here and by the SDK");
        match comparison {
            Comparison::Same => assert_eq!(attempts, requests as u64, "{id}"),
            Comparison::Better(how) => {
                assert!(requests as u64 <= attempts, "{id}: {how}");
                // From the second request on, the date is that of the service.
                let date = case.responses[0]
                    .as_ref()
                    .map(DeleteVectors::parse_response)
                    .unwrap()
                    .unwrap_err()
                    .date()
                    .unwrap();
                let now = crate::run::start() + run.requests[1].0;
                let difference = date.max(now).duration_since(date.min(now)).unwrap();
                assert!(
                    difference.as_secs() > 3600 && dates.borrow()[0] != dates.borrow()[1],
                    "{id}: {how}"
                );
            }
        }
        match run.stopped() {
            None => assert!(is_success, "{id}"),
            Some(StopReason::Clock(error)) => {
                assert_eq!(id, "sequence/skew-always");
                // The SDK raises the same error.
                assert_eq!(case.expected["code"].as_str(), error.code());
                assert_eq!(case.expected["request_id"].as_str(), error.request_id());
                assert_eq!(case.expected["message"].as_str(), Some(&*error.message()));
            }
            Some(StopReason::Unreachable(_)) => assert!(id.starts_with("transport/")),
            Some(other) => panic!("{id}: {other}"),
        }
    }
}
