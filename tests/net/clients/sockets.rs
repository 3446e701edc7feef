//! Both clients over their own transports, with the emulator on a socket.

use oss_delete_vectors::blocking;
use oss_delete_vectors::calls::DeleteErrorKind;

use super::*;
use crate::service::key;

#[test]
fn a_client_deletes_over_hyper() {
    let service = Service::with_keys(2000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::new(&service.served_target(), credentials()).unwrap();
        let calls = (0..100).map(|call| client.delete((20 * call..20 * call + 20).map(key)));
        let calls: Vec<_> = calls.map(tokio::spawn).collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), Ok(()));
        }
        client.close().await;
        assert_eq!(service.left(), 0);
        assert!(client.metrics().requests < 100, "{:?}", client.metrics());
    });
}

#[test]
fn a_blocking_client_deletes_over_ureq() {
    let service = Service::with_keys(320);
    let client = blocking::Client::new(&service.served_target(), credentials()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let client = &client;
            scope.spawn(move || client.delete((20 * thread..20 * thread + 20).map(key)).unwrap());
        }
    });
    client.close();
    assert_eq!(service.left(), 0);
}

#[test]
fn a_hyper_client_needs_a_runtime() {
    let service = Service::with_keys(0);
    let error = Client::new(&service.target, credentials()).unwrap_err();
    assert_eq!(error.to_string(), "runtime must be a tokio runtime that this is called in");
    let error = Client::builder(&service.target, credentials())
        .options(BulkOptions::new().concurrency(0))
        .with_transport(send(&service), tokio::time::sleep)
        .map(drop)
        .unwrap_err();
    assert_eq!(error.field(), "concurrency");
}

#[test]
fn a_runtime_of_a_hyper_client_may_end() {
    let service = Service::with_keys(9);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(async {
        let client = Client::new(&service.served_target(), credentials()).unwrap();
        assert_eq!(client.delete(["doc-1"]).await, Ok(()));
        client
    });
    drop(runtime);
    let error = futures_lite::future::block_on(client.delete(["doc-2"])).unwrap_err();
    assert_eq!(*error.kind(), DeleteErrorKind::Closed);
}
