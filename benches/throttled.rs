//! Pacing on real sockets: a service on loopback with a token bucket of 50 requests per second and
//! a depth of 50, unknown to the client. Both transports, 8 and 32 requests in flight, with and
//! without 20 ms of latency.
//!
//! `cargo bench --bench throttled --all-features` takes four minutes. The ideal time is
//! (batches - depth) / limit. Goals: at most 1.10 of the ideal, at most 5 % throttled, none lost.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use http::{Response, StatusCode};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Report};
use oss_delete_vectors::transports::{
    HyperTransport, Run, Server, TransportOptions, UreqTransport, stream_iter,
};
use oss_delete_vectors::{Credentials, Deleted, Endpoint, ServiceError, Target, code};

const PER_SECOND: f64 = 50.0;
const DEPTH: f64 = 50.0;

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--test");
    println!("transport  wide  latency  batches | wall/ideal  goal | throttled goal | lost");
    for (latency, batches) in [(0, 2000), (20, 1000)] {
        let batches = if smoke { 75 } else { batches };
        for concurrency in [8, 32] {
            for transport in ["hyper", "ureq"] {
                let latency = Duration::from_millis(latency);
                let start = Instant::now();
                let report = run(transport, concurrency, latency, batches);
                let ideal = (f64::from(batches) - DEPTH) / PER_SECOND;
                let wall = start.elapsed().as_secs_f64() / ideal;
                let throttled = 100.0 * report.throttled as f64 / report.requests as f64;
                let lost = report.pushed - report.deleted;
                println!(
                    "{transport:9} {concurrency:>5} {latency:>8?} {batches:>8} | {wall:>10.3}  1.10 | {throttled:>5.1} %   5 % | {lost}"
                );
            }
        }
    }
}

fn run(transport: &str, concurrency: usize, latency: Duration, batches: u32) -> Report {
    let server = throttled();
    let endpoint: Endpoint = server.url().parse().unwrap();
    let target = Target::builder()
        .region("cn-hangzhou")
        .account_id("1234567890123456")
        .bucket("examplebucket")
        .index_name("i")
        .endpoint(endpoint);
    let credentials = Credentials::new("LTAI5tExample", "my-secret").unwrap();
    let options = BulkOptions::new().concurrency(concurrency);
    let mut bulk = BulkDelete::new(&target.build().unwrap(), credentials, options).unwrap();
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

/// A service that checks nothing but its limit.
fn throttled() -> Server {
    let accepted = Deleted::new("534B371674A4D890XXXX").to_response();
    let refused: Response<_> =
        ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code::QPS_LIMIT_EXCEEDED, "too fast")
            .to_response();
    let (mut tokens, mut filled_at) = (DEPTH, Instant::now());
    Server::start((Ipv4Addr::LOCALHOST, 0).into(), move |_| {
        tokens = (tokens + filled_at.elapsed().as_secs_f64() * PER_SECOND).min(DEPTH);
        filled_at = Instant::now();
        if tokens < 1.0 {
            return refused.clone();
        }
        tokens -= 1.0;
        accepted.clone()
    })
    .unwrap()
}
