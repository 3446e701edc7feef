//! Positions, duplicates, back pressure, and invalid options.

use std::time::Duration;

use http::StatusCode;
use oss_delete_vectors::bulk::{Adaptive, BulkDelete, BulkOptions, Event, Rate, TransmitId};
use oss_delete_vectors::{Deleted, Key, KeyLister, Now, Selection, ServiceError, code};

use crate::run::{Run, SECOND, credentials, deleted, key, start, target};

fn bulk(options: BulkOptions) -> BulkDelete {
    BulkDelete::new(&target(), credentials(), options).unwrap()
}

fn push(bulk: &mut BulkDelete, number: u64) -> bool {
    bulk.push(Key::new(&key(number)).unwrap()).is_ok()
}

fn now() -> Now {
    Now::new(Duration::ZERO, start())
}

#[test]
fn duplicates_within_a_batch_are_dropped_and_counted() {
    // 250 keys, each twice in a row, and the same 250 keys once more in the same batch.
    let twice = (0..250).flat_map(|number| [number, number]);
    let run =
        Run::new(BulkOptions::new(), |_| deleted()).keys(twice.chain(0..250).map(key)).delete_all();
    let report = run.bulk.report();
    assert_eq!((run.requests.as_slice()[0].1, run.requests.len()), (250, 1));
    assert_eq!((report.pushed, report.deleted, report.duplicates), (750, 250, 500));
    assert_eq!(run.bulk.settled().prefix(), 750);
}

#[test]
fn duplicates_in_another_batch_are_kept() {
    let run = Run::new(BulkOptions::new(), |_| deleted())
        .keys((0..500).chain(0..500).map(key))
        .delete_all();
    let report = run.bulk.report();
    assert_eq!((run.requests.len(), report.deleted, report.duplicates), (2, 1000, 0));
}

/// Their positions take memory, so that a batch has at most 8,192 of them.
#[test]
fn batch_is_closed_when_it_has_too_many_duplicates() {
    let most = 2 + 8192;
    for (keys, requests) in [(most, 1), (most + 1, 2), (3 * most, 3)] {
        let run = Run::new(BulkOptions::new(), |_| deleted())
            .keys((0..keys).map(|position| key(position % 2)))
            .delete_all();
        let report = run.bulk.report();
        assert_eq!((run.requests.len(), report.pushed), (requests, keys));
        assert_eq!(report.deleted + report.duplicates, keys);
    }
}

#[test]
fn settled_ranges_cover_finished_positions() {
    let mut bulk = bulk(BulkOptions::new().rate(Rate::Unlimited));
    (0..2000).for_each(|number| assert!(push(&mut bulk, number)));
    let ids: Vec<TransmitId> =
        std::iter::from_fn(|| bulk.poll_transmit(now())).map(|transmit| transmit.id).collect();
    assert_eq!(ids.len(), 4);
    let mut settle = |id| {
        bulk.handle_response(now(), id, &Deleted::new("id").to_response());
        (
            bulk.settled().prefix(),
            bulk.settled().ranges().map(|range| (range.start, range.end)).collect::<Vec<_>>(),
        )
    };
    assert_eq!(settle(ids[2]), (0, vec![(1000, 1500)]));
    assert_eq!(settle(ids[0]), (500, vec![(1000, 1500)]));
    assert_eq!(settle(ids[3]), (500, vec![(1000, 2000)]));
    assert_eq!(settle(ids[1]), (2000, vec![]));
    assert!(bulk.settled().contains(1999) && !bulk.settled().contains(2000));
}

#[test]
fn can_push_bounds_unsettled_keys() {
    let failed = ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "m")
        .with_request_id("id")
        .to_response();
    for concurrency in [1, 16, 64] {
        let mut bulk = bulk(BulkOptions::new().concurrency(concurrency));
        let mut pushed = 0;
        while push(&mut bulk, pushed) {
            pushed += 1;
        }
        assert_eq!(pushed, 500 * (2 * concurrency as u64 + 16));
        assert!(!bulk.can_push() && !bulk.is_finished());
        let transmit = bulk.poll_transmit(now()).unwrap();
        assert!(!bulk.can_push(), "it is in flight");
        bulk.handle_response(now(), transmit.id, &Deleted::new("id").to_response());
        assert!(bulk.can_push(), "there must be room again");
        (0..500).for_each(|number| assert!(push(&mut bulk, number)));
        let transmit = bulk.poll_transmit(now()).unwrap();
        bulk.handle_response(now(), transmit.id, &failed);
        assert!(!bulk.can_push(), "it waits for its back-off");
    }
}

/// Three full batches are built together, if all of them may go out at once.
#[test]
fn keys_are_wanted_while_their_batches_may_go_out_at_once() {
    let batches = |bulk: &mut BulkDelete| {
        let before = bulk.position();
        while bulk.wants_keys() {
            assert!(push(bulk, bulk.position()));
        }
        let batches = (bulk.position() - before) / 500;
        let ids: Vec<_> = std::iter::from_fn(|| bulk.poll_transmit(now())).collect();
        (batches, ids.into_iter().map(|transmit| transmit.id).collect::<Vec<_>>())
    };
    let options = || BulkOptions::new().rate(Rate::Unlimited);
    for (options, expected) in [
        (options(), [3, 3, 3]),
        (options().concurrency(2), [2, 1, 0]),
        (options().concurrency(4), [3, 1, 1]),
        // The second one waits for its slot.
        (options().rate(Rate::Fixed(10.0)), [1, 1, 0]),
        // The window is two requests at first.
        (BulkOptions::new(), [2, 1, 0]),
    ] {
        let mut bulk = bulk(options.clone());
        let found = [(); 3].map(|()| batches(&mut bulk).0);
        assert_eq!(found, expected, "{options:?}");
    }
    // Once the pace is known, one at a time.
    let mut bulk = bulk(BulkOptions::new().concurrency(8));
    let (_, sent) = batches(&mut bulk);
    let slow_down =
        ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code::SLOW_DOWN, "m").to_response();
    bulk.handle_response(now(), sent[0], &Deleted::new("id").to_response());
    bulk.handle_response(now(), sent[1], &slow_down);
    let later = Now::new(10 * SECOND, start());
    assert!(bulk.poll_transmit(later).is_some(), "the throttled one is sent again");
    assert_eq!(batches(&mut bulk).0, 1);
    let mut ended = BulkDelete::new(&target(), credentials(), BulkOptions::new()).unwrap();
    ended.finish();
    assert!(!ended.wants_keys(), "none can be pushed");
}

#[test]
fn pending_events_block_pushing() {
    let mut bulk = bulk(BulkOptions::new().rate(Rate::Unlimited));
    let mut sent = 0;
    (0..500).for_each(|number| assert!(push(&mut bulk, number)));
    loop {
        (0..500).for_each(|number| _ = push(&mut bulk, 500 * (sent + 1) + number));
        let Some(transmit) = bulk.poll_transmit(now()) else { break };
        bulk.handle_response(now(), transmit.id, &Deleted::new("id").to_response());
        sent += 1;
    }
    assert_eq!(sent, 64);
    assert!(!bulk.can_push() && bulk.poll_timeout().is_none());
    assert!(matches!(bulk.poll_event(), Some(Event::Deleted { keys: 500, .. })));
    assert!(bulk.can_push() && bulk.poll_transmit(now()).is_some());
}

#[test]
fn push_fails_after_the_end() {
    let mut finished = bulk(BulkOptions::new());
    finished.finish();
    assert!(finished.is_finished() && !finished.can_push() && !push(&mut finished, 0));
    assert_eq!(finished.report().pushed, 0);
    assert_eq!(
        finished.push(Key::new("late").unwrap()).unwrap_err().to_string(),
        "no key can be pushed now: drain transmits and events, and ask can_push",
    );
}

#[test]
fn keys_read_before_a_stop_count_as_not_attempted() {
    let mut bulk = bulk(BulkOptions::new());
    let read = |bulk: &mut BulkDelete| bulk.push_unsent(Key::new("read").unwrap());
    assert!(read(&mut bulk).is_err() && push(&mut bulk, 0));
    bulk.stop();
    assert!(!push(&mut bulk, 1) && read(&mut bulk).is_ok());
    bulk.finish();
    let report = bulk.report();
    assert_eq!((report.pushed, report.not_attempted, bulk.is_finished()), (2, 2, true));
}

#[test]
fn repeated_and_unknown_responses_are_ignored() {
    let mut other = bulk(BulkOptions::new().rate(Rate::Unlimited));
    let mut bulk = bulk(BulkOptions::new());
    for bulk in [&mut other, &mut bulk] {
        (0..1000).for_each(|number| assert!(push(bulk, number)));
    }
    _ = other.poll_transmit(now());
    let stranger = other.poll_transmit(now()).unwrap().id;
    let id = bulk.poll_transmit(now()).unwrap().id;
    bulk.handle_response(now(), stranger, &Deleted::new("id").to_response());
    assert_eq!(bulk.report().deleted, 0);
    for _ in 0..3 {
        bulk.handle_response(now(), id, &Deleted::new("id").to_response());
    }
    assert_eq!((bulk.report().deleted, bulk.in_flight()), (500, 0));
}

#[test]
fn spurious_timeouts_change_nothing() {
    let mut run = Run::new(BulkOptions::new(), |_| deleted()).keys((0..3000).map(key));
    run.until(|run| run.bulk.report().deleted > 1000);
    let report = run.bulk.report();
    for _ in 0..100 {
        run.bulk.handle_timeout(run.client_now());
    }
    assert_eq!(run.bulk.report(), report);
    // A time before the last one is treated as the last one.
    run.bulk.handle_timeout(Now::new(Duration::ZERO, start()));
    assert_eq!(run.delete_all().outcomes(), [3000, 0, 0, 0]);
}

#[test]
fn a_target_without_an_index_is_rejected() {
    let target = target().with_index_name(None).unwrap();
    let run = BulkDelete::new(&target, credentials(), BulkOptions::new()).map(drop);
    let options = BulkOptions::new();
    let listing = KeyLister::new(&target, credentials(), Selection::all(), options).map(drop);
    for result in [run, listing] {
        assert_eq!(result.unwrap_err().to_string(), "index name must be set");
    }
}

#[test]
fn invalid_options_are_rejected() {
    let options = BulkOptions::new;
    for (options, expected) in [
        (options().concurrency(0), r#"concurrency must be 1 to 10000, not "0""#),
        (options().concurrency(10_001), r#"concurrency must be 1 to 10000, not "10001""#),
        (
            options().rate(Rate::Fixed(0.0)),
            r#"requests a second must be 0.001 to 1000000, not "0""#,
        ),
        (
            options().rate(Rate::Fixed(f64::NAN)),
            r#"requests a second must be 0.001 to 1000000, not "NaN""#,
        ),
        (
            options().rate(Adaptive::new().max_requests_per_second(-1.0)),
            r#"requests a second must be 0.001 to 1000000, not "-1""#,
        ),
        (
            options().rate(Adaptive::new().max_requests_per_second(2e6)),
            r#"requests a second must be 0.001 to 1000000, not "2000000""#,
        ),
        (
            options().rate(Adaptive::new().max_keys_per_second(0.0)),
            r#"keys a second must be 0.001 to 1000000000, not "0""#,
        ),
        (
            options().rate(Adaptive::new().max_keys_per_second(2e9)),
            r#"keys a second must be 0.001 to 1000000000, not "2000000000""#,
        ),
        (options().max_attempts(0), r#"max attempts must be at least 1, not "0""#),
        (
            options().back_off(Duration::ZERO, SECOND),
            r#"back-off must be at least 10ms, not "0ns""#,
        ),
        (
            options().back_off(Duration::from_micros(9999), SECOND),
            r#"back-off must be at least 10ms, not "9.999ms""#,
        ),
        (
            options().back_off(SECOND, SECOND / 2),
            r#"cap of the back-off must be at least its base, not "500ms""#,
        ),
        (
            options().response_timeout(Duration::ZERO),
            r#"response timeout must be above 0, not "0ns""#,
        ),
    ] {
        let refused = BulkDelete::new(&target(), credentials(), options).unwrap_err();
        assert_eq!(refused.to_string(), expected);
    }
    let shortest = Duration::from_millis(10);
    for options in [
        options().concurrency(1).max_attempts(1).back_off(shortest, shortest),
        options().concurrency(10_000).rate(Rate::Fixed(1e6)),
    ] {
        assert!(BulkDelete::new(&target(), credentials(), options).is_ok());
    }
}

#[test]
fn single_flushed_keys_do_not_starve_a_full_batch() {
    let options = BulkOptions::new().concurrency(1);
    let mut bulk = BulkDelete::new(&target(), credentials(), options).unwrap();
    let throttled =
        ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code::SLOW_DOWN, "m").to_response();
    let (mut next, mut sizes) = (0, Vec::new());
    let mut push_one = |bulk: &mut BulkDelete| {
        next += u64::from(push(bulk, next));
    };
    // Every 200 ms, a response arrives and a new key is flushed. For 100 seconds no batch of 500
    // keys is accepted.
    for round in 0..3000 {
        let at = Duration::from_millis(200 * round);
        let now = Now::new(at, start() + at);
        if round == 1 {
            (0..500).for_each(|_| push_one(&mut bulk));
        }
        push_one(&mut bulk);
        bulk.flush();
        let Some(transmit) = bulk.poll_transmit(now) else { continue };
        sizes.push(transmit.keys);
        if transmit.keys >= 400 && at < 100 * SECOND {
            bulk.handle_response(now, transmit.id, &throttled);
        } else {
            bulk.handle_response(now, transmit.id, &Deleted::new("id").to_response());
        }
        while bulk.poll_event().is_some() {}
    }
    assert!(bulk.settled().contains(400), "{sizes:?}");
}
