use http::StatusCode;
use oss_delete_vectors::bulk::{BulkDelete, StopReason};
use oss_delete_vectors::{Credentials, Deleted, Key, ServiceError, code};

use super::*;
use crate::canary::WRONG_SECRET;

fn denied() -> Reply {
    let denied = ServiceError::new(StatusCode::FORBIDDEN, code::ACCESS_DENIED, "not allowed");
    Box::new(move |_| Some(Ok(denied.to_response())))
}

#[test]
fn a_stop_fails_waiting_calls_but_not_the_next_one() {
    let mut world = World::new(BulkOptions::new().concurrency(1));
    let before = world.begin(["doc-0"]);
    world.run();
    world.reply = Some(denied());
    let calls: Vec<CallId> = (1..1500).map(|number| world.begin([key(number)])).collect();
    world.step(Duration::MAX);
    assert_eq!(world.requests.len(), 2, "one request is enough for all calls");
    for &call in &calls {
        let error = world.result(call).unwrap_err();
        let DeleteErrorKind::Stopped(StopReason::Rejected(reason)) = error.kind() else {
            panic!("{error:?}")
        };
        assert_eq!(reason.code(), Some("AccessDenied"));
        assert!(!error.may_have_deleted() && !error.is_retryable());
    }
    let advice = world.result(calls[1000]).unwrap_err().advice(&target()).unwrap();
    assert!(advice.starts_with("allow the action oss:DeleteVectors"), "{advice}");
    // Now the permission is there.
    world.reply = None;
    let after = world.begin(["doc-1"]);
    world.run();
    assert_eq!((world.result(before), world.result(after)), (Ok(()), Ok(())));
    assert!(world.is_there("doc-2"));
    let metrics = world.metrics();
    assert_eq!((metrics.calls, metrics.failed_calls, metrics.waiting_keys), (1501, 1499, 0));
}

#[test]
fn requests_in_flight_at_a_stop_keep_their_outcome() {
    let mut world = World::new(BulkOptions::new().concurrency(4));
    for number in 0..100 {
        world.begin([key(19_000 + number)]);
        world.run();
    }
    // The first request is denied, the others succeed.
    let mut first = true;
    world.reply = Some(Box::new(move |request| {
        std::mem::take(&mut first).then(|| denied()(request)).flatten()
    }));
    let calls: Vec<CallId> =
        (0..6).map(|number| world.begin(keys(500 * number..500 * number + 500))).collect();
    // Begins after the stop, while earlier requests are in flight.
    let sent = world.in_flight.len();
    assert!(sent > 1, "{sent}");
    world.run();
    let results: Vec<_> = calls.iter().map(|&call| world.result(call)).collect();
    assert!(results[0].is_err());
    assert!(results[1..sent].iter().all(Result::is_ok), "{results:?}");
    assert!(results[sent..].iter().all(Result::is_err), "they must not be sent");
    for error in results.into_iter().filter_map(Result::err) {
        for key in error.not_deleted() {
            assert!(world.is_there(key.key), "{key:?}");
        }
    }
}

#[test]
fn late_failures_do_not_stop_later_calls() {
    let mut world = World::new(BulkOptions::new().concurrency(4));
    for number in 0..100 {
        world.begin([key(19_000 + number)]);
        world.run();
    }
    world.reply = Some(denied());
    world.begin(keys(0..500));
    world.at += millis(5);
    let late = world.begin(keys(500..1000));
    assert_eq!(world.in_flight.len(), 2);
    assert!(world.step(Duration::MAX), "the first request is denied");
    let after = world.begin(["doc-3000"]);
    assert_eq!(world.in_flight.len(), 2);
    assert!(world.step(Duration::MAX), "the second request is denied");
    world.reply = None;
    world.run();
    let error = world.result(late).unwrap_err();
    assert!(matches!(error.kind(), DeleteErrorKind::Stopped(_)), "{error:?}");
    assert_eq!(error.count(KeyOutcome::Rejected), 500);
    assert_eq!(world.result(after), Ok(()));
}

#[test]
fn an_outage_fails_the_calls_after_its_timeout() {
    let mut world = World::new(BulkOptions::new());
    let before = world.begin(["doc-0"]);
    world.run();
    world.reply = Some(Box::new(|_| Some(Err(TransportError::surely_not_sent("refused")))));
    let call = world.begin(["doc-1"]);
    world.run();
    let error = world.result(call).unwrap_err();
    assert!(error.is_retryable() && !error.may_have_deleted(), "{error:?}");
    assert!(world.at <= seconds(150), "{:?}", world.at);
    // Later calls fail earlier, because nothing was deleted since.
    let (again, begun) = (world.begin(["doc-1"]), world.at);
    world.run();
    let error = world.result(again).unwrap_err();
    assert!(matches!(error.kind(), DeleteErrorKind::Stopped(StopReason::Unreachable(_))));
    assert!(world.at - begun < seconds(10), "{:?}", world.at - begun);
    world.reply = None;
    let after = world.begin(["doc-1"]);
    world.run();
    assert_eq!((world.result(before), world.result(after)), (Ok(()), Ok(())));
}

#[test]
fn the_pace_is_kept_after_a_stop() {
    let mut world = World::new(BulkOptions::new());
    world
        .emulator
        .set_rate_limit(Some(oss_delete_vectors::emulator::RateLimit::new(10.0, 1).unwrap()));
    world.begin(keys(0..15_000));
    world.run();
    let pace = world.metrics().pace;
    assert!(pace.requests_per_second.or(pace.keys_per_second).is_some(), "{pace:?}");
    world.reply = Some(denied());
    let call = world.begin(["doc-1"]);
    world.run();
    assert!(world.result(call).is_err());
    assert_eq!(world.metrics().pace, pace);
}

#[test]
fn rejected_credentials_are_tried_by_the_next_call() {
    let mut world = World::new(BulkOptions::new());
    world.emulator.remove_identity(credentials().access_key_id());
    let call = world.begin(["doc-1"]);
    world.run();
    let error = world.result(call).unwrap_err();
    assert!(matches!(error.kind(), DeleteErrorKind::Stopped(StopReason::Credentials(_))));
    world.emulator.add_identity(Identity::new(credentials()));
    let call = world.begin(["doc-1"]);
    world.run();
    assert_eq!(world.result(call), Ok(()));
}

#[test]
fn a_failing_provider_stops_each_call() {
    let timeout = seconds(60);
    let mut world = World::new(BulkOptions::new().credentials_timeout(timeout));
    world.emulator.remove_identity(credentials().access_key_id());
    for round in 0..10 {
        let (call, begun) = (world.begin(["doc-1"]), world.at);
        world.run();
        let error = world.result(call).unwrap_err();
        assert!(
            matches!(error.kind(), DeleteErrorKind::Stopped(StopReason::CredentialsMissing)),
            "{error:?}"
        );
        assert!(world.at - begun <= timeout + seconds(1), "round {round}");
        let steps = (0..).take_while(|_| world.step(world.at + seconds(1))).take(100).count();
        assert!(steps < 100, "it spins");
        world.run_until(world.at + seconds(7));
    }
    let wrong = Credentials::new(credentials().access_key_id(), WRONG_SECRET).unwrap();
    world.emulator.add_identity(Identity::new(credentials()));
    let call = world.begin(["doc-1"]);
    world.calls.handle_credentials(world.now(), wrong);
    world.drain();
    world.run();
    assert!(world.result(call).unwrap_err().to_string().contains("SignatureDoesNotMatch"));
    let call = world.begin(["doc-1"]);
    world.calls.handle_credentials(world.now(), credentials());
    world.run();
    assert!(world.result(call).is_err(), "it was signed with the old credentials");
    let call = world.begin(["doc-1"]);
    world.run();
    assert_eq!(world.result(call), Ok(()));
}

#[test]
fn a_restarted_run_is_not_stopped() {
    let mut bulk = BulkDelete::new(&target(), credentials(), BulkOptions::new()).unwrap();
    let deleted = Deleted::new("some id").to_response();
    for round in 0..1000 {
        let now = now(seconds(round));
        bulk.push(Key::new("a").unwrap()).unwrap();
        bulk.flush();
        let transmit = bulk.poll_transmit(now).expect("a waiting key");
        bulk.handle_response(now, transmit.id, &deleted);
        bulk.push(Key::new("b").unwrap()).unwrap();
        bulk.stop();
        assert!(bulk.push(Key::new("c").unwrap()).is_err());
        bulk.restart();
        while bulk.poll_event().is_some() {}
    }
    assert!(bulk.stopped().is_none() && !bulk.is_finished());
    assert_eq!((bulk.settled().prefix(), bulk.settled().ranges().count()), (2000, 0));
    let saved = bulk.checkpoint().report();
    assert_eq!((saved.deleted, saved.not_attempted, saved.pushed), (1000, 1000, 2000));
}
