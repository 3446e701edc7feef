//! What becomes of a listing whose requests fail, are rejected, or get lost.

use std::collections::BTreeSet;
use std::time::Duration;

use oss_delete_vectors::bulk::{BulkOptions, StopReason};
use oss_delete_vectors::emulator::Identity;
use oss_delete_vectors::{
    Credentials, KeyLister, ListEvent, ListVectors, Listed, Selection, TransportError, Vector, code,
};

use super::{World, error, holding, lister};
use crate::calls::{ACCESS_KEY_ID, credentials, now, target, time};
use crate::canary::SECRET;

#[test]
fn an_expired_token_starts_the_segment_again() {
    let mut emulator = holding(5000);
    emulator.set_token_lifetime(Some(Duration::from_secs(10)));
    let mut world = World::new(lister(Selection::all()), emulator);
    world.turn();
    world.passed = Duration::from_secs(11);
    world.run();
    let restarted = |event: &&ListEvent| matches!(event, ListEvent::Restarted { error, .. } if error.code() == Some("VectorIndexParameterInvalid"));
    assert_eq!(world.events.iter().filter(restarted).count(), 1, "{:?}", world.events);
    assert_eq!(world.lister.report().restarts, 1);
    let unique: BTreeSet<_> = world.keys.iter().collect();
    assert_eq!(unique.len(), 5000);
    assert!(world.keys.len() > 5000, "the first pages must be listed again");
}

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
        let stopped = world.lister.stopped().expect("it stopped");
        let code = stopped.attempt_error().and_then(|error| error.code());
        assert_eq!((code, world.lister.report().requests), (Some(failure.code()), times));
        assert!(matches!(world.stopped(), StopReason::Rejected(_)), "{:?}", world.stopped());
        let text = world.lister.stopped().unwrap().to_string();
        assert!(text.starts_with("the listing stopped: "), "{text}");
    }
}

#[test]
fn page_rejected_for_an_unknown_reason_is_retried_first() {
    for (rejections, retries, restarts) in [(2, 2, 0), (3, 2, 1), (5, 4, 1), (6, 5, 1)] {
        let mut world = World::new(lister(Selection::all()), holding(3000));
        world.turn();
        (0..rejections).for_each(|_| world.emulator.fail_next(error(400, "SomethingNew"), 0));
        // After a restart, the first page has no token, and is retried ten times.
        world.run();
        let report = world.lister.report();
        assert_eq!((report.retries, report.restarts), (retries, restarts), "{rejections}");
    }
}

#[test]
fn back_off_of_a_page_grows_until_it_comes() {
    let second = Duration::from_secs(1);
    for failure in [error(503, code::QPS_LIMIT_EXCEEDED), error(500, code::INTERNAL_ERROR)] {
        let mut longest = Duration::ZERO;
        for seed in 0..20 {
            let options = BulkOptions::new().back_off(second, 1000 * second).seed(seed);
            let lister = KeyLister::new(&target(), credentials(), Selection::all(), options);
            let mut world = World::new(lister.unwrap(), holding(5000));
            world.turn();
            for most in [1, 2, 4, 8, 0, 1] {
                if most > 0 {
                    world.emulator.fail_next(failure.clone(), 0);
                }
                world.turn();
                let due = world.lister.poll_timeout().unwrap();
                let wait = due.saturating_sub(world.passed);
                assert!(wait <= most * second, "{wait:?}");
                longest = longest.max(wait);
                world.passed = due.max(world.passed);
                world.lister.handle_timeout(now(world.passed));
            }
        }
        assert!(longest > 4 * second, "{longest:?}");
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
    let lost = || TransportError::may_have_arrived("connection reset");
    let refused = || TransportError::surely_not_sent("connection refused");
    for failure in [lost(), lost(), refused(), refused(), refused()] {
        let passed = lister.poll_timeout().unwrap_or_default();
        let transmit =
            lister.poll_transmit(now(passed)).expect("three are not sent before it stops");
        lister.handle_failure(now(passed), transmit.id, failure);
    }
    let reason = lister.stopped().unwrap().reason();
    assert!(matches!(reason, StopReason::Unreachable(_)), "{reason:?}");
}

#[test]
fn first_minute_waits_for_the_request_in_flight() {
    let minute = Duration::from_secs(60);
    for is_in_flight in [false, true] {
        let mut lister = lister(Selection::all());
        let send = |lister: &mut KeyLister| {
            let passed = lister.poll_timeout().unwrap_or_default();
            (passed, lister.poll_transmit(now(passed)).unwrap().id)
        };
        let lost = || TransportError::may_have_arrived("connection reset");
        for _ in 0..2 {
            let (passed, id) = send(&mut lister);
            lister.handle_failure(now(passed), id, lost());
        }
        let sent = is_in_flight.then(|| send(&mut lister));
        lister.handle_timeout(now(minute - Duration::from_millis(1)));
        assert_eq!(lister.stopped(), None);
        lister.handle_timeout(now(minute));
        assert_eq!(lister.stopped().is_none(), is_in_flight);
        if let Some((_, id)) = sent {
            lister.handle_failure(now(minute), id, lost());
        }
        let reason = lister.stopped().unwrap().reason();
        assert!(matches!(reason, StopReason::NoSuccess(_)), "{reason:?}");
    }
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
    assert!(lister.is_in_flight(lost.id));
    lister.handle_timeout(now(Duration::from_secs(75)));
    assert!(!lister.is_in_flight(lost.id));
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
            let transmit = world.lister.poll_transmit(now(world.passed));
            assert!(transmit.is_none(), "the credentials have expired");
            world.emulator.add_identity(Identity::new(expiring(9999)));
            world.lister.handle_credentials(now(world.passed), expiring(9999));
        }
        world.run();
        assert_eq!(world.lister.stopped().is_none(), is_renewed);
        assert_eq!(world.keys.len() == 5000, is_renewed);
        assert_eq!(world.lister.poll_timeout(), None, "it has ended");
        world.lister.handle_timeout(now(Duration::from_secs(99_999)));
        assert_eq!(world.lister.poll_event(), None, "an ended listing needs no credentials");
    }
}
