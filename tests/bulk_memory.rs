//! The allocator shows that the memory of a run does not grow with the number of its keys, and that
//! dropped calls hold a bounded amount. A separate binary with one test, because nothing else may
//! allocate in the meantime.

mod common;

use std::alloc::System;
use std::fmt::Write;
use std::time::Duration;

use cap::Cap;
use common::calls;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Rate, TransmitId};
use oss_delete_vectors::calls::{Call, Calls};
use oss_delete_vectors::{Deleted, Key, ServiceError, code};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const KEYS: u64 = 10_000_000;
const CONCURRENCY: usize = 16;

/// The maximum number of unsettled batches: 2 x concurrency + 16, and the open one. Each holds the
/// text of its keys, and an end and an offset per key. Batches in flight also hold a request with
/// the text, quotes and commas.
const BATCHES: usize = 2 * CONCURRENCY + 16 + 1;
const KEY_BYTES: usize = 36;
const BOUND: usize = BATCHES * 500 * (4 * KEY_BYTES);

#[test]
fn memory_is_bounded() {
    memory_of_ten_million_keys_is_bounded();
    memory_of_waiting_calls_is_bounded();
    memory_of_dropped_calls_is_bounded();
}

/// The maximum for a call, with the ends and positions of its keys.
const CALL_BYTES: usize = 900;

/// 36 characters per key, and three keys per call.
fn call(number: usize) -> Call {
    Call::new((0..3).map(|key| format!("{number:034}#{key}"))).unwrap()
}

fn memory_of_waiting_calls_is_bounded() {
    let before = ALLOCATOR.allocated();
    let mut client =
        Calls::new(&calls::target(), calls::credentials(), BulkOptions::new()).unwrap();
    for number in 0..100_000 {
        client.begin(calls::now(Duration::ZERO), call(number));
    }
    while client.poll_transmit(calls::now(Duration::ZERO)).is_some() {}
    let bytes = ALLOCATOR.allocated() - before;
    println!("{bytes} bytes for 100,000 waiting calls");
    assert!(bytes > 100_000 * 3 * KEY_BYTES, "{bytes} bytes: the calls are not counted");
    assert!(bytes < 100_000 * CALL_BYTES, "{bytes} bytes");
    let deleted = Deleted::new("534B371674A4D890XXXX").to_response();
    let mut now = calls::now(Duration::ZERO);
    let mut finished = 0;
    while finished < 100_000 {
        now.monotonic += Duration::from_millis(10);
        while let Some(transmit) = client.poll_transmit(now) {
            client.handle_response(now, transmit.id, &deleted);
        }
        client.handle_timeout(now);
        while client.poll_event().is_some() {}
        // Requests sent before the clock advanced time out and are sent again.
        finished += std::iter::from_fn(|| client.poll_finished()).count();
    }
    drop(client);
    assert!(ALLOCATOR.allocated() - before < 10_000, "memory leaked");
}

fn memory_of_dropped_calls_is_bounded() {
    let before = ALLOCATOR.allocated();
    let client = Calls::new(&calls::target(), calls::credentials(), BulkOptions::new()).unwrap();
    let mut client = client.most_waiting_keys(3000);
    for number in 0..1_000_000 {
        let id = client.begin(calls::now(Duration::ZERO), call(number));
        client.abandon(id);
    }
    let bytes = ALLOCATOR.allocated() - before;
    println!("{bytes} bytes for the accepted calls");
    assert!(bytes < 1100 * CALL_BYTES, "{bytes} bytes");
}

fn memory_of_ten_million_keys_is_bounded() {
    let options = BulkOptions::new().concurrency(CONCURRENCY).rate(Rate::Unlimited);
    let before = ALLOCATOR.allocated();
    let mut bulk = BulkDelete::new(&calls::target(), calls::credentials(), options).unwrap();

    let deleted = Deleted::new("534B371674A4D890XXXX").to_response();
    let failed =
        ServiceError::new(http::StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "m")
            .to_response();
    let mut now = calls::now(Duration::ZERO);
    let mut in_flight = Vec::<TransmitId>::with_capacity(CONCURRENCY);
    let (mut key, mut next, mut responses, mut most) =
        (String::with_capacity(KEY_BYTES), 0, 0_u64, 0);
    while !bulk.is_finished() {
        while next < KEYS && bulk.can_push() {
            key.clear();
            write!(key, "{next:036}").unwrap();
            bulk.push(Key::new(&key).unwrap()).unwrap();
            next += 1;
        }
        if next == KEYS {
            bulk.finish();
        }
        while let Some(transmit) = bulk.poll_transmit(now) {
            in_flight.push(transmit.id);
        }
        // The maximum: no more keys can be pushed, and no more requests sent.
        most = most.max(ALLOCATOR.allocated() - before);
        now.monotonic += Duration::from_millis(10);
        now.wall += Duration::from_millis(10);
        // In reverse order, and one in a hundred fails.
        while let Some(id) = in_flight.pop() {
            responses += 1;
            bulk.handle_response(now, id, if responses % 100 == 0 { &failed } else { &deleted });
        }
        bulk.handle_timeout(now);
        while bulk.poll_event().is_some() {}
    }
    let report = bulk.report();
    assert_eq!(
        (report.pushed, report.deleted, report.retries),
        (KEYS, KEYS, report.requests / 100)
    );
    println!("{most} bytes at most, limit {BOUND}");
    assert!(most > BOUND / 4, "{most} bytes: the run is not counted");
    assert!(most < BOUND, "{most} bytes");
    drop(bulk);
    assert!(ALLOCATOR.allocated() - before < 10_000, "memory leaked");
}
