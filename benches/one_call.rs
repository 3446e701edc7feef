//! The cost of one call: building, signing, verifying and parsing, compared with the MD5 of the
//! body, which every client needs.
//!
//! `cargo bench --bench one_call`. The arguments are the numbers of keys, of 36 characters each.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use divan::{AllocProfiler, Bencher, black_box};
use http::{Request, Response, StatusCode};
use md5::{Digest, Md5};
use oss_delete_vectors::signing::{Authorization, Resource, Signer};
use oss_delete_vectors::{
    Credentials, DeleteVectors, Deleted, KeyBatch, Operation, ServiceError, Target, code,
};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const KEYS: [usize; 4] = [1, 3, 100, 500];

fn main() {
    divan::main();
}

fn target() -> Target {
    Target::builder()
        .region("cn-hangzhou")
        .account_id("1234567890123456")
        .bucket("examplebucket")
        .index_name("vectorindex1")
        .build()
        .unwrap()
}

fn credentials() -> Credentials {
    Credentials::new("LTAI5tConformanceKey0001", "yourAccessKeySecretForTests0001").unwrap()
}

fn keys(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| {
            format!("{:08x}-7c4e-4d1b-9a57-{number:012x}", number * 2_654_435_761 % (1 << 32))
        })
        .collect()
}

fn call(count: usize) -> DeleteVectors {
    DeleteVectors::new(&target(), KeyBatch::new(keys(count)).unwrap())
}

fn time() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_702_743_657)
}

fn signed(count: usize) -> Request<Bytes> {
    let mut request = call(count).to_request();
    Signer::new(&target(), credentials()).sign(&mut request, time());
    request
}

#[divan::bench(args = KEYS)]
fn md5_of_the_body(bencher: Bencher<'_, '_>, count: usize) {
    let body = call(count).to_request().into_body();
    bencher.bench(|| Md5::digest(black_box(&body)));
}

#[divan::bench(args = KEYS)]
fn collect_batch(bencher: Bencher<'_, '_>, count: usize) {
    let keys = keys(count);
    bencher.bench(|| KeyBatch::new(black_box(&keys)));
}

#[divan::bench(args = KEYS)]
fn build_and_sign(bencher: Bencher<'_, '_>, count: usize) {
    let (call, signer) = (call(count), Signer::new(&target(), credentials()));
    bencher.bench(|| {
        let mut request = black_box(&call).to_request();
        signer.sign(&mut request, time());
        request
    });
}

#[divan::bench]
fn sign_alone(bencher: Bencher<'_, '_>) {
    let (mut request, signer) = (signed(500), Signer::new(&target(), credentials()));
    bencher.bench_local(|| signer.sign(black_box(&mut request), time()));
}

#[divan::bench]
fn sign_again(bencher: Bencher<'_, '_>) {
    let (request, signer) = (call(500).to_request(), Signer::new(&target(), credentials()));
    bencher.bench(|| {
        let mut retry = black_box(&request).clone();
        signer.sign(&mut retry, time());
        retry
    });
}

#[divan::bench]
fn presign(bencher: Bencher<'_, '_>) {
    let (request, signer) = (call(500).to_request(), Signer::new(&target(), credentials()));
    bencher.bench(|| {
        let mut presigned = black_box(&request).clone();
        signer.presign(&mut presigned, time(), Duration::from_secs(900)).unwrap();
        presigned
    });
}

#[divan::bench]
fn verify(bencher: Bencher<'_, '_>) {
    let (request, resource, credentials) = (signed(500), Resource::from(&target()), credentials());
    bencher.bench(|| {
        Authorization::parse(black_box(&request)).unwrap().verify(&request, &resource, &credentials)
    });
}

#[divan::bench]
fn parse_204(bencher: Bencher<'_, '_>) {
    let response = Deleted::new("534B371674A4D890XXXX").to_response();
    bencher.bench(|| DeleteVectors::parse_response(black_box(&response)));
}

#[divan::bench]
fn parse_error_without_body(bencher: Bencher<'_, '_>) {
    let response = Response::builder().status(503).body("").unwrap();
    bencher.bench(|| DeleteVectors::parse_response(black_box(&response)));
}

#[divan::bench]
fn parse_json_error(bencher: Bencher<'_, '_>) {
    let error =
        ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code::QPS_LIMIT_EXCEEDED, "too fast");
    let response = error.with_request_id("534B371674A4D890XXXX").to_response();
    bencher.bench(|| DeleteVectors::parse_response(black_box(&response)));
}

#[divan::bench]
fn parse_xml_error(bencher: Bencher<'_, '_>) {
    let body = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>m</Message><EC>0003-00000001</EC></Error>";
    let response = Response::builder().status(403).body(body).unwrap();
    bencher.bench(|| DeleteVectors::parse_response(black_box(&response)));
}
