use http::StatusCode;
use oss_delete_vectors::{ServiceError, code};

use super::*;

#[test]
fn a_rejected_key_fails_only_its_own_calls() {
    let mut world = World::new(BulkOptions::new().concurrency(1));
    world.begin(["doc-0"]);
    world.emulator.reject_keys(["doc-2"]);
    let calls = [
        world.begin(["doc-1", "doc-3"]),
        world.begin(["doc-2"]),
        world.begin(["doc-4", "doc-2", "doc-5", "doc-2"]),
        world.begin(["doc-6"]),
    ];
    world.run();
    let [first, second, third, fourth] = calls.map(|call| world.result(call));
    assert_eq!((first, fourth), (Ok(()), Ok(())));
    let rejected = ("doc-2".to_owned(), KeyOutcome::Rejected);
    let (second, third) = (second.unwrap_err(), third.unwrap_err());
    assert_eq!(outcomes(&second), std::slice::from_ref(&rejected));
    assert_eq!(outcomes(&third), [rejected.clone(), rejected], "once per occurrence in the call");
    assert_eq!(*second.kind(), DeleteErrorKind::NotDeleted);
    assert_eq!(second.attempt_error().unwrap().code(), Some("VectorIndexParameterInvalid"));
    assert!(!second.may_have_deleted() && !second.is_retryable());
    assert_eq!((third.total(), third.count(KeyOutcome::Rejected)), (4, 2));
    assert!(third.to_string().ends_with("(2 of 4 keys not deleted: 2 rejected)"), "{third}");
    assert!(!world.is_there("doc-4") && world.is_there("doc-2"));
}

#[test]
fn calls_with_the_same_key_get_the_same_outcome() {
    let mut world = World::new(BulkOptions::new().concurrency(1).max_attempts(1));
    world.begin(["doc-0"]);
    world.run();
    world.reply = Some(Box::new(|_| Some(Err(TransportError::may_have_arrived("reset")))));
    world.begin(["doc-9"]);
    let calls = [world.begin(["doc-1", "doc-2"]), world.begin(["doc-2", "doc-3"])];
    world.run();
    let errors = calls.map(|call| world.result(call).unwrap_err());
    let unconfirmed = |key: &str| (key.to_owned(), KeyOutcome::Unconfirmed);
    assert_eq!(outcomes(&errors[0]), [unconfirmed("doc-1"), unconfirmed("doc-2")]);
    assert_eq!(outcomes(&errors[1]), [unconfirmed("doc-2"), unconfirmed("doc-3")]);
    assert!(errors[0].may_have_deleted() && errors[0].is_retryable());
}

#[test]
fn invalid_keys_are_rejected_before_a_request() {
    let long = "x".repeat(1025);
    for (keys, field) in [(["a", ""], "keys[1]"), ([long.as_str(), "b"], "keys[0]")] {
        let invalid = Call::new(keys).unwrap_err();
        assert_eq!(invalid.field(), field);
        let error = DeleteError::from(invalid.clone());
        assert_eq!(*error.kind(), DeleteErrorKind::InvalidKey(invalid.clone()));
        assert_eq!(error.to_string(), invalid.to_string());
        assert!(!error.may_have_deleted() && !error.is_retryable());
    }
    let mut call = Call::new([""; 0]).unwrap();
    assert!(call.is_empty() && call.push("a").is_ok());
    assert_eq!(call.push("").unwrap_err().field(), "keys[1]");
    assert_eq!((call.len(), call.is_empty()), (1, false));
}

#[test]
fn timeouts_report_keys_that_may_be_deleted() {
    let mut world = World::new(BulkOptions::new().concurrency(1));
    world.latency = seconds(10);
    // 500 keys are in flight and 500 are pushed; the rest is never pushed.
    let call = world.begin_call(Call::new(keys(0..1200)).unwrap().timeout(seconds(5)));
    let other = world.begin(["doc-3000"]);
    world.run_until(seconds(5));
    let error = world.result(call).unwrap_err();
    assert_eq!(*error.kind(), DeleteErrorKind::TimedOut(seconds(5)));
    let counts = [KeyOutcome::Unconfirmed, KeyOutcome::NotAttempted].map(|of| error.count(of));
    assert_eq!(counts.iter().sum::<usize>(), 1200);
    assert!(counts[0] >= 500 && counts[1] >= 200, "{counts:?}");
    assert!(error.may_have_deleted() && error.is_retryable());
    assert!(error.to_string().starts_with("not done after 5s (1200 of 1200"), "{error}");
    world.run();
    assert_eq!(world.result(other), Ok(()));
    for not_deleted in error.not_deleted() {
        if not_deleted.outcome == KeyOutcome::NotAttempted {
            assert!(world.is_there(not_deleted.key), "{} was deleted", not_deleted.key);
        }
    }
}

#[test]
fn throttled_calls_wait() {
    let mut world = World::new(BulkOptions::new());
    let too_fast = ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code::SLOW_DOWN, "too fast");
    world.emulator.fail_next(too_fast, 0);
    let call = world.begin(["doc-1"]);
    world.run();
    assert_eq!(world.result(call), Ok(()));
    let metrics = world.metrics();
    assert_eq!((metrics.throttled, metrics.requests, metrics.deleted), (1, 2, 1));
}

#[test]
fn metrics_report_waiting_calls() {
    let mut world = World::new(BulkOptions::new().concurrency(1));
    world.latency = seconds(10);
    world.begin(keys(0..700));
    world.run_until(seconds(3));
    world.begin(keys(700..703));
    world.run_until(seconds(4));
    let metrics = world.metrics();
    assert_eq!((metrics.calls, metrics.waiting_calls, metrics.waiting_keys), (2, 2, 703));
    assert_eq!((metrics.in_flight, metrics.requests), (1, 1));
    let id = world.in_flight[0].1;
    assert!(world.calls.is_in_flight(id));
    assert_eq!(metrics.oldest_call, Some(seconds(4)));
    world.run();
    let metrics = world.metrics();
    assert_eq!((metrics.waiting_calls, metrics.waiting_keys, metrics.oldest_call), (0, 0, None));
    assert!(metrics.in_flight == 0 && !world.calls.is_in_flight(id));
    assert_eq!((metrics.deleted, metrics.keys, metrics.failed_calls), (703, 703, 0));
}
