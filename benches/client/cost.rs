//! The cost of a `Client` without a rate limit: one call at a time, and many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use oss_delete_vectors::bulk::BulkOptions;
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::{HyperTransport, TransportOptions};
use oss_delete_vectors::{
    Client, DeleteVectors, Deleted, KeyBatch, Operation, Target, TransportError, blocking,
};

use crate::service::{Limits, credentials, target};
use crate::sockets::serve;

pub(crate) fn run(smoke: bool) {
    let calls = if smoke { 100 } else { 50_000 };
    let target_in_memory = target().build().unwrap();
    let (direct, client) = (direct(&target_in_memory, calls), client(&target_in_memory, calls));
    println!(
        "one call of 1 key, in memory: send {direct:.2?}, Client {client:.2?} (goal: at most 10 us more)"
    );

    let limits = Limits { requests: f64::MAX, keys: None };
    let requests = Arc::new(AtomicU64::new(0));
    let server = serve(limits, &requests);
    let target = target().endpoint(server.url().parse().unwrap()).build().unwrap();
    let calls = if smoke { 10 } else { 2000 };
    one_at_a_time(&target, calls);
    many(&target, calls / 10, &requests, "multi-thread");
    many(&target, calls / 10, &requests, "current-thread");
    many_threads(&target, calls / 10, &requests);
}

fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Builds, signs, sends and parses: a call without a `Client`.
fn direct(target: &Target, calls: u32) -> Duration {
    let signer = Signer::new(target, credentials());
    let response = Deleted::new("534B371674A4D890XXXX").to_response();
    let start = Instant::now();
    current_thread().block_on(async {
        for number in 0..calls {
            let keys = KeyBatch::new([format!("doc-{number}")]).unwrap();
            let mut request = DeleteVectors::new(target, keys).to_request();
            signer.sign(&mut request, std::time::SystemTime::now());
            let send = async |_request| response.clone();
            let response = send(request).await;
            DeleteVectors::parse_response(&response).unwrap();
        }
    });
    start.elapsed() / calls
}

fn client(target: &Target, calls: u32) -> Duration {
    let response = Deleted::new("534B371674A4D890XXXX").to_response();
    current_thread().block_on(async {
        let send = move |_request| {
            let response = response.clone();
            async move { Ok::<_, TransportError>(response) }
        };
        let builder = Client::builder(target, credentials());
        let (client, driver) = builder.with_transport(send, tokio::time::sleep).unwrap();
        tokio::spawn(driver);
        let start = Instant::now();
        for number in 0..calls {
            client.delete([format!("doc-{number}")]).await.unwrap();
        }
        start.elapsed() / calls
    })
}

fn one_at_a_time(target: &Target, calls: u32) {
    current_thread().block_on(async {
        let transport = HyperTransport::new(&TransportOptions::new());
        let signer = Signer::new(target, credentials());
        let start = Instant::now();
        for number in 0..calls {
            let keys = KeyBatch::new([format!("doc-{number}")]).unwrap();
            transport.delete_vectors(&DeleteVectors::new(target, keys), &signer).await.unwrap();
        }
        let direct = start.elapsed() / calls;
        let client = Client::new(target, credentials()).unwrap();
        let start = Instant::now();
        for number in 0..calls {
            client.delete([format!("doc-{number}")]).await.unwrap();
        }
        let client = start.elapsed() / calls;
        println!("one call of 1 key, sockets: send {direct:.2?}, Client {client:.2?}");
    });
}

/// 64 tasks of 10 keys.
fn many(target: &Target, calls: u32, requests: &AtomicU64, flavor: &str) {
    let runtime = match flavor {
        "multi-thread" => tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap(),
        _ => current_thread(),
    };
    let before = requests.load(Ordering::Relaxed);
    let start = Instant::now();
    runtime.block_on(async {
        let client =
            Client::builder(target, credentials()).options(BulkOptions::new()).build().unwrap();
        let tasks: Vec<_> = (0..64_u32)
            .map(|task| {
                let client = client.clone();
                tokio::spawn(async move {
                    for call in 0..calls {
                        let keys = (0..10).map(|key| format!("doc-{task}-{call}-{key}"));
                        client.delete(keys).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    print_many(flavor, calls, start, requests.load(Ordering::Relaxed) - before);
}

fn many_threads(target: &Target, calls: u32, requests: &AtomicU64) {
    let before = requests.load(Ordering::Relaxed);
    let start = Instant::now();
    let client = blocking::Client::new(target, credentials()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..64_u32 {
            let client = &client;
            scope.spawn(move || {
                for call in 0..calls {
                    let keys = (0..10).map(|key| format!("doc-{thread}-{call}-{key}"));
                    client.delete(keys).unwrap();
                }
            });
        }
    });
    print_many("threads", calls, start, requests.load(Ordering::Relaxed) - before);
}

fn print_many(way: &str, calls: u32, start: Instant, requests: u64) {
    let (calls, seconds) = (f64::from(64 * calls), start.elapsed().as_secs_f64());
    println!(
        "64 tasks of 10 keys, {way}: {:.0} calls/s, {:.3} requests/call (goal: at most 0.25)",
        calls / seconds,
        requests as f64 / calls
    );
}
