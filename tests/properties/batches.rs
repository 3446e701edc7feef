//! However keys are pushed, they are sent in valid batches, in their order, each once per batch.

use std::collections::HashSet;
use std::time::{Duration, UNIX_EPOCH};

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Rate, Transmit};
use oss_delete_vectors::{Credentials, DeleteVectors, Deleted, Key, KeyBatch, Now, Target};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::canary::SECRET;
use crate::cases;

/// Keys `first..first + count`, and whether the source then pauses.
fn pushes() -> impl Strategy<Value = Vec<(u32, u32, bool)>> {
    vec((0..1500_u32, prop_oneof![1..10_u32, 400..700_u32], any::<bool>()), 1..6)
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn batches_are_limited_ordered_and_unique(pushes in pushes(), suffix in prop_oneof![Just(0), Just(1000_usize)]) {
        // Long keys of four-byte characters make the largest bodies.
        let text = |number: u32| format!("{number:05}{}", "\u{10ffff}".repeat(suffix));
        let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("i").build().unwrap();
        let options = BulkOptions::new().rate(Rate::Unlimited).concurrency(1000);
        let mut bulk = BulkDelete::new(&target, Credentials::new("id", SECRET).unwrap(), options).unwrap();

        let now = Now::new(Duration::ZERO, UNIX_EPOCH);
        let mut expected: Vec<Vec<String>> = vec![Vec::new()];
        let mut sent = Vec::new();
        let mut seen = HashSet::new();
        let (mut pushed, mut duplicates) = (0, 0);
        for (first, count, pauses) in pushes {
            for key in (first..first + count).map(text) {
                bulk.push(Key::new(&key).unwrap()).unwrap();
                pushed += 1;
                if !seen.insert(key.clone()) {
                    duplicates += 1;
                    continue;
                }
                let batch = expected.last_mut().unwrap();
                batch.push(key);
                if batch.len() == KeyBatch::MAX_KEYS {
                    expected.push(Vec::new());
                    seen.clear();
                }
            }
            // A pause sends the open batch. Without one, it continues to fill.
            if pauses {
                bulk.flush();
                sent.extend(std::iter::from_fn(|| bulk.poll_transmit(now)));
                expected.push(Vec::new());
                seen.clear();
            }
        }
        bulk.finish();
        expected.retain(|batch| !batch.is_empty());

        sent.extend(std::iter::from_fn(|| bulk.poll_transmit(now)));
        prop_assert_eq!(sent.len(), expected.len());
        let mut end = 0;
        for (batch, transmit) in expected.into_iter().zip(sent) {
            let request = transmit.to_request();
            let Transmit { id, keys, positions, .. } = transmit;
            let call = DeleteVectors::parse_request(&target, &request).unwrap();
            prop_assert!(call.keys().iter().map(Key::as_str).eq(&batch));
            prop_assert_eq!((keys, positions.first()), (batch.len(), end));
            prop_assert!(keys <= KeyBatch::MAX_KEYS && request.body().len() <= 32 + KeyBatch::MAX_KEYS * (4 * Key::MAX_CHARS + 3));
            end += positions.len();
            bulk.handle_response(now, id, &Deleted::new("id").to_response());
            while bulk.poll_event().is_some() {}
        }
        let report = bulk.report();
        prop_assert!(bulk.is_finished() && bulk.poll_transmit(now).is_none());
        prop_assert_eq!((end, report.pushed, report.duplicates, report.deleted), (pushed, pushed, duplicates, pushed - duplicates));
    }
}
