//! A run ends before its source: by a stop, an invalid key, or an unreachable service.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use oss_delete_vectors::bulk::{BulkDelete, Event, KeyOutcome, StopReason};
use oss_delete_vectors::transports::{Run, RunErrorKind, StopHandle};
use oss_delete_vectors::{Deleted, Key, TransportError};

use super::options;
use super::ways::{Job, Way};
use crate::calls::credentials;
use crate::service::{Service, key, real_time};

#[test]
fn stop_waits_for_requests_in_flight() {
    for way in Way::all() {
        let service = Service::with_keys(50_000);
        let stop = StopHandle::new();
        let mut deleted = 0;
        let job = Job::new((0..50_000).map(key)).stop_handle(&stop).on_event(|event| {
            deleted += u32::from(matches!(event, Event::Deleted { .. }));
            if deleted == 3 {
                stop.stop();
            }
        });
        let error = way.run(&service, &options(), job).unwrap_err();
        assert!(
            matches!(error.kind(), RunErrorKind::Stopped(StopReason::Requested)),
            "{way:?}: {error}"
        );
        let report = error.report();
        service.check(report, &format!("{way:?}"));
        assert_eq!((report.deleted, report.unconfirmed), (service.gone(), 0), "{way:?}");
        assert!(report.deleted >= 1500 && report.deleted < 50_000, "{way:?}: {report:?}");
        assert_eq!(service.emulator().requests(), report.requests, "{way:?}");
    }
}

#[test]
fn an_endless_source_can_be_stopped() {
    for way in Way::all() {
        for orders in [StopHandle::stop, StopHandle::abort] {
            let service = Service::with_keys(0);
            let stop = StopHandle::new();
            let job = Job::new((0..).map(key)).stop_handle(&stop).on_event(|_| orders(&stop));
            let report = way.run(&service, &options(), job).unwrap_err().report();
            assert_eq!(report.pending(), 0, "{way:?}");
            assert!(report.deleted >= 500, "{way:?}: {report:?}");
        }
    }
}

#[test]
fn a_stop_does_not_reach_later_runs() {
    for way in Way::all() {
        for orders in [StopHandle::stop, StopHandle::abort] {
            let service = Service::with_keys(10);
            let stop = StopHandle::new();
            orders(&stop.clone());
            let report = way
                .run(&service, &options(), Job::new((0..10).map(key)).stop_handle(&stop))
                .unwrap();
            assert!(report.is_all_deleted(), "{way:?}: {report:?}");
        }
    }
}

#[test]
fn a_stop_before_the_run_begins_sends_nothing() {
    for orders in [StopHandle::stop, StopHandle::abort] {
        let (service, stop) = (Service::with_keys(10), StopHandle::new());
        let send = |_| -> Result<_, TransportError> { panic!("nothing may be sent") };
        let mut bulk = service.bulk(options());
        let run = Run::new(&mut bulk).stop_handle(&stop);
        orders(&stop);
        let error = run.run_blocking((0..10).map(key), send).unwrap_err();
        assert!(matches!(error.kind(), RunErrorKind::Stopped(StopReason::Requested)), "{error}");
        assert_eq!(error.report().pushed, 0);

        #[cfg(feature = "async")]
        {
            use oss_delete_vectors::transports::stream_iter;

            let time = super::virtual_time::VirtualTime::default();
            let mut bulk = service.bulk(options());
            let send = |_| -> std::future::Ready<Result<_, TransportError>> {
                panic!("nothing may be sent")
            };
            let run = Run::new(&mut bulk).stop_handle(&stop);
            let run = run.run_async(stream_iter((0..10).map(key)), send, time.clone());
            // The future is not polled yet.
            orders(&stop);
            let error = time.block_on(run).unwrap_err();
            assert!(
                matches!(error.kind(), RunErrorKind::Stopped(StopReason::Requested)),
                "{error}"
            );
            assert_eq!(error.report().pushed, 0);
        }
    }
}

#[test]
fn one_handle_stops_all_its_runs() {
    let (service, stop) = (Service::with_keys(10), StopHandle::new());
    let [mut first, mut second, mut third] = [(); 3].map(|()| service.bulk(options()));
    let [first, second] = [&mut first, &mut second].map(|bulk| Run::new(bulk).stop_handle(&stop));
    stop.stop();
    let third = Run::new(&mut third).stop_handle(&stop);
    let run = |run: Run<'_>| {
        run.run_blocking(["doc-1"], |_| Ok::<_, TransportError>(Deleted::new("id").to_response()))
    };
    assert_eq!(
        [run(first), run(second), run(third)].map(|ended| ended.is_ok()),
        [false, false, true]
    );
}

#[test]
fn invalid_key_stops_the_run_and_is_reported() {
    for way in Way::all() {
        let service = Service::with_keys(2000);
        let keys = (0..700).map(key).chain([String::new()]).chain((700..2000).map(key));
        let error = way.run(&service, &options(), Job::new(keys)).unwrap_err();
        let RunErrorKind::BadKey { position, invalid, .. } = error.kind() else {
            panic!("{way:?}: {error}")
        };
        assert_eq!((*position, invalid.field()), (700, "key"), "{way:?}");
        let counts = error.to_string();
        assert!(
            counts.starts_with("at position 700: key must be 1 to 1024 characters, not \"\" ("),
            "{way:?}: {counts}"
        );
        assert_eq!(error.report().pushed, 700, "{way:?}");
        service.check(error.report(), &format!("{way:?}"));
        assert_eq!(service.gone(), error.report().deleted, "{way:?}");
    }
}

#[test]
fn stop_from_the_source_discards_waiting_batches() {
    for way in Way::all() {
        let service = Service::with_keys(700);
        let stop = StopHandle::new();
        let breaks_off = stop.clone();
        let keys = (0..700).map(key).chain(std::iter::from_fn(move || {
            breaks_off.stop();
            None
        }));
        let error = way.run(&service, &options(), Job::new(keys).stop_handle(&stop)).unwrap_err();
        let report = error.report();
        service.check(report, &format!("{way:?}"));
        assert!(report.deleted <= 500 && report.requests <= 1, "{way:?}: {report:?}");
        assert_eq!(report.deleted + report.not_attempted, report.pushed, "{way:?}: {report:?}");
        assert_eq!(service.gone(), report.deleted, "{way:?}");
    }
}

#[test]
fn keys_read_ahead_of_a_stop_are_not_attempted() {
    let service = Service::with_keys(500);
    // 9,000 keys are pushed at a concurrency of 1. The others are read ahead.
    let (all_read, is_read) = channel();
    let (_open, never) = channel::<String>();
    let blocks = std::iter::from_fn(move || {
        all_read.send(()).unwrap();
        never.recv().ok()
    });
    let stop = StopHandle::new();
    let (stopping, is_read, responding) = (stop.clone(), Mutex::new(is_read), service.clone());
    let send = move |request| {
        is_read.lock().unwrap().recv().unwrap();
        stopping.stop();
        Ok::<_, TransportError>(responding.respond(real_time(), &request))
    };
    let mut unsent = Vec::new();
    let mut bulk = service.bulk(options().concurrency(1));
    let run = Run::new(&mut bulk).stop_handle(&stop).on_event(|event| {
        if let Event::Failed(failed) = event {
            assert_eq!(
                (failed.outcome, failed.positions.len()),
                (KeyOutcome::NotAttempted, failed.keys.len() as u64)
            );
            unsent.extend(failed.keys.iter().map(|key| key.to_string()));
        }
    });
    let report = run.run_blocking((0..9700).map(key).chain(blocks), send).unwrap_err().report();
    assert_eq!(
        (report.pushed, report.deleted, report.not_attempted, report.pending()),
        (9700, 500, 9200, 0)
    );
    assert!(!report.input_complete && !report.is_all_deleted());
    unsent.sort();
    let mut expected: Vec<_> = (500..9700).map(key).collect();
    expected.sort();
    assert_eq!(unsent, expected);
}

#[test]
fn a_stop_after_all_current_keys_is_an_error() {
    for way in Way::all() {
        let service = Service::with_keys(500);
        let stop = StopHandle::new();
        // An endless source that repeats 500 keys. All of them are deleted, but the source has not
        // ended.
        let keys = (0..).map(|number| key(number % 500));
        let stops = |event| {
            if matches!(event, Event::Deleted { .. }) {
                stop.stop();
            }
        };
        let job = Job::new(keys).stop_handle(&stop).on_event(stops);
        let report = way.run(&service, &options(), job).unwrap_err().report();
        assert!(
            report.deleted >= 500 && !report.input_complete && !report.is_all_deleted(),
            "{way:?}: {report:?}"
        );
    }
}

#[tokio::test]
async fn unreachable_service_is_tried_three_times() {
    use oss_delete_vectors::bulk::BulkDelete;
    use oss_delete_vectors::transports::{
        HyperTransport, Run, TransportOptions, UreqTransport, stream_iter,
    };

    let mut service = Service::with_keys(0);
    let target = service.served_target();
    service.shut_down();
    let bulk = || BulkDelete::new(&target, crate::calls::credentials(), options()).unwrap();
    let keys = || (0..400).map(key);
    let transport_options = TransportOptions::new();

    let ureq = UreqTransport::new(&transport_options);
    let by_ureq =
        Run::new(&mut bulk()).run_blocking(keys(), move |request| ureq.send(request)).unwrap_err();
    let hyper = HyperTransport::new(&transport_options);
    let mut bulk = bulk();
    let run = Run::new(&mut bulk).run_async(
        stream_iter(keys()),
        |request| hyper.send(request),
        tokio::time::sleep,
    );
    let by_hyper = run.await.unwrap_err();
    for error in [by_ureq, by_hyper] {
        assert!(
            matches!(error.kind(), RunErrorKind::Stopped(StopReason::Unreachable(_))),
            "{error}"
        );
        let report = error.report();
        assert_eq!(
            (report.requests, report.not_attempted, report.pending()),
            (3, 400, 0),
            "{error}"
        );
    }
}

/// All its keys would be skipped, and counted as deleted.
#[test]
fn source_shorter_than_the_settled_keys_is_rejected() {
    let service = Service::with_keys(0);
    let mut first = service.bulk(options());
    let all_is_well = |_| Ok::<_, TransportError>(Deleted::new("id").to_response());
    assert!(
        Run::new(&mut first)
            .run_blocking((0..1200).map(key), all_is_well)
            .unwrap()
            .is_all_deleted()
    );
    let saved = first.checkpoint();
    for (keys, expected) in [(1200, None), (1199, Some((1199, 1200))), (0, Some((0, 1200)))] {
        let mut second =
            BulkDelete::resume(&service.target, credentials(), options(), &saved).unwrap();
        match Run::new(&mut second).run_blocking((0..keys).map(key), all_is_well) {
            Ok(report) => assert_eq!((expected, report.requests), (None, 3)),
            Err(error) => match error.kind() {
                RunErrorKind::SourceTooShort { position, settled, .. } => {
                    assert_eq!(Some((*position, *settled)), expected);
                    let text = format!(
                        "the keys end at position {keys}, but the checkpoint has positions up to 1200: it is of other keys"
                    );
                    assert!(error.to_string().starts_with(&text), "{error}");
                }
                kind => panic!("{kind:?}"),
            },
        }
    }

    // Settled out of order: positions after a gap count as well.
    let mut gaps = service.bulk(options());
    for number in 0..1200 {
        gaps.push(Key::new(&key(number)).unwrap()).unwrap();
    }
    let ids: Vec<_> = std::iter::from_fn(|| gaps.poll_transmit(real_time()))
        .map(|transmit| transmit.id)
        .collect();
    gaps.handle_response(real_time(), ids[1], &Deleted::new("id").to_response());
    let mut second =
        BulkDelete::resume(&service.target, credentials(), options(), &gaps.checkpoint()).unwrap();
    let error = Run::new(&mut second).run_blocking((0..999).map(key), all_is_well).unwrap_err();
    assert!(
        matches!(error.kind(), RunErrorKind::SourceTooShort { position: 999, settled: 1000, .. }),
        "{error}"
    );
    assert_eq!(error.report().deleted, 999 + 1);
}
