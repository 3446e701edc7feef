//! Virtual time: exact, and the same on every host.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::Request;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, TransmitId};
use oss_delete_vectors::calls::{Call, CallId, Calls};
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::{DeleteVectors, Key, KeyBatch, Now};

use crate::service::{Limits, Service, credentials, document, fraction, target};
use crate::{Measured, TASKS};

const LATENCY: Duration = Duration::from_millis(20);

pub(crate) fn run(smoke: bool) {
    println!("virtual time, {TASKS} tasks of 1 to 30 keys, {LATENCY:?} of latency");
    let end = Duration::from_secs(if smoke { 3 } else { 60 });
    for (case, limits) in [
        ("20 requests/s", Limits { requests: 20.0, keys: None }),
        ("1,000 requests, 2,500 keys/s", Limits { requests: 1000.0, keys: Some(2500.0) }),
    ] {
        let seconds = end.as_secs_f64();
        client(limits, end).print(case, "Client", seconds);
        direct(limits, end).print(case, "a request per call", seconds);
        runs(limits, end).print(case, "a run per call", seconds);
    }
}

fn at(now: Duration) -> Now {
    Now::new(now, UNIX_EPOCH + Duration::from_secs(1_702_743_657) + now)
}

fn client(limits: Limits, end: Duration) -> Measured {
    let target = target().build().unwrap();
    let mut calls = Calls::new(&target, credentials(), BulkOptions::new().seed(7)).unwrap();
    let (mut service, mut measured) = (Service::new(limits), Measured::default());
    let mut begun: BTreeMap<CallId, (Duration, u64)> = BTreeMap::new();
    let mut in_flight: BTreeMap<(Duration, TransmitId), Request<Bytes>> = BTreeMap::new();
    let (mut now, mut next, mut idle) = (Duration::ZERO, 0, TASKS);
    while now < end {
        for _ in 0..std::mem::take(&mut idle) {
            let keys = document(next);
            next += 1;
            let count = keys.len() as u64;
            begun.insert(calls.begin(at(now), Call::new(keys).unwrap()), (now, count));
        }
        while let Some(transmit) = calls.poll_transmit(at(now)) {
            in_flight.insert((now + LATENCY, transmit.id), transmit.to_request());
        }
        while calls.poll_event().is_some() {}
        while let Some(finished) = calls.poll_finished() {
            let (since, keys) = begun.remove(&finished.id).unwrap();
            measured.calls.push((now - since).as_secs_f64());
            measured.keys += keys;
            measured.failed += u64::from(finished.result.is_err());
            idle += 1;
        }
        if idle > 0 {
            continue;
        }
        let response = in_flight.keys().next().map(|&(due, _)| due);
        now = [response, calls.poll_timeout()].into_iter().flatten().min().unwrap().max(now);
        while let Some(entry) = in_flight.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, id), request) = entry.remove_entry();
            let response = service.respond(now - LATENCY / 2, &request);
            calls.handle_response(at(now), id, &response);
        }
        calls.handle_timeout(at(now));
    }
    measured.requests = calls.metrics(at(now)).requests;
    measured
}

/// As in the documentation of a plain SDK, but with retries until success: full jitter from 0.2 s
/// up to 20 s.
fn direct(limits: Limits, end: Duration) -> Measured {
    let target = target().build().unwrap();
    let signer = Signer::new(&target, credentials());
    let (mut service, mut measured) = (Service::new(limits), Measured::default());
    // For each request: its arrival, its document, the start of the call, and the number of
    // attempts.
    let mut events: BinaryHeap<Reverse<(Duration, u64, Duration, u32)>> =
        (0..TASKS as u64).map(|task| Reverse((LATENCY / 2, task, Duration::ZERO, 0))).collect();
    let mut next = TASKS as u64;
    while let Some(Reverse((now, number, begun, attempts))) = events.pop()
        && now < end
    {
        let keys = document(number);
        let batch = KeyBatch::new(&keys).unwrap();
        let mut request = DeleteVectors::new(&target, batch).to_request();
        signer.sign(&mut request, at(now).wall);
        measured.requests += 1;
        let is_deleted = service.respond(now, &request).status().is_success();
        let done = now + LATENCY / 2;
        if is_deleted {
            measured.calls.push((done - begun).as_secs_f64());
            measured.keys += keys.len() as u64;
            events.push(Reverse((done + LATENCY / 2, next, done, 0)));
            next += 1;
        } else {
            let most = (0.2 * f64::from(1 << attempts.min(10))).min(20.0);
            let delay = Duration::from_secs_f64(most * fraction(measured.requests));
            events.push(Reverse((done + delay + LATENCY / 2, number, begun, attempts + 1)));
        }
    }
    measured
}

/// A `BulkDelete` for each call.
fn runs(limits: Limits, end: Duration) -> Measured {
    struct Task {
        bulk: BulkDelete,
        begun: Duration,
        keys: u64,
    }
    let target = target().build().unwrap();
    let begin = |number: u64, now: Duration| {
        let options = BulkOptions::new().seed(number);
        let mut bulk = BulkDelete::new(&target, credentials(), options).unwrap();
        let keys = document(number);
        keys.iter().for_each(|key| bulk.push(Key::new(key).unwrap()).unwrap());
        bulk.finish();
        Task { bulk, begun: now, keys: keys.len() as u64 }
    };
    let (mut service, mut measured) = (Service::new(limits), Measured::default());
    let mut tasks: Vec<Task> =
        (0..TASKS as u64).map(|number| begin(number, Duration::ZERO)).collect();
    let mut in_flight: BTreeMap<(Duration, usize, TransmitId), Request<Bytes>> = BTreeMap::new();
    let (mut now, mut next) = (Duration::ZERO, TASKS as u64);
    while now < end {
        for (number, task) in tasks.iter_mut().enumerate() {
            loop {
                while let Some(transmit) = task.bulk.poll_transmit(at(now)) {
                    measured.requests += 1;
                    in_flight.insert((now + LATENCY, number, transmit.id), transmit.to_request());
                }
                while task.bulk.poll_event().is_some() {}
                if !task.bulk.is_finished() {
                    break;
                }
                let failed = !task.bulk.report().is_all_deleted();
                measured.failed += u64::from(failed);
                measured.keys += task.bulk.report().deleted;
                debug_assert!(failed || task.bulk.report().deleted == task.keys);
                measured.calls.push((now - task.begun).as_secs_f64());
                *task = begin(next, now);
                next += 1;
            }
        }
        let response = in_flight.keys().next().map(|&(due, ..)| due);
        let timeouts = tasks.iter().filter_map(|task| task.bulk.poll_timeout());
        now = timeouts.chain(response).min().unwrap().max(now);
        while let Some(entry) = in_flight.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, number, id), request) = entry.remove_entry();
            let response = service.respond(now - LATENCY / 2, &request);
            tasks[number].bulk.handle_response(at(now), id, &response);
        }
        tasks.iter_mut().for_each(|task| task.bulk.handle_timeout(at(now)));
    }
    measured
}
