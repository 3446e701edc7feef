//! Rejected batches are split until the bad keys are alone, and all other keys are deleted.

use std::cell::RefCell;

use oss_delete_vectors::bulk::{BulkOptions, Event, KeyOutcome, Rate};
use oss_delete_vectors::{DeleteVectors, code};

use crate::run::{Call, Reply, Run, deleted, error, key, target};

/// A service that rejects batches with one of the keys in `poison`.
fn rejecting(poison: &[u64]) -> impl Fn(&Call<'_>) -> Reply + use<> {
    let poison: Vec<String> = poison.iter().map(|&number| key(number)).collect();
    move |call| {
        let read = DeleteVectors::parse_request(&target(), call.request).unwrap();
        let is_refused =
            read.keys().iter().any(|key| poison.iter().any(|poison| poison == key.as_str()));
        if is_refused { error(400, code::VECTOR_INDEX_PARAMETER_INVALID) } else { deleted() }
    }
}

#[test]
fn one_bad_key_in_ten_thousand_is_found() {
    for poison in [0, 1, 249, 250, 499, 500, 4321, 9_999] {
        let run = Run::new(BulkOptions::new(), rejecting(&[poison])).delete(10_000);
        assert_eq!((run.outcomes(), run.stopped()), ([9_999, 1, 0, 0], None), "{poison}");
        let failed: Vec<_> = run.failed().collect();
        assert_eq!(failed.len(), 1);
        assert_eq!(
            failed[0].keys.iter().map(|key| key.as_str().to_owned()).collect::<Vec<_>>(),
            [key(poison)]
        );
        assert_eq!(failed[0].outcome, KeyOutcome::Rejected);
        assert_eq!(failed[0].positions, poison..poison + 1);
        // 20 batches, and 2 halves for each of the 8 or 9 splits from 500 keys to one.
        let halvings = run.count(|event| matches!(event, Event::Split { .. }));
        assert!((8..=9).contains(&halvings));
        assert_eq!(run.requests.len(), 20 + 2 * halvings);
    }
}

#[test]
fn every_bad_key_is_found() {
    let poison = [3, 4, 77, 600, 601, 1999];
    let run = Run::new(BulkOptions::new(), rejecting(&poison)).delete(2000);
    assert_eq!(run.outcomes(), [1994, 6, 0, 0]);
    let mut found: Vec<u64> = run.failed().map(|failed| failed.positions.first()).collect();
    found.sort_unstable();
    assert_eq!(found, poison);
}

/// All positions, and whether each was deleted.
fn attributed(run: &Run<'_>) -> Vec<(u64, bool)> {
    let mut positions: Vec<(u64, bool)> = Vec::new();
    for (_, event) in &run.events {
        match event {
            Event::Deleted { positions: deleted, .. } => {
                positions.extend(deleted.iter().map(|position| (position, true)));
            }
            Event::Failed(failed) => {
                positions.extend(failed.positions.iter().map(|position| (position, false)));
            }
            _ => {}
        }
    }
    positions.sort_unstable();
    positions
}

#[test]
fn duplicate_has_the_outcome_of_its_key() {
    // c is bad. Its duplicates are among deleted keys, and duplicates of a and b follow it.
    for keys in [
        &[1, 2, 1, 3, 2, 4][..],
        &[3, 1, 2, 3, 4, 3, 5, 6, 3],
        &[1, 3, 3, 3, 1, 2, 2, 1],
        &[3, 3, 3],
        &[1, 2, 4, 5, 6, 7, 8, 3, 1, 3, 8, 3, 3, 9, 1],
    ] {
        let run = Run::new(BulkOptions::new(), rejecting(&[3]))
            .keys(keys.iter().map(|&number| key(number)))
            .delete_all();
        let expected: Vec<(u64, bool)> =
            (0..).zip(keys).map(|(position, &number)| (position, number != 3)).collect();
        assert_eq!(attributed(&run), expected, "{keys:?}");
        let report = run.bulk.report();
        assert_eq!((report.rejected, report.pushed), (1, keys.len() as u64));
        assert_eq!(report.deleted + report.rejected + report.duplicates, report.pushed);
        // Rejected keys are settled as soon as a key is deleted.
        let settled = if report.deleted > 0 { report.pushed } else { 0 };
        assert_eq!(run.bulk.settled().prefix(), settled, "{keys:?}");
    }
}

#[test]
fn thousands_of_duplicates_are_attributed() {
    // Each key three times, far apart. Every hundredth key is bad.
    let keys: Vec<u64> =
        (0..3).flat_map(|_| 0..400).chain((0..30_000).map(|number| number % 2)).collect();
    let poison: Vec<u64> = (0..400).step_by(100).collect();
    let run = Run::new(BulkOptions::new(), rejecting(&poison))
        .keys(keys.iter().map(|&number| key(number)))
        .delete_all();
    let expected: Vec<(u64, bool)> =
        (0..).zip(&keys).map(|(position, number)| (position, number % 100 != 0)).collect();
    assert_eq!(attributed(&run), expected);
}

#[test]
fn one_batch_is_split_at_a_time_before_a_success() {
    let sizes = RefCell::new(Vec::new());
    let refuse_all = |call: &Call<'_>| {
        sizes.borrow_mut().push((call.positions.first() / 500, call.keys));
        error(400, code::VECTOR_INDEX_PARAMETER_INVALID)
    };
    let run = Run::new(BulkOptions::new().concurrency(4).rate(Rate::Unlimited), refuse_all)
        .delete(10_000);
    // All four requests in flight are rejected. Then the first batch is split, and the others wait.
    let sizes = sizes.borrow();
    assert_eq!(sizes[..4], [(0, 500), (1, 500), (2, 500), (3, 500)]);
    assert!(sizes[4..].iter().all(|&(batch, keys)| batch == 0 && keys < 500), "{sizes:?}");
    assert!(sizes.len() <= 40);
    drop(sizes);
    assert_eq!(run.outcomes()[..3], [0, 2000, 0]);
}

#[test]
fn single_keys_waiting_for_a_split_are_all_sent() {
    // Batch 0 has two keys, and batches 1 to 3 have one each. All are bad, but too few to stop the
    // run.
    let mut run = Run::new(
        BulkOptions::new().concurrency(4).rate(Rate::Unlimited),
        rejecting(&[0, 1, 2, 3, 4]),
    );
    for number in 0..5 {
        run.bulk.push(oss_delete_vectors::Key::new(&key(number)).unwrap()).unwrap();
        if number > 0 {
            run.bulk.flush();
            run.send();
        }
    }
    run.bulk.finish();
    run.until(|_| false);
    assert_eq!((run.requests.len(), run.outcomes(), run.stopped()), (6, [0, 5, 0, 0], None));
}

/// After eight rejected keys in a row, the next request is a probe of one key. Here each request
/// has one anyway.
#[test]
fn probe_of_a_single_key_is_sent_as_it_is() {
    let mut run = Run::new(BulkOptions::new().concurrency(1), rejecting(&[1, 2, 3, 4, 5, 6, 7, 8]));
    for number in 0..11 {
        run.bulk.push(oss_delete_vectors::Key::new(&key(number)).unwrap()).unwrap();
        run.bulk.flush();
        run.send();
        run.step();
    }
    run.bulk.finish();
    run.until(|_| false);
    assert!(run.requests.iter().all(|&(_, keys)| keys == 1));
    assert_eq!((run.requests.len(), run.outcomes(), run.stopped()), (11, [3, 8, 0, 0], None));
}

#[test]
fn rejection_after_a_lost_response_is_unconfirmed() {
    let rejecting = rejecting(&[7]);
    let run = Run::new(BulkOptions::new().concurrency(1), |call| match call.number {
        0 => error(500, code::INTERNAL_ERROR),
        _ => rejecting(call),
    })
    .delete(20);
    assert_eq!(run.outcomes(), [19, 0, 1, 0]);
}

#[test]
fn too_large_and_malformed_batches_are_split() {
    for (status, code) in [(413, code::ENTITY_TOO_LARGE), (400, code::MALFORMED_JSON)] {
        let run = Run::new(BulkOptions::new(), |call| {
            if call.keys > 100 { error(status, code) } else { deleted() }
        })
        .delete(500);
        let sizes: Vec<usize> = run.requests.iter().map(|&(_, keys)| keys).collect();
        assert_eq!(sizes.iter().max(), Some(&500));
        // 500 keys into 250, 125, and 63 and 62.
        assert_eq!((sizes.len(), run.outcomes()), (15, [500, 0, 0, 0]), "{code}");
    }
}
