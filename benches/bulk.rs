//! The cost of `BulkDelete` with a million keys and immediate responses, compared with building and
//! signing the same batches without it.
//!
//! `cargo bench --bench bulk`. Allocations are per run: divide by a million for those per key.

use std::time::{Duration, UNIX_EPOCH};

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Rate};
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::{Credentials, DeleteVectors, Deleted, Key, KeyBatch, Now, Target};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const KEYS: usize = 1_000_000;

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

/// 36 characters each.
fn keys() -> Vec<String> {
    (0..KEYS)
        .map(|number| {
            format!("{:08x}-7c4e-4d1b-9a57-{number:012x}", number * 2_654_435_761 % (1 << 32))
        })
        .collect()
}

fn now() -> Now {
    Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_702_743_657))
}

#[divan::bench]
fn build_and_sign_alone(bencher: Bencher<'_, '_>) {
    let (keys, target) = (keys(), target());
    let signer = Signer::new(&target, credentials());
    let batches: Vec<KeyBatch> =
        keys.chunks(500).map(|keys| KeyBatch::new(keys).unwrap()).collect();
    let calls: Vec<DeleteVectors> =
        batches.into_iter().map(|batch| DeleteVectors::new(&target, batch)).collect();
    bencher.counter(ItemsCount::new(KEYS)).bench(|| {
        for call in &calls {
            let mut request = black_box(call).to_request();
            signer.sign(&mut request, now().wall);
            black_box(request);
        }
    });
}

#[divan::bench]
fn whole_run(bencher: Bencher<'_, '_>) {
    let (keys, target) = (keys(), target());
    let response = Deleted::new("534B371674A4D890XXXX").to_response();
    bencher.counter(ItemsCount::new(KEYS)).bench(|| {
        let options = BulkOptions::new().rate(Rate::Unlimited);
        let mut bulk = BulkDelete::new(&target, credentials(), options).unwrap();
        let mut keys = black_box(&keys).iter().peekable();
        while !bulk.is_finished() {
            while bulk.can_push() {
                match keys.next() {
                    Some(key) => bulk.push(Key::new(key).unwrap()).unwrap(),
                    None => bulk.finish(),
                }
            }
            while let Some(transmit) = bulk.poll_transmit(now()) {
                black_box(transmit.to_request());
                bulk.handle_response(now(), transmit.id, &response);
            }
            while let Some(event) = bulk.poll_event() {
                black_box(event);
            }
        }
        assert_eq!(bulk.report().deleted, KEYS as u64);
    });
}
