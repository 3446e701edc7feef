//! Deletes the keys of a listing over both transports. Exactly the selected keys are deleted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oss_delete_vectors::bulk::{BulkOptions, Event, StopReason};
use oss_delete_vectors::emulator::{Emulator, FaultyNetwork};
use oss_delete_vectors::transports::{
    HyperTransport, Matching, MatchingReport, Run, RunError, RunErrorKind, StopHandle,
    TransportOptions, UreqTransport, list_keys, stream_keys,
};
use oss_delete_vectors::{
    Deleted, KeyLister, Passes, Selection, ServiceError, TransportError, Vector, code,
};

use crate::calls::{BUCKET, INDEX, credentials};
use crate::service::Service;

const FAULTS: &str = "connection-refused=0.01,server-error=0.03,throttle=0.005,lost-response=0.002,\
                      truncated-response=0.02,page=0.01,repeated-request=0.01";

#[derive(Debug, Clone, Copy)]
enum Client {
    Hyper,
    Ureq,
}

const CLIENTS: [Client; 2] = [Client::Hyper, Client::Ureq];

fn options() -> TransportOptions {
    TransportOptions::new().timeout(Duration::from_secs(5))
}

fn clear(
    client: Client,
    service: &Service,
    selection: Selection,
) -> Result<MatchingReport, RunError> {
    let target = service.served_target();
    let bulk = BulkOptions::new();
    match client {
        Client::Ureq => {
            UreqTransport::new(&options()).delete_matching(&target, credentials(), selection, bulk)
        }
        Client::Hyper => runtime().block_on(async {
            let transport = HyperTransport::new(&options());
            transport.delete_matching(&target, credentials(), selection, bulk).await
        }),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// doc-0#0 to doc-{n/10}#9, each of one of five tenants.
fn documents(count: usize) -> Service {
    let service = Service::with_keys(0);
    let vectors = (0..count).map(|number| {
        Vector::new(&document(number))
            .unwrap()
            .with_metadata(&format!(r#"{{"tenant":"t{}"}}"#, number % 5))
            .unwrap()
    });
    service.emulator().put_whole_vectors(BUCKET, INDEX, vectors).unwrap();
    service
}

fn document(number: usize) -> String {
    format!("doc-{}#{}", number / 10, number % 10)
}

fn left(emulator: &Emulator) -> BTreeSet<String> {
    emulator.keys(BUCKET, INDEX).map(str::to_owned).collect()
}

/// Whether a selection keeps a document.
type Leaves = fn(usize) -> bool;

fn selections() -> [(Selection, Leaves); 4] {
    let all = Selection::all;
    let tenant = || r#"{"tenant":{"$in":["t1","t4"]}}"#.parse().unwrap();
    [
        (all().prefix("doc-1").unwrap(), |number| !document(number).starts_with("doc-1")),
        (all().filter(tenant()), |number| !matches!(number % 5, 1 | 4)),
        (all().prefix("doc-2").unwrap().filter(tenant()), |number| {
            !document(number).starts_with("doc-2") || !matches!(number % 5, 1 | 4)
        }),
        (all(), |_| false),
    ]
}

#[test]
fn exactly_the_selected_keys_are_deleted() {
    const COUNT: usize = 20_000;
    for client in CLIENTS {
        for segments in [1, 16] {
            for (selection, leaves) in selections() {
                let case = format!("{client:?}, {segments} segments, {selection}");
                let service = documents(COUNT);
                let cleared =
                    clear(client, &service, selection.segments(segments).unwrap()).unwrap();
                let expected: BTreeSet<String> =
                    (0..COUNT).filter(|&number| leaves(number)).map(document).collect();
                assert_eq!(left(&service.emulator()), expected, "{case}");
                assert!(cleared.is_clear && cleared.passes == 2, "{case}: {cleared:?}");
                let gone = (COUNT - expected.len()) as u64;
                assert_eq!(cleared.report.deleted, gone, "{case}");
                assert_eq!(service.emulator().deleted_vectors(), gone, "{case}");
            }
        }
    }
}

#[test]
fn faults_do_not_change_the_deleted_keys() {
    const COUNT: usize = 12_000;
    for client in CLIENTS {
        for segments in [1, 16] {
            let network = FaultyNetwork::new(7, FAULTS.parse().unwrap())
                .with_latency(Duration::from_millis(1), Duration::from_millis(2));
            let service = documents(COUNT).behind(network);
            let selection = Selection::all().prefix("doc-1").unwrap().segments(segments).unwrap();
            // The network may fail the very first request permanently, like a wrong endpoint.
            let mut cleared = clear(client, &service, selection.clone());
            for _ in 0..20 {
                if cleared.is_ok() {
                    break;
                }
                cleared = clear(client, &service, selection.clone());
            }
            let cleared = cleared.unwrap();
            assert!(cleared.is_clear, "{client:?} {segments}: {cleared:?}");
            let expected: BTreeSet<String> =
                (0..COUNT).map(document).filter(|key| !key.starts_with("doc-1")).collect();
            assert_eq!(left(&service.emulator()), expected, "{client:?} {segments}");
        }
    }
}

#[test]
fn a_stale_listing_takes_more_passes() {
    for client in CLIENTS {
        let service = documents(2000);
        service.emulator().set_listing_delay(Duration::from_millis(700));
        let cleared = clear(client, &service, Selection::all()).unwrap();
        assert!(cleared.is_clear && cleared.passes >= 3, "{client:?}: {cleared:?}");
        assert_eq!(service.left(), 0);
        assert!(cleared.report.deleted > 2000, "a key is counted in each pass that lists it");
    }
}

#[test]
fn an_endpoint_that_ignores_filters_deletes_nothing() {
    for client in CLIENTS {
        let service = documents(1000);
        service.emulator().set_ignores_filters(true);
        let one = Selection::all().filter(r#"{"tenant":"t1"}"#.parse().unwrap());
        let error = clear(client, &service, one.segments(4).unwrap()).unwrap_err();
        let RunErrorKind::Listing(listing) = error.kind() else { panic!("{error}") };
        assert_eq!(listing.reason(), &StopReason::FilterIgnored, "{client:?}");
        assert_eq!((service.left(), service.emulator().requests()), (1000, 1));
    }
}

#[test]
fn an_empty_selection_deletes_nothing() {
    for client in CLIENTS {
        let service = documents(100);
        let selection = Selection::all().prefix("nothing").unwrap();
        let cleared = clear(client, &service, selection).unwrap();
        assert_eq!((cleared.passes, cleared.report.pushed, cleared.is_clear), (1, 0, true));
        assert_eq!((service.left(), service.emulator().deleted_keys()), (100, 0));
    }
}

#[test]
fn keys_that_cannot_be_deleted_end_the_passes() {
    for client in CLIENTS {
        let service = documents(3000);
        service.emulator().reject_keys(["doc-7#7"]);
        let cleared = clear(client, &service, Selection::all()).unwrap();
        assert!(!cleared.is_clear, "{client:?}: {cleared:?}");
        assert_eq!((cleared.report.deleted, cleared.passes, service.left()), (2999, 2, 1));
    }
}

#[test]
fn a_listing_that_stops_stops_the_run() {
    for client in CLIENTS {
        let service = documents(5000);
        let bad = Selection::all().filter(r#"{"tenant":{"$like":"t"}}"#.parse().unwrap());
        let error = clear(client, &service, bad).unwrap_err();
        let RunErrorKind::Listing(listing) = error.kind() else { panic!("{error}") };
        assert!(matches!(listing.reason(), StopReason::Rejected(_)), "{listing}");
        assert!(error.to_string().starts_with("the listing stopped: rejected: 400"), "{error}");
        assert_eq!((service.left(), error.report().pushed), (5000, 0));
    }
}

#[test]
fn a_run_that_stops_ends_the_listing() {
    for client in CLIENTS {
        let service = documents(30_000);
        let (target, options) = (service.served_target(), BulkOptions::new());
        let lister =
            KeyLister::new(&target, credentials(), Selection::all(), options.clone()).unwrap();
        let mut bulk = service.served_bulk(options);
        let stop = StopHandle::new();
        let matching = Matching::new(&stop);
        let observer = matching.observer(OnDeleted(stop.clone()));
        let run = Run::new(&mut bulk).observer(observer).stop_handle(&stop);
        let outcome = match client {
            Client::Ureq => {
                let transport = UreqTransport::new(&self::options());
                let lists = transport.clone();
                let keys = matching.keys(list_keys(lister, move |request| lists.send(request)));
                run.run_blocking(keys, move |request| transport.send(request))
            }
            Client::Hyper => runtime().block_on(async {
                let transport = HyperTransport::new(&self::options());
                let sleep = tokio::time::sleep;
                let listed = stream_keys(lister, |request| transport.send(request), sleep);
                let keys = matching.stream(listed, sleep);
                run.run_async(keys, |request| transport.send(request), sleep).await
            }),
        };
        let error = matching.report(outcome).unwrap_err();
        assert!(
            matches!(error.kind(), RunErrorKind::Stopped(StopReason::Requested)),
            "{client:?}: {error}"
        );
        assert_eq!(error.report().pending(), 0);
        assert!(service.left() < 30_000, "some keys are deleted");
    }
}

struct OnDeleted(StopHandle);

impl oss_delete_vectors::transports::Observer for OnDeleted {
    fn event(&mut self, event: Event) {
        if matches!(event, Event::Deleted { .. }) {
            self.0.stop();
        }
    }
}

#[test]
fn false_confirmations_end_after_the_last_pass() {
    let service = documents(1000);
    let (target, options) = (service.served_target(), BulkOptions::new());
    let lister = KeyLister::new(&target, credentials(), Selection::all(), options.clone()).unwrap();
    let mut bulk = service.served_bulk(options);
    let stop = StopHandle::new();
    let matching = Matching::with_passes(&stop, Passes::new(3));
    let lists = UreqTransport::new(&self::options());
    let keys = matching.keys(list_keys(lister, move |request| lists.send(request)));
    let lies = |_| Ok::<_, TransportError>(Deleted::new("some id").to_response());
    let run = Run::new(&mut bulk).observer(matching.observer(())).stop_handle(&stop);
    let cleared = matching.report(run.run_blocking(keys, lies)).unwrap();
    assert_eq!((cleared.passes, cleared.is_clear, cleared.report.deleted), (3, false, 3000));
    assert_eq!(service.left(), 1000);
}

#[test]
fn panics_of_the_transport_propagate() {
    let service = documents(10);
    let lister = KeyLister::new(
        &service.served_target(),
        credentials(),
        Selection::all(),
        BulkOptions::new(),
    )
    .unwrap();
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let send = move |_| -> Result<_, TransportError> {
        counted.fetch_add(1, Ordering::SeqCst);
        panic!("the transport")
    };
    let listed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        list_keys(lister, send).next();
    }));
    assert_eq!(listed.unwrap_err().downcast_ref(), Some(&"the transport"));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn credentials_are_renewed_while_listing() {
    let expired =
        ServiceError::new(http::StatusCode::FORBIDDEN, code::SECURITY_TOKEN_EXPIRED, "no");
    for client in CLIENTS {
        let service = documents(2500);
        service.emulator().fail_next(expired.clone(), 0);
        let lister = KeyLister::new(
            &service.served_target(),
            credentials(),
            Selection::all(),
            BulkOptions::new(),
        )
        .unwrap();
        let listed = match client {
            Client::Ureq => {
                let transport = UreqTransport::new(&self::options());
                list_keys(lister, move |request| transport.send(request))
                    .credentials_provider(|| Ok::<_, TransportError>(credentials()))
                    .map(Result::unwrap)
                    .count()
            }
            Client::Hyper => runtime().block_on(async {
                let transport = HyperTransport::new(&self::options());
                let send = |request| transport.send(request);
                let keys = stream_keys(lister, send, tokio::time::sleep)
                    .credentials_provider(async || Ok::<_, TransportError>(credentials()));
                let mut keys = Box::pin(keys);
                let mut count = 0;
                while let Some(key) = std::future::poll_fn(|context| {
                    futures_core::Stream::poll_next(keys.as_mut(), context)
                })
                .await
                {
                    key.unwrap();
                    count += 1;
                }
                count
            }),
        };
        assert_eq!(listed, 2500, "{client:?}");
    }
}

#[test]
fn clients_delete_the_keys_of_a_listing() {
    for client in CLIENTS {
        let service = documents(5000);
        let (target, options) = (service.served_target(), BulkOptions::new());
        let lister =
            |selection| KeyLister::new(&target, credentials(), selection, options.clone()).unwrap();
        let chunks = lister(Selection::all().prefix("doc-1").unwrap().segments(3).unwrap());
        let bad = lister(Selection::all().filter(r#"{"tenant":{"$like":"t"}}"#.parse().unwrap()));
        let (cleared, error) = match client {
            Client::Ureq => {
                let transport = UreqTransport::new(&self::options());
                let lists = transport.clone();
                let send = move |request| lists.send(request);
                let client = oss_delete_vectors::blocking::Client::builder(&target, credentials());
                let client = client.build_over(transport).unwrap();
                let cleared = client.delete_matching(list_keys(chunks, send.clone()));
                (cleared, client.delete_matching(list_keys(bad, send)))
            }
            Client::Hyper => runtime().block_on(async {
                let transport = HyperTransport::new(&self::options());
                let send = |request| transport.send(request);
                let sleep = tokio::time::sleep;
                let client = oss_delete_vectors::Client::builder(&target, credentials());
                let client = client.build_over(transport.clone()).unwrap();
                let listed = stream_keys(chunks, send, sleep);
                let cleared = client.delete_matching(listed, sleep).await;
                (cleared, client.delete_matching(stream_keys(bad, send, sleep), sleep).await)
            }),
        };
        let cleared = cleared.unwrap();
        assert_eq!((cleared.keys, cleared.passes, cleared.is_clear), (1110, 2, true));
        let expected: BTreeSet<String> =
            (0..5000).map(document).filter(|key| !key.starts_with("doc-1")).collect();
        assert_eq!(left(&service.emulator()), expected, "{client:?}");
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("the listing stopped: rejected: 400"), "{error}");
    }
}
