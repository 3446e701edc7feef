//! The end of a client: closed, dropped, or by a panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use oss_delete_vectors::bulk::{Event, StopReason};
use oss_delete_vectors::calls::{DeleteError, DeleteErrorKind};
use oss_delete_vectors::{Credentials, Deleted};

use super::*;
use crate::calls::{ACCESS_KEY_ID, SECRET};
use crate::service::key;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

#[test]
fn the_driver_drains_after_the_last_handle_is_dropped() {
    block_on(async {
        let service = Service::with_keys(1200);
        let (client, driver) = client(&service);
        let driver = tokio::spawn(driver);
        let call = tokio::spawn(client.delete((0..1200).map(key)));
        tokio::task::yield_now().await;
        drop(client);
        assert_eq!(call.await.unwrap(), Ok(()));
        driver.await.unwrap();
        assert_eq!(service.left(), 0);
    });
}

#[test]
fn a_runtime_that_shuts_down_fails_the_calls() {
    let service = Service::with_keys(9);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let forever = |_request| std::future::pending::<Sent>();
    let (client, driver) = builder(&service).with_transport(forever, tokio::time::sleep).unwrap();
    runtime.spawn(driver);
    let call = client.delete(["doc-1", "doc-2"]);
    let waiting = std::thread::spawn(|| futures_lite::future::block_on(call));
    runtime.block_on(async {
        while client.metrics().in_flight == 0 {
            tokio::task::yield_now().await;
        }
    });
    drop(runtime);
    let error = waiting.join().unwrap().unwrap_err();
    assert_eq!(*error.kind(), DeleteErrorKind::Closed);
    assert!(error.may_have_deleted(), "the request was in flight");
    let error = futures_lite::future::block_on(client.delete(["doc-3"])).unwrap_err();
    assert!(!error.may_have_deleted() && !error.is_retryable());
}

#[test]
fn a_panic_in_the_transport_is_a_failed_attempt() {
    block_on(async {
        let service = Service::with_keys(9);
        let (respond, panics) = (send(&service), Arc::new(AtomicU32::new(0)));
        let send = move |request| {
            let count = panics.fetch_add(1, Ordering::SeqCst);
            assert!(count != 0, "panic before the future");
            let response = respond(request);
            async move {
                assert!(count != 1, "panic in the future");
                response.await
            }
        };
        let (client, driver) = builder(&service).with_transport(send, tokio::time::sleep).unwrap();
        tokio::spawn(driver);
        assert_eq!(client.delete(["doc-1"]).await, Ok(()));
        assert_eq!(client.metrics().retries, 2);
    });
}

#[test]
fn the_message_of_a_transport_panic_is_reported() {
    block_on(async {
        let service = Service::with_keys(9);
        let send = async |_request| -> Sent { panic!("no socket") };
        let (client, driver) = builder(&service).with_transport(send, tokio::time::sleep).unwrap();
        tokio::spawn(driver);
        let error = client.delete(["doc-1"]).await.unwrap_err();
        assert!(error.to_string().contains("the transport panicked: no socket"), "{error}");
        assert!(error.may_have_deleted());
    });
}

#[test]
fn a_panic_in_on_event_ends_the_client() {
    block_on(async {
        let service = Service::with_keys(9);
        let builder = builder(&service).on_event(|event| panic!("{event:?}"));
        let (client, driver) = builder.with_transport(send(&service), tokio::time::sleep).unwrap();
        let driver = tokio::spawn(driver);
        let results = [client.delete(["doc-1"]).await, client.delete(["doc-2"]).await];
        assert!(driver.await.unwrap_err().is_panic());
        // The first call was settled before.
        assert_eq!(results[0], Ok(()));
        assert_eq!(*results[1].as_ref().unwrap_err().kind(), DeleteErrorKind::Closed);
    });
}

#[test]
fn a_stop_ends_the_calls_but_not_the_client() {
    block_on(async {
        let service = Service::with_keys(9);
        let stops = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&stops);
        let builder = builder(&service).on_event(move |event| {
            counted.fetch_add(u32::from(matches!(event, Event::Stopped(_))), Ordering::SeqCst);
        });
        let (client, driver) = builder.with_transport(send(&service), tokio::time::sleep).unwrap();
        tokio::spawn(driver);
        service.allow(0);
        let denied = client.delete(["doc-1"]).await.unwrap_err();
        assert!(
            matches!(denied.kind(), DeleteErrorKind::Stopped(StopReason::Rejected(error)) if error.code() == Some("AccessDenied"))
        );
        service.allow(1000);
        assert_eq!(client.delete(["doc-1"]).await, Ok(()));
        assert_eq!(stops.load(Ordering::SeqCst), 1);
        let metrics = client.metrics();
        assert_eq!((metrics.calls, metrics.failed_calls, metrics.waiting_calls), (2, 1, 0));
    });
}

#[test]
fn errors_of_the_provider_are_reported() {
    block_on(async {
        let service = Service::with_keys(9);
        let asked = Arc::new(AtomicU32::new(0));
        let provider = {
            let asked = Arc::clone(&asked);
            move || {
                let count = asked.fetch_add(1, Ordering::SeqCst);
                async move {
                    match count {
                        0 => Err("STS is down"),
                        _ => Ok(Credentials::new(ACCESS_KEY_ID, SECRET).unwrap()),
                    }
                }
            }
        };
        let unknown = Credentials::new("unknown", SECRET).unwrap();
        let builder = Client::builder(&service.target, unknown)
            .options(options().credentials_timeout(Duration::from_millis(200)))
            .credentials_provider(provider);
        let (client, driver) = builder.with_transport(send(&service), tokio::time::sleep).unwrap();
        tokio::spawn(driver);
        let error: DeleteError = client.delete(["doc-1"]).await.unwrap_err();
        assert!(matches!(error.kind(), DeleteErrorKind::Stopped(StopReason::CredentialsMissing)));
        let source = std::error::Error::source(&error).expect("the error of the provider");
        assert_eq!(source.to_string(), "STS is down");
    });
}

#[test]
fn a_timeout_reports_the_error_of_the_provider() {
    block_on(async {
        let service = Service::with_keys(9);
        let unknown = Credentials::new("unknown", SECRET).unwrap();
        let builder = Client::builder(&service.target, unknown)
            .options(options())
            .credentials_provider(|| async { Err::<Credentials, _>("STS is down") });
        let (client, driver) = builder.with_transport(send(&service), tokio::time::sleep).unwrap();
        tokio::spawn(driver);
        let error = client.delete_within(Duration::from_secs(1), ["doc-1"]).await.unwrap_err();
        assert_eq!(*error.kind(), DeleteErrorKind::TimedOut(Duration::from_secs(1)));
        let source = std::error::Error::source(&error).expect("the error of the provider");
        assert_eq!(source.to_string(), "STS is down");
    });
}

#[test]
fn a_timeout_ends_the_call() {
    block_on(async {
        let service = Service::with_keys(9);
        let forever = |_request| std::future::pending::<Sent>();
        let (client, driver) = builder(&service)
            .timeout(Duration::from_millis(5))
            .with_transport(forever, tokio::time::sleep)
            .unwrap();
        tokio::spawn(driver);
        for (call, timeout) in [
            (client.delete(["doc-1"]), Duration::from_millis(5)),
            (client.delete_within(Duration::from_millis(7), ["doc-1"]), Duration::from_millis(7)),
        ] {
            let error = call.await.unwrap_err();
            assert_eq!(*error.kind(), DeleteErrorKind::TimedOut(timeout));
            assert!(error.may_have_deleted());
        }
    });
}

#[test]
fn invalid_keys_are_rejected_before_a_request() {
    block_on(async {
        let service = Service::with_keys(9);
        let (client, driver) = client(&service);
        tokio::spawn(driver);
        let error = client.delete(["doc-1", ""]).await.unwrap_err();
        assert_eq!(error.to_string(), r#"keys[1] must be 1 to 1024 characters, not """#);
        client.close().await;
        assert_eq!((service.requests(), service.left()), (0, 9));
    });
}

#[test]
fn a_single_thread_runtime_needs_no_send() {
    // Neither the transport nor the timer is `Send`.
    let local = std::rc::Rc::new(());
    let send = move |_request| {
        let local = std::rc::Rc::clone(&local);
        async move {
            drop(local);
            Ok::<_, TransportError>(Deleted::new("some id").to_response())
        }
    };
    let service = Service::with_keys(0);
    let (client, driver) = builder(&service).with_transport(send, async_io::Timer::after).unwrap();
    let app = async move { client.delete(["doc-1"]).await };
    let ((), result) = async_io::block_on(futures_lite::future::zip(driver, app));
    assert_eq!(result, Ok(()));
}
