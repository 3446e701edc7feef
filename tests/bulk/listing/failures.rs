//! The effect of failures on a listing.

use super::*;

#[test]
fn tokens_that_always_expire_stop_the_listing() {
    let mut emulator = holding(5000);
    emulator.set_token_lifetime(Some(Duration::ZERO));
    let mut world = World::new(lister(Selection::all()), emulator);
    world.run();
    assert!(matches!(world.stopped(), StopReason::Rejected(_)), "{:?}", world.stopped());
    assert_eq!(world.lister.report().restarts, 10);
}

#[test]
fn rejected_requests_stop_the_listing() {
    for (failure, times) in [
        (error(403, code::ACCESS_DENIED), 1),
        (error(404, code::NO_SUCH_VECTOR_INDEX), 1),
        (error(400, code::VECTOR_INDEX_PARAMETER_INVALID), 1),
        (error(400, "SomethingNew"), 10),
        (error(422, "SomethingNew"), 10),
    ] {
        let mut emulator = holding(10);
        (0..20).for_each(|_| emulator.fail_next(failure.clone(), 0));
        let mut world = World::new(lister(Selection::all()), emulator);
        world.run();
        let code = world.stopped().attempt_error().and_then(|error| error.code());
        assert_eq!((code, world.lister.report().requests), (Some(failure.code()), times));
        let text = world.lister.stopped().unwrap().to_string();
        assert!(text.starts_with("the listing stopped: "), "{text}");
    }
}

#[test]
fn failures_are_retried_and_stop_the_start() {
    for (failures, is_stopped) in [(9, false), (10, true)] {
        let mut emulator = holding(10);
        (0..failures).for_each(|_| emulator.fail_next(error(500, code::INTERNAL_ERROR), 0));
        let mut world = World::new(lister(Selection::all()), emulator);
        world.run();
        assert_eq!(world.lister.stopped().is_some(), is_stopped, "{failures}");
        assert_eq!(world.keys.len(), if is_stopped { 0 } else { 10 });
        assert_eq!(world.lister.report().retries, 9);
    }
    let mut lister = lister(Selection::all());
    for _ in 0..3 {
        let passed = lister.poll_timeout().unwrap_or_default();
        let transmit = lister.poll_transmit(now(passed)).unwrap();
        let refused = TransportError::surely_not_sent("connection refused");
        lister.handle_failure(now(passed), transmit.id, refused);
    }
    let reason = lister.stopped().unwrap().reason();
    assert!(matches!(reason, StopReason::Unreachable(_)), "{reason:?}");
}

#[test]
fn outages_are_reported_and_survived() {
    let mut world = World::new(lister(Selection::all()), holding(3000));
    world.turn();
    (0..40).for_each(|_| world.emulator.fail_next(error(503, "ServiceUnavailable"), 0));
    world.run();
    assert_eq!(world.keys.len(), 3000);
    let outages: Vec<_> = world
        .events
        .iter()
        .filter(|event| {
            matches!(event, ListEvent::OutageBegan { .. } | ListEvent::OutageEnded { .. })
        })
        .collect();
    let [ListEvent::OutageBegan { lasted, .. }, ListEvent::OutageEnded { lasted: whole, .. }] =
        outages[..]
    else {
        panic!("{outages:?}")
    };
    assert!(*lasted >= Duration::from_secs(60) && whole > lasted);

    let options = BulkOptions::new().outage_timeout(Duration::from_secs(90));
    let lister = KeyLister::new(&target(), credentials(), Selection::all(), options).unwrap();
    let mut world = World::new(lister, holding(3000));
    world.turn();
    (0..400).for_each(|_| world.emulator.fail_next(error(503, "ServiceUnavailable"), 0));
    world.run();
    assert!(matches!(world.stopped(), StopReason::Outage(_)));
    assert!((90..91).contains(&world.passed.as_secs()), "{:?}", world.passed);
}

#[test]
fn retry_after_delays_every_segment() {
    let mut world = World::new(lister(Selection::all().segments(4).unwrap()), holding(9000));
    world.turn();
    let slow = error(503, code::SLOW_DOWN).with_retry_after(Duration::from_secs(17));
    world.emulator.fail_next(slow, 0);
    world.turn();
    let due = world.lister.poll_timeout().unwrap();
    assert_eq!(due, Duration::from_secs(17));
    assert!(world.lister.poll_transmit(now(due - Duration::from_millis(1))).is_none());
    world.run();
    assert_eq!((world.keys.len(), world.lister.report().throttled), (9000, 1));
    assert!(world.events.contains(&ListEvent::Throttled));
}

#[test]
fn missing_responses_time_out() {
    let mut lister = lister(Selection::all());
    let lost = lister.poll_transmit(now(Duration::ZERO)).unwrap();
    assert_eq!(lister.poll_timeout(), Some(Duration::from_secs(75)));
    lister.handle_timeout(now(Duration::from_secs(75)));
    let Some(ListEvent::Retrying { error, .. }) = lister.poll_event() else { panic!("{lister:?}") };
    assert!(error.to_string().contains("timed out after 75s"), "{error}");
    let late = Listed::new("id", vec![Vector::new("late").unwrap()]).to_response();
    lister.handle_response(now(Duration::from_secs(76)), lost.id, &late);
    assert_eq!(lister.poll_key(), None, "responses to old ids must be ignored");
}

#[test]
fn circular_pages_stop_the_listing() {
    // `start` pages, then a circle of `length`.
    for (start, length) in [(0, 1), (0, 2), (1, 1), (1, 2), (5, 3), (2, 20), (30, 7)] {
        let mut lister = lister(Selection::all());
        let mut passed = Duration::ZERO;
        while !lister.is_finished() {
            while let Some(transmit) = lister.poll_transmit(now(passed)) {
                let call = ListVectors::parse_request(&target(), &transmit.request).unwrap();
                let page = call.token().map_or(0, |token| token.parse::<u32>().unwrap() + 1);
                let next = if page >= start + length { page - length } else { page };
                let page = Listed::new("id", vec![Vector::new("a").unwrap()])
                    .with_next_token(next.to_string());
                lister.handle_response(now(passed), transmit.id, &page.to_response());
            }
            while lister.poll_key().is_some() {}
            passed = lister.poll_timeout().unwrap_or(passed);
            assert!(lister.report().requests < 1000, "{start} {length}");
        }
        let error = lister.stopped().unwrap().to_string();
        assert!(
            error.contains("the token of the next page is that of an earlier page"),
            "{start} {length}: {error}"
        );
    }
}

#[test]
fn the_clock_is_corrected() {
    let skewed = Duration::from_secs(3600);
    let mut lister = lister(Selection::all());
    let mut emulator = holding(10);
    while !lister.is_finished() {
        while let Some(transmit) = lister.poll_transmit(now(Duration::ZERO)) {
            let response = emulator.handle(now(skewed), &transmit.request);
            lister.handle_response(now(Duration::ZERO), transmit.id, &response);
        }
        while lister.poll_key().is_some() {}
    }
    assert_eq!(lister.poll_event(), Some(ListEvent::ClockCorrected));
    assert_eq!((lister.report().selected, lister.report().requests), (10, 2));
}

#[test]
fn credentials_are_renewed_or_stop_the_listing() {
    let expiring = |seconds| {
        Credentials::new(ACCESS_KEY_ID, SECRET)
            .and_then(|pair| pair.with_security_token(format!("token-{seconds}")))
            .unwrap()
            .with_expiration(time() + Duration::from_secs(seconds))
    };
    for is_renewed in [true, false] {
        let mut emulator = holding(5000);
        emulator.add_identity(Identity::new(expiring(100)));
        let options = BulkOptions::new();
        let mut lister =
            KeyLister::new(&target(), expiring(100), Selection::all(), options).unwrap();
        if is_renewed {
            lister.enable_renewal();
        }
        let mut world = World::new(lister, emulator);
        world.turn();
        assert_eq!(world.events.contains(&ListEvent::CredentialsNeeded), is_renewed);
        world.passed = Duration::from_secs(101);
        if is_renewed {
            world.emulator.add_identity(Identity::new(expiring(9999)));
            world.lister.handle_credentials(now(world.passed), expiring(9999));
        }
        world.run();
        assert_eq!(world.lister.stopped().is_none(), is_renewed);
        assert_eq!(world.keys.len() == 5000, is_renewed);
    }
}
