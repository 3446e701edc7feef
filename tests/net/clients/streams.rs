//! Keys from a stream, or from an iterator that is too long to collect.

use futures_lite::stream;
use oss_delete_vectors::blocking;
use oss_delete_vectors::bulk::KeyOutcome;
use oss_delete_vectors::calls::DeleteErrorKind;

use super::*;
use crate::service::key;

/// The results of both clients for the same keys.
fn delete_stream(
    service: impl Fn() -> Service,
    keys: impl Iterator<Item = String> + Clone,
) -> [(Service, Result<u64, oss_delete_vectors::calls::DeleteError>); 2] {
    let asynchronous = {
        let service = service();
        let (client, driver) = client(&service);
        let keys = stream::iter(keys.clone());
        let delete = async { (client.delete_stream(keys).await, client.close().await).0 };
        let ((), result) = async_io::block_on(futures_lite::future::zip(driver, delete));
        (service, result)
    };
    let service = service();
    let responses = service.clone();
    let client = blocking::Client::builder(&service.target, credentials())
        .options(options())
        .with_transport(move |request| Sent::Ok(responses.respond(real_time(), &request)))
        .unwrap();
    let result = client.delete_stream(keys);
    client.close();
    [asynchronous, (service, result)]
}

#[test]
fn all_keys_of_a_stream_are_deleted() {
    for count in [0, 1, 500, 501, 40_000] {
        for (service, result) in delete_stream(|| Service::with_keys(count), (0..count).map(key)) {
            assert_eq!((result, service.left()), (Ok(count as u64), 0));
        }
    }
}

#[test]
fn rejected_keys_do_not_end_a_stream() {
    let service = || {
        let service = Service::with_keys(40_000);
        service.emulator().reject_keys([key(1), key(20_000), key(39_999)]);
        service
    };
    for (service, result) in delete_stream(service, (0..40_000).map(key)) {
        let error = result.unwrap_err();
        assert_eq!((error.total(), error.count(KeyOutcome::Rejected)), (40_000, 3));
        let mut keys: Vec<_> = error.not_deleted().map(|key| key.key.to_owned()).collect();
        keys.sort();
        assert_eq!(keys, ["doc-1", "doc-20000", "doc-39999"]);
        assert_eq!((error.kind(), service.left()), (&DeleteErrorKind::NotDeleted, 3));
    }
}

#[test]
fn an_invalid_key_ends_a_stream() {
    let keys = (0..10_000).map(|number| if number == 1234 { String::new() } else { key(number) });
    for (service, result) in delete_stream(|| Service::with_keys(10_000), keys) {
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), r#"keys[1234] must be 1 to 1024 characters, not """#);
        assert_eq!((error.total(), service.gone()), (1234, 1234));
    }
}

#[test]
fn a_stop_ends_a_stream() {
    let service = || {
        let service = Service::with_keys(40_000);
        service.allow(3);
        service
    };
    for (service, result) in delete_stream(service, (0..40_000).map(key)) {
        let error = result.unwrap_err();
        assert!(matches!(error.kind(), DeleteErrorKind::Stopped(_)), "{error:?}");
        assert!(error.total() < 40_000, "the stream is read to its end");
        let left = error.not_deleted().count();
        assert_eq!(service.gone() as usize, error.total() - left);
    }
}

#[test]
fn keys_are_sent_while_a_stream_pauses() {
    let service = Service::with_keys(10);
    let (client, driver) = client(&service);
    let (keys, feed) = {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        (stream::unfold(receiver, async |mut keys| Some((keys.recv().await?, keys))), sender)
    };
    let app = async {
        let fed = async {
            for number in 0..10 {
                feed.send(key(number)).unwrap();
                while service.gone() <= number as u64 {
                    futures_lite::future::yield_now().await;
                }
            }
            drop(feed);
        };
        let keys = std::pin::pin!(keys);
        let (result, ()) = futures_lite::future::zip(client.delete_stream(keys), fed).await;
        client.close().await;
        result
    };
    let ((), result) = async_io::block_on(futures_lite::future::zip(driver, app));
    assert_eq!(result, Ok(10));
}
