//! hyper-util and ureq, with only the floor around them.

use std::sync::Arc;
use std::thread;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::{BATCH, KEYS, Left, runtime};
use crate::fixture;
use crate::floor::Floor;

/// The source of the requests: a prepared one, or the floor.
struct Source {
    floor: Floor,
    prepared: Option<Request<Bytes>>,
    left: Left,
}

impl Source {
    fn new(port: u16, requests: usize, is_prepared: bool) -> Arc<Self> {
        let now = SystemTime::now();
        let floor =
            Floor::new(&fixture::loopback_target(port), HeaderValue::from_static("floor"), now);
        let prepared = is_prepared.then(|| floor.request(&KEYS[..BATCH], now));
        Arc::new(Self { floor, prepared, left: Left::new(requests) })
    }

    fn next(&self) -> Option<Request<Bytes>> {
        let keys = self.left.next()?;
        Some(self.prepared.clone().unwrap_or_else(|| self.floor.request(keys, SystemTime::now())))
    }
}

pub(super) fn hyper(port: u16, concurrency: usize, requests: usize, is_prepared: bool) {
    let source = Source::new(port, requests, is_prepared);
    runtime().block_on(async {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(tcp);
        let tasks: Vec<_> = (0..concurrency)
            .map(|_| {
                let (source, client) = (Arc::clone(&source), client.clone());
                tokio::spawn(async move {
                    while let Some(request) = source.next() {
                        let response = client.request(request.map(Full::new)).await.unwrap();
                        assert_eq!(response.status(), StatusCode::NO_CONTENT);
                        response.into_body().collect().await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

pub(super) fn ureq(port: u16, concurrency: usize, requests: usize, is_prepared: bool) {
    let source = Source::new(port, requests, is_prepared);
    let config = ::ureq::Agent::config_builder()
        .max_idle_connections(concurrency)
        .max_idle_connections_per_host(concurrency)
        .accept("")
        .accept_encoding("")
        .build();
    let agent = ::ureq::Agent::new_with_config(config);
    let send = || {
        while let Some(request) = source.next() {
            let (head, body) = request.into_parts();
            let mut response = agent.run(Request::from_parts(head, &body[..])).unwrap();
            assert_eq!(response.status(), StatusCode::NO_CONTENT);
            response.body_mut().read_to_vec().unwrap();
        }
    };
    thread::scope(|scope| {
        for _ in 0..concurrency {
            scope.spawn(send);
        }
    });
}
