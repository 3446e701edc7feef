//! A service with token buckets that confirms every deletion.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use oss_delete_vectors::{Credentials, Deleted, ServiceError, Target, TargetBuilder, code};

/// Requests per second, and keys per second. Each bucket holds the tokens of one second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) requests: f64,
    pub(crate) keys: Option<f64>,
}

pub(crate) struct Service {
    limits: Limits,
    requests: f64,
    keys: f64,
    at: Duration,
}

impl Service {
    pub(crate) fn new(limits: Limits) -> Self {
        let keys = limits.keys.unwrap_or(f64::INFINITY);
        Self { limits, requests: limits.requests, keys, at: Duration::ZERO }
    }

    pub(crate) fn respond(&mut self, now: Duration, request: &Request<Bytes>) -> Response<Bytes> {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        let Limits { requests, keys } = self.limits;
        self.requests = (self.requests + passed * requests).min(requests);
        let most_keys = keys.unwrap_or(f64::INFINITY);
        self.keys = (self.keys + passed * keys.unwrap_or_default()).min(most_keys);
        let count = keys_of(request) as f64;
        if self.requests < 1.0 || self.keys < count {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return ServiceError::new(status, code::QPS_LIMIT_EXCEEDED, "too fast").to_response();
        }
        self.requests -= 1.0;
        self.keys -= count;
        Deleted::new("534B371674A4D890XXXX").to_response()
    }
}

/// Every second quote begins a key, except for the two member names and the index.
fn keys_of(request: &Request<Bytes>) -> usize {
    request.body().iter().filter(|&&byte| byte == b'"').count() / 2 - 3
}

pub(crate) fn target() -> TargetBuilder {
    Target::builder()
        .region("cn-hangzhou")
        .account_id("1234567890123456")
        .bucket("examplebucket")
        .index_name("vectorindex1")
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("LTAI5tExample", "my-secret").unwrap()
}

/// The keys of a document: 1 to 30 of them.
pub(crate) fn document(number: u64) -> Vec<String> {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (0..=mixed % 30).map(|chunk| format!("document-{number:012}#{chunk}")).collect()
}

/// A random subset of them.
pub(crate) fn fraction(seed: u64) -> f64 {
    let mut mixed = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}
