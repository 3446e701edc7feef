//! The blocking loop alone: threads can block forever, panic, and outlive the run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use oss_delete_vectors::bulk::{BulkDelete, Event, Rate, StopReason};
use oss_delete_vectors::transports::{Run, RunErrorKind, StopHandle};
use oss_delete_vectors::{Credentials, Deleted, TransportError};

use super::options;
use crate::calls::ACCESS_KEY_ID;
use crate::service::{Service, key, real_time};

fn send(
    service: &Service,
) -> impl Fn(Request<Bytes>) -> Result<Response<Bytes>, TransportError> + Send + Sync + 'static {
    let service = service.clone();
    move |request| Ok(service.respond(real_time(), &request))
}

#[test]
fn a_stopped_run_does_not_wait_for_a_blocked_source() {
    for orders in [StopHandle::stop, StopHandle::abort] {
        let service = Service::with_keys(3);
        let (feed, source) = channel();
        (0..3).for_each(|number| feed.send(key(number)).unwrap());
        let stop = StopHandle::new();
        let mut bulk = service.bulk(options());
        // The partial batch is sent, its response arrives, and the source stays open.
        let run = Run::new(&mut bulk).stop_handle(&stop).on_event(|_| orders(&stop));
        let error = run.run_blocking(source, send(&service)).unwrap_err();
        assert_eq!((error.report().deleted, service.gone()), (3, 3));
        drop(feed);
    }
}

#[test]
fn all_allowed_requests_are_in_flight() {
    let service = Service::with_keys(0);
    let mut bulk = service.bulk(options().concurrency(8).rate(Rate::Unlimited));
    // None of the first eight continues before all have arrived.
    let (barrier, sent) = (Barrier::new(8), AtomicU32::new(0));
    let send = move |_| {
        if sent.fetch_add(1, Ordering::Relaxed) < 8 {
            barrier.wait();
        }
        Ok::<_, TransportError>(Deleted::new("id").to_response())
    };
    let report = Run::new(&mut bulk).run_blocking((0..16 * 500).map(key), send).unwrap();
    assert_eq!(report.deleted, 8000);
}

#[test]
fn an_aborted_run_does_not_wait_for_requests() {
    let service = Service::with_keys(0);
    // Ends a run that would wait.
    let mut bulk = service.bulk(options().max_attempts(1).response_timeout(Duration::from_secs(5)));
    let stop = StopHandle::new();
    let (never, responses) = channel::<()>();
    let responses = Mutex::new(responses);
    let from_send = stop.clone();
    let send = move |_| {
        from_send.abort();
        let _ = responses.lock().unwrap().recv();
        Err(TransportError::may_have_arrived("the test is over"))
    };
    let on_event = |event| {
        if let Event::Failed(failed) = event {
            assert_eq!(failed.error, None, "there is no error yet");
        }
    };
    let run = Run::new(&mut bulk).stop_handle(&stop).on_event(on_event);
    let error = run.run_blocking((0..10).map(key), send).unwrap_err();
    assert_eq!((error.report().unconfirmed, error.report().pending()), (10, 0));
    drop(never);
}

#[test]
fn missing_credentials_stop_the_run() {
    let service = Service::with_keys(10);
    service.emulator().remove_identity(ACCESS_KEY_ID);
    let mut bulk = service.bulk(options().credentials_timeout(Duration::from_millis(20)));
    let (never, credentials): (Sender<Credentials>, Receiver<Credentials>) = channel();
    let error = Run::new(&mut bulk)
        .credentials_provider(move || credentials.recv())
        .run_blocking((0..10).map(key), send(&service))
        .unwrap_err();
    assert!(
        matches!(error.kind(), RunErrorKind::Stopped(StopReason::CredentialsMissing)),
        "{error}"
    );
    assert_eq!(error.report().rejected, 10);
    drop(never);
}

#[test]
fn nothing_outlives_a_finished_run() {
    let service = Service::with_keys(5000);
    let held = Arc::new(());
    let (by_keys, by_send) = (Arc::clone(&held), Arc::clone(&held));
    let response = send(&service);
    let keys = (0..5000).map(move |number| (&by_keys, key(number)).1);
    let send = move |request| (&by_send, response(request)).1;
    let report = Run::new(&mut service.bulk(options())).run_blocking(keys, send).unwrap();
    assert_eq!(report.deleted, 5000);
    assert_eq!(Arc::strong_count(&held), 1);
}

type Case = fn(&mut BulkDelete, &Service);

#[test]
fn panic_propagates_and_the_report_is_exact() {
    let cases: [(&str, Case); 4] = [
        ("the source", |bulk, service| {
            let keys =
                (0..).map(|number| if number < 1200 { key(number) } else { panic!("the source") });
            drop(Run::new(bulk).run_blocking(keys, send(service)));
        }),
        ("the transport", |bulk, _| {
            let send = |_| -> Result<_, TransportError> { panic!("the transport") };
            drop(Run::new(bulk).run_blocking((0..1200).map(key), send));
        }),
        ("the provider", |bulk, service| {
            service.emulator().remove_identity(ACCESS_KEY_ID);
            let provider = || -> Result<Credentials, std::io::Error> { panic!("the provider") };
            drop(
                Run::new(bulk)
                    .credentials_provider(provider)
                    .run_blocking((0..1200).map(key), send(service)),
            );
        }),
        ("the event closure", |bulk, service| {
            let on_event = |_: Event| panic!("the event closure");
            drop(Run::new(bulk).on_event(on_event).run_blocking((0..1200).map(key), send(service)));
        }),
    ];
    for (place, case) in cases {
        let service = Service::with_keys(1200);
        let mut bulk = service.bulk(options());
        let panic = catch_unwind(AssertUnwindSafe(|| case(&mut bulk, &service))).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&place));
        bulk.abort();
        service.check(bulk.report(), place);
    }
}
