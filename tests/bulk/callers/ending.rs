use super::*;

#[test]
fn close_drains() {
    let mut world = World::new(BulkOptions::new().concurrency(1));
    let calls = [world.begin(keys(0..1200)), world.begin(["doc-5000"])];
    world.calls.close();
    let late = world.begin(["doc-6000", "doc-6001"]);
    let error = world.result(late).unwrap_err();
    assert_eq!(*error.kind(), DeleteErrorKind::Closed);
    assert_eq!(error.count(KeyOutcome::NotAttempted), 2);
    assert!(!world.calls.is_finished());
    world.run();
    assert!(calls.iter().all(|&call| world.result(call) == Ok(())) && world.calls.is_finished());
    assert!(!World::new(BulkOptions::new()).calls.is_finished(), "it is not closed");
    assert!(world.is_there("doc-6000"));
    assert!(world.calls.poll_timeout().is_none());
}

#[test]
fn an_abandoned_call_is_deleted_without_a_result() {
    let mut world = World::new(BulkOptions::new().concurrency(1));
    let call = world.begin(keys(0..1200));
    world.calls.abandon(call);
    world.calls.close();
    assert!(!world.calls.is_finished(), "its keys are still deleted");
    world.run();
    assert!(world.calls.is_finished() && world.finished.is_empty());
    assert!(!keys(0..1200).any(|key| world.is_there(&key)));
}

#[test]
fn keys_of_an_abandoned_call_outlive_its_timeout() {
    let mut world = World::new(BulkOptions::new().concurrency(1));
    let timeout = world.latency / 2;
    let call = world.begin_call(Call::new(keys(0..1200)).unwrap().timeout(timeout));
    world.calls.abandon(call);
    world.run();
    assert!(world.at > timeout && world.finished.is_empty());
    assert!(!keys(0..1200).any(|key| world.is_there(&key)));
    assert!(world.calls.poll_timeout().is_none());
}

#[test]
fn abort_gives_every_call_a_result() {
    let mut world = World::new(BulkOptions::new().concurrency(1));
    world.begin(["doc-0"]);
    world.run();
    let calls = [world.begin(keys(0..1200)), world.begin(["doc-5000"]), world.begin(["doc-9000"])];
    world.calls.abort();
    world.drain();
    for call in calls {
        let error = world.result(call).unwrap_err();
        assert_eq!(*error.kind(), DeleteErrorKind::Closed);
        for not_deleted in error.not_deleted() {
            let is_in_flight = world.in_flight.iter().any(|(_, _, request)| {
                let quoted = format!("{:?}", not_deleted.key);
                String::from_utf8_lossy(request.body()).contains(&quoted)
            });
            let is_unconfirmed = not_deleted.outcome == KeyOutcome::Unconfirmed;
            assert_eq!(is_unconfirmed, is_in_flight, "{not_deleted:?}");
        }
    }
    assert!(world.calls.is_finished());
}

#[test]
fn aborted_calls_need_no_credentials() {
    let at = now(Duration::ZERO);
    let expiring = credentials().with_expiration(at.wall + seconds(1000));
    let mut calls = Calls::new(&target(), expiring, BulkOptions::new()).unwrap();
    calls.enable_renewal();
    calls.handle_timeout(at);
    assert_eq!(calls.poll_timeout(), Some(seconds(700)));
    calls.abort();
    assert_eq!(calls.poll_timeout(), None);
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let run = || {
        let mut world = World::new(BulkOptions::new().concurrency(3).seed(7));
        let mut sent = Vec::new();
        for number in 0..300 {
            world.begin(keys(7 * number..7 * number + 1 + number % 30));
            sent.extend(
                world.in_flight.iter().map(|(_, id, request)| format!("{id:?} {request:?}")),
            );
            world.run_until(world.at + millis(3));
        }
        world.run();
        (sent, world.finished)
    };
    assert!(run() == run());
}
