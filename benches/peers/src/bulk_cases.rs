//! `BulkDelete` with immediate responses, compared with building and signing the same batches.

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Rate};
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::{DeleteVectors, Deleted, Key, KeyBatch, Now};
use std::time::Duration;

use crate::fixture;
use crate::measure::Case;
use crate::table::is_smoke;

pub const PARTS: &str = "building and signing, batch by batch";
pub const BULK: &str = "BulkDelete, from push to report";

/// The number of keys that each case deletes.
#[must_use]
pub fn keys() -> usize {
    if is_smoke() { 10_000 } else { 1_000_000 }
}

/// Both use the same keys, 500 per batch. The first case prepares its batches before timing.
#[must_use]
pub fn bulk() -> Vec<Case> {
    let (keys, target) = (fixture::keys(keys()), fixture::public_target());
    let calls: Vec<DeleteVectors> = keys
        .chunks(500)
        .map(|keys| DeleteVectors::new(&target, KeyBatch::new(keys).unwrap()))
        .collect();
    let signer = Signer::new(&target, fixture::credentials());
    let parts = move || {
        for call in &calls {
            let mut request = call.to_request();
            signer.sign(&mut request, fixture::time());
            std::hint::black_box(request);
        }
    };
    let response = Deleted::new("534B371674A4D890XXXX").to_response();
    let now = Now::new(Duration::ZERO, fixture::time());
    let whole = move || {
        let options = BulkOptions::new().rate(Rate::Unlimited);
        let mut bulk = BulkDelete::new(&target, fixture::credentials(), options).unwrap();
        let mut rest = keys.iter();
        while !bulk.is_finished() {
            while bulk.can_push() {
                match rest.next() {
                    Some(key) => bulk.push(Key::new(key).unwrap()).unwrap(),
                    None => bulk.finish(),
                }
            }
            while let Some(transmit) = bulk.poll_transmit(now) {
                std::hint::black_box(transmit.to_request());
                bulk.handle_response(now, transmit.id, &response);
            }
            while let Some(event) = bulk.poll_event() {
                std::hint::black_box(event);
            }
        }
        assert_eq!(bulk.report().deleted, keys.len() as u64);
    };
    vec![Case::new(PARTS, parts), Case::new(BULK, whole)]
}
