//! Pacing on real sockets: the emulator on loopback, with limits that the client does not know. One
//! is 50 requests/s. The other is the documented one: 1,000 requests/s and 2,500 keys/s. The
//! buckets are as deep as a second. Both transports, 8 and 32 requests in flight, with and without
//! 20 ms of latency.
//!
//! `cargo bench --bench throttled --all-features` takes twelve minutes. The ideal time is batches /
//! limit, less a second for the bucket. Goals: at most 1.05 of the ideal, at most 4 % throttled,
//! none lost.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Report};
use oss_delete_vectors::emulator::{Emulator, RateLimit};
use oss_delete_vectors::transports::{
    HyperTransport, Run, Server, TransportOptions, UreqTransport, stream_iter,
};
use oss_delete_vectors::{Credentials, Target};

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--test");
    let requests = RateLimit::new(50.0, 50).unwrap();
    let documented = RateLimit::new(1000.0, 1000).unwrap().with_keys(2500.0, 2500).unwrap();
    println!(
        "limit         transport wide latency batches | wall/ideal goal | throttled goal | lost"
    );
    for (name, limit, per_second, counts) in
        [("50 requests", requests, 50, [2000, 1000]), ("documented", documented, 5, [300, 300])]
    {
        for (latency, batches) in [0, 20].into_iter().zip(counts) {
            let batches = if smoke { 3 * per_second / 2 } else { batches };
            for concurrency in [8, 32] {
                for transport in ["hyper", "ureq"] {
                    let start = Instant::now();
                    let latency = Duration::from_millis(latency);
                    let report = run(transport, concurrency, latency, batches, limit.clone());
                    let ideal = f64::from(batches) / f64::from(per_second) - 1.0;
                    let wall = start.elapsed().as_secs_f64() / ideal;
                    let throttled = 100.0 * report.throttled as f64 / report.requests as f64;
                    let lost = report.pushed - report.deleted;
                    println!(
                        "{name:<13} {transport:9} {concurrency:>4} {latency:>7?} {batches:>7} | {wall:>10.3} 1.05 | {throttled:>5.1} %   4 % | {lost}"
                    );
                }
            }
        }
    }
}

fn run(
    transport: &str,
    concurrency: usize,
    latency: Duration,
    batches: u32,
    limit: RateLimit,
) -> Report {
    let credentials = Credentials::new("LTAI5tExample", "my-secret").unwrap();
    let target = |endpoint| {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("vectorindex1");
        target.endpoint(endpoint).build().unwrap()
    };
    let nowhere = target("http://127.0.0.1".parse().unwrap());
    let mut emulator = Emulator::with_vectors(&nowhere, credentials.clone(), [""; 0]).unwrap();
    emulator.set_rate_limit(Some(limit));
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let server = Server::start_emulator(address, Arc::new(Mutex::new(emulator))).unwrap();
    let target = target(server.url().parse().unwrap());
    let options = BulkOptions::new().concurrency(concurrency);
    let mut bulk = BulkDelete::new(&target, credentials, options).unwrap();
    let keys = (0..500 * batches).map(|number| format!("0000-7c4e-4d1b-9a57-{number:016}"));
    if transport == "ureq" {
        let transport = UreqTransport::new(&TransportOptions::new());
        let send = move |request| {
            std::thread::sleep(latency);
            transport.send(request)
        };
        return Run::new(&mut bulk).run_blocking(keys, send).unwrap();
    }
    let transport = HyperTransport::new(&TransportOptions::new());
    let send = async |request| {
        tokio::time::sleep(latency).await;
        transport.send(request).await
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime
        .block_on(Run::new(&mut bulk).run_async(stream_iter(keys), send, tokio::time::sleep))
        .unwrap()
}
