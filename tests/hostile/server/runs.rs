//! Runs against a service that sends hostile responses. They end, in virtual time, and account for
//! every key.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Rate, StopReason};
use oss_delete_vectors::{Key, Target};

use crate::calls::{ACCOUNT_ID, BUCKET, INDEX, REGION, credentials, now};
use crate::carrier::AnyTransport;
use crate::peer::{Peer, read_request};

const KEYS: u64 = 1_500;

/// Runs three batches over each transport, and passes the time it took to `check`.
fn each_run(
    options: &BulkOptions,
    peer: impl Fn() -> Peer,
    check: impl Fn(&BulkDelete, Duration, &str),
) {
    for transport in AnyTransport::all() {
        let peer = peer();
        let target = Target::builder()
            .region(REGION)
            .account_id(ACCOUNT_ID)
            .bucket(BUCKET)
            .index_name(INDEX);
        let target = target.endpoint(peer.url().parse().unwrap()).build().unwrap();
        let mut bulk = BulkDelete::new(&target, credentials(), options.clone()).unwrap();
        for number in 0..KEYS {
            bulk.push(Key::new(&format!("doc-{number}")).unwrap()).unwrap();
        }
        bulk.finish();
        let took = run(&transport, &mut bulk);
        let report = bulk.report();
        assert_eq!(
            (report.pushed, report.pending()),
            (KEYS, 0),
            "{}: {report:?}",
            transport.name()
        );
        let outcomes = report.deleted + report.rejected + report.unconfirmed + report.not_attempted;
        assert_eq!(outcomes, KEYS, "{}: {report:?}", transport.name());
        check(&bulk, took, transport.name());
    }
}

/// Sends one request at a time. Time passes only when the run waits.
fn run(transport: &AnyTransport, bulk: &mut BulkDelete) -> Duration {
    let mut passed = Duration::ZERO;
    for _ in 0..100_000 {
        if let Some(transmit) = bulk.poll_transmit(now(passed)) {
            match transport.send(transmit.to_request()) {
                Ok(response) => bulk.handle_response(now(passed), transmit.id, &response),
                Err(error) => bulk.handle_failure(now(passed), transmit.id, error),
            }
        } else if bulk.is_finished() {
            return passed;
        } else {
            passed = passed.max(bulk.poll_timeout().expect("the run waits for something"));
            bulk.handle_timeout(now(passed));
        }
        while bulk.poll_event().is_some() {}
    }
    panic!("{}: the run does not end: {bulk:?}", transport.name());
}

/// Responds to the first `first` requests with `response`, and to later ones with `then`.
fn changing(response: &'static str, first: usize, then: &'static str) -> Peer {
    let requests = AtomicUsize::new(0);
    Peer::start(move |mut stream| {
        while read_request(&mut stream).is_some() {
            let response =
                if requests.fetch_add(1, Ordering::SeqCst) < first { response } else { then };
            if stream.write_all(response.as_bytes()).is_err() {
                return;
            }
        }
    })
}

/// Deletes with the first request, then throttles `throttles` times, then deletes again.
fn throttling_after_the_first(throttled: &'static str, throttles: usize) -> Peer {
    let requests = AtomicUsize::new(0);
    Peer::start(move |mut stream| {
        while read_request(&mut stream).is_some() {
            let is_throttled = (1..=throttles).contains(&requests.fetch_add(1, Ordering::SeqCst));
            let response = if is_throttled { throttled } else { DELETED };
            if stream.write_all(response.as_bytes()).is_err() {
                return;
            }
        }
    })
}

const DELETED: &str = "HTTP/1.1 204 No Content\r\nx-oss-request-id: 1\r\n\r\n";

#[test]
fn a_run_continues_after_thousands_of_throttles() {
    const THROTTLES: usize = 3_000;
    let throttled = "HTTP/1.1 503 Service Unavailable\r\nconnection: keep-alive\r\ncontent-length: 37\r\n\r\n\
                     {\"Error\":{\"Code\":\"QpsLimitExceeded\"}}";
    each_run(
        &BulkOptions::new(),
        || throttling_after_the_first(throttled, THROTTLES),
        |bulk, _, name| {
            let report = bulk.report();
            assert_eq!(
                (report.deleted, report.throttled, report.requests),
                (KEYS, 3_000, 3_003),
                "{name}: {report:?}"
            );
        },
    );
}

#[test]
fn huge_retry_after_values_are_limited() {
    for (value, least, most) in [
        ("99999999999", 300, 301),
        ("99999999999999999999999999999999999999", 300, 301),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300, 301),
        ("Mon, 01 Jan 0001 00:00:00 GMT", 0, 60),
        ("-1", 0, 60),
        ("1e9", 0, 60),
        ("NaN", 0, 60),
    ] {
        let throttled = format!(
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n"
        )
        .leak();
        each_run(
            &BulkOptions::new(),
            || changing(throttled, 1, DELETED),
            |bulk, took, name| {
                assert_eq!(
                    (bulk.report().deleted, bulk.report().throttled),
                    (KEYS, 1),
                    "{name}: {value}"
                );
                assert!((least..=most).contains(&took.as_secs()), "{name}: {value}: {took:?}");
            },
        );
    }
}

#[test]
fn impossible_dates_stop_the_run_only_if_needed() {
    for (date, is_date) in [
        ("Mon, 01 Jan 0001 00:00:00 GMT", false),
        ("Fri, 31 Dec 9999 23:59:59 GMT", false),
        ("Sun, 31 Dec 2150 23:59:59 GMT", true),
        ("Fri, 31 Dec 99999 23:59:59 GMT", false),
        ("Thu, 01 Jan 1970 00:00:00 GMT", false),
        ("now", false),
    ] {
        let skewed = format!(
            "HTTP/1.1 403 Forbidden\r\ndate: {date}\r\ncontent-length: 41\r\n\r\n{{\"Error\":{{\"Code\":\"RequestTimeTooSkewed\"}}}}"
        )
        .leak();
        let requests = if is_date { 2 } else { 1 };
        each_run(
            &BulkOptions::new().concurrency(1),
            || changing(skewed, usize::MAX, ""),
            |bulk, _, name| {
                assert!(
                    matches!(bulk.stopped(), Some(StopReason::Clock(_))),
                    "{name}: {date}: {:?}",
                    bulk.stopped()
                );
                let report = bulk.report();
                assert_eq!(
                    (report.deleted, report.unconfirmed, report.requests),
                    (0, 0, requests),
                    "{name}: {date}: {report:?}"
                );
            },
        );
        // The date of a successful response has no effect.
        let late = DELETED.replace("\r\n\r\n", &format!("\r\ndate: {date}\r\n\r\n")).leak();
        each_run(
            &BulkOptions::new(),
            || changing(late, usize::MAX, ""),
            |bulk, _, name| {
                assert_eq!(
                    (bulk.report().deleted, bulk.report().requests),
                    (KEYS, 3),
                    "{name}: {date}"
                );
            },
        );
    }
}

#[test]
fn connections_that_close_after_each_response_lose_no_key() {
    let closing = "HTTP/1.1 204 No Content\r\nx-oss-request-id: id\r\nconnection: close\r\n\r\n";
    // With `connection: close`, and without it.
    for announces in [true, false] {
        let peer = || {
            Peer::start(move |mut stream| {
                read_request(&mut stream);
                let _ = stream.write_all(if announces { closing } else { DELETED }.as_bytes());
            })
        };
        each_run(
            &BulkOptions::new().back_off(Duration::from_millis(10), Duration::from_millis(10)),
            peer,
            |bulk, _, name| {
                assert_eq!(bulk.report().deleted, KEYS, "{name}, {announces}: {:?}", bulk.report());
                if announces {
                    assert_eq!(bulk.report().requests, 3, "{name}");
                }
            },
        );
    }
}

#[test]
fn without_a_response_every_key_is_unconfirmed() {
    for hostile in [
        "",
        "HTTP/1.1 204",
        "HTTP/1.1 500 X\r\ncontent-length: 9\r\n\r\nx",
        "HTTP/1.1 200 X\r\ncontent-length: -1\r\n\r\n",
    ] {
        let peer = || {
            Peer::start(move |mut stream| {
                read_request(&mut stream);
                let _ = stream.write_all(hostile.as_bytes());
            })
        };
        // Ten attempts, because no attempt succeeds.
        let options = BulkOptions::new().max_attempts(4).rate(Rate::Unlimited);
        each_run(&options, peer, |bulk, _, name| {
            assert_eq!(
                (bulk.report().unconfirmed, bulk.report().requests),
                (KEYS, 10),
                "{name}: {hostile:?}"
            );
        });
    }
}
