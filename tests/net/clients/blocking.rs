//! Threads that share a `blocking::Client`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use oss_delete_vectors::blocking;
use oss_delete_vectors::bulk::StopReason;
use oss_delete_vectors::calls::DeleteErrorKind;
use oss_delete_vectors::transports::NoProvider;
use oss_delete_vectors::{Credentials, Deleted};

use super::*;
use crate::calls::SECRET;
use crate::service::key;

fn blocking_builder(service: &Service) -> ClientBuilder<blocking::Client> {
    blocking::Client::builder(&service.target, credentials()).options(options())
}

fn blocking_client(service: &Service) -> blocking::Client {
    let service = service.clone();
    let send = {
        let service = service.clone();
        move |request| Sent::Ok(service.respond(real_time(), &request))
    };
    blocking_builder(&service).with_transport(send).unwrap()
}

#[test]
fn threads_each_get_their_result() {
    let service = Service::with_keys(16 * 100);
    service.emulator().reject_keys([key(505)]);
    let client = blocking_client(&service);
    assert_eq!(client.delete(["doc-0"]), Ok(()));
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|thread| {
                let client = client.clone();
                scope.spawn(move || {
                    (0..10)
                        .map(|call| {
                            let first = 100 * thread + 10 * call;
                            client.delete((first..first + 10).map(key))
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (thread, results) in results.into_iter().enumerate() {
        for (call, result) in results.into_iter().enumerate() {
            match result {
                Err(error) if (thread, call) == (5, 0) => {
                    let keys: Vec<_> = error.not_deleted().map(|key| key.key).collect();
                    assert_eq!(keys, ["doc-505"]);
                }
                result => assert_eq!(result, Ok(()), "thread {thread}, call {call}"),
            }
        }
    }
    client.close();
    assert_eq!(service.left(), 1);
    assert_eq!(*client.delete(["doc-1"]).unwrap_err().kind(), DeleteErrorKind::Closed);
}

#[test]
fn waiting_threads_share_requests() {
    let service = Service::with_keys(100);
    let (gate, requests) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    let send = {
        let (service, gate, requests) = (service.clone(), Arc::clone(&gate), Arc::clone(&requests));
        move |request| {
            if requests.fetch_add(1, Ordering::SeqCst) == 0 {
                gate.wait();
            }
            Sent::Ok(service.respond(real_time(), &request))
        }
    };
    let client =
        blocking_builder(&service).options(options().concurrency(1)).with_transport(send).unwrap();
    thread::scope(|scope| {
        for number in 0..100 {
            let client = &client;
            scope.spawn(move || assert_eq!(client.delete([key(number)]), Ok(())));
        }
        while client.metrics().waiting_calls < 100 {
            thread::yield_now();
        }
        gate.wait();
    });
    assert!(requests.load(Ordering::SeqCst) <= 3, "{requests:?}");
}

#[test]
fn a_panic_in_a_blocking_transport_is_a_failed_attempt() {
    let service = Service::with_keys(1);
    let panics = AtomicU32::new(0);
    let send = {
        let service = service.clone();
        move |request| {
            assert!(panics.fetch_add(1, Ordering::SeqCst) > 0, "the first call panics");
            Sent::Ok(service.respond(real_time(), &request))
        }
    };
    let client = blocking_builder(&service).with_transport(send).unwrap();
    assert_eq!(client.delete(["doc-0"]), Ok(()));
    assert_eq!(client.metrics().retries, 1);
}

#[test]
fn a_panic_in_a_blocking_provider_is_its_error() {
    let service = Service::with_keys(1);
    let respond = service.clone();
    let client =
        blocking::Client::builder(&service.target, Credentials::new("unknown", SECRET).unwrap())
            .options(options().credentials_timeout(Duration::from_secs(3)))
            .credentials_provider(|| -> Result<Credentials, NoProvider> { panic!("no STS") })
            .with_transport(move |request| Sent::Ok(respond.respond(real_time(), &request)))
            .unwrap();
    let error = client.delete(["doc-0"]).unwrap_err();
    assert_eq!(*error.kind(), DeleteErrorKind::Stopped(StopReason::CredentialsMissing));
    let source = std::error::Error::source(&error).expect("the error of the provider");
    assert_eq!(source.to_string(), "the credentials provider panicked: no STS");
}

#[test]
fn a_blocking_deadline_ends_the_wait() {
    let service = Service::with_keys(9);
    let (hang, hung) = std::sync::mpsc::channel::<()>();
    let hung = std::sync::Mutex::new(hung);
    let send = move |_request| {
        let _ = hung.lock().unwrap().recv();
        Sent::Ok(Deleted::new("some id").to_response())
    };
    let client = blocking_builder(&service).with_transport(send).unwrap();
    let error = client.delete_within(Duration::from_millis(5), ["doc-1"]).unwrap_err();
    assert_eq!(*error.kind(), DeleteErrorKind::TimedOut(Duration::from_millis(5)));
    // The request of that call is still in flight.
    assert!(!client.close_within(Duration::from_millis(5)));
    assert_eq!(*client.delete(["doc-2"]).unwrap_err().kind(), DeleteErrorKind::Closed);
    drop(hang);
    assert!(client.close_within(Duration::MAX));
    client.close();
}
