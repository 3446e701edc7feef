//! A lister behind a faulty network. Every key that exists throughout is yielded at least once.

use std::collections::BTreeSet;
use std::time::Duration;

use oss_delete_vectors::bulk::BulkOptions;
use oss_delete_vectors::emulator::{
    Emulator, Fault, Faults, FaultyNetwork, NetworkEvent, RateLimit,
};
use oss_delete_vectors::{KeyLister, ListTransmitId, Selection, Vector};

use crate::calls::{BUCKET, INDEX, credentials, now, target};
use crate::random::Random;

const FAULTS: [Fault; 14] = [
    Fault::ConnectionRefused,
    Fault::LostRequest,
    Fault::LateRequest,
    Fault::CorruptedRequest,
    Fault::RepeatedRequest,
    Fault::Throttle,
    Fault::ServerError,
    Fault::Rejection,
    Fault::LostResponse,
    Fault::LateResponse,
    Fault::RepeatedResponse,
    Fault::TruncatedResponse,
    Fault::Page,
    Fault::FlippedStatus,
];

/// Returns the number of yielded keys, and whether tokens expired.
fn simulate(seed: u64) -> (usize, u64) {
    let mut random = Random::new(seed);
    let count = random.size(1..12_000);
    let name = |number: usize| format!("doc-{}#{number:05}", number % 3);
    let mut emulator =
        Emulator::with_vectors(&target(), credentials(), (0..count).map(name)).unwrap();
    if random.chance(0.5) {
        emulator.set_token_lifetime(Some(random.millis(3_000..20_000)));
    }
    if random.chance(0.5) {
        emulator.set_listing_delay(random.millis(1..60_000));
    }
    if random.chance(0.3) {
        emulator.set_rate_limit(Some(RateLimit::new(random.log(2.0, 50.0), 3).unwrap()));
    }
    let faults = FAULTS.iter().fold(Faults::none(), |faults, &fault| {
        let probability = if random.chance(0.4) { random.fraction() * 0.08 } else { 0.0 };
        faults.with(fault, probability).unwrap()
    });
    let mut network: FaultyNetwork<ListTransmitId> = FaultyNetwork::new(seed, faults);
    let mut selection = Selection::all().segments(1 + random.below(16) as u8).unwrap();
    let prefix = random.chance(0.5).then_some("doc-1#");
    if let Some(prefix) = prefix {
        selection = selection.prefix(prefix).unwrap();
    }
    let options = BulkOptions::new().seed(seed);
    let mut lister = KeyLister::new(&target(), credentials(), selection, options).unwrap();

    let mut always: BTreeSet<String> = (0..count).map(name).collect();
    let mut ever = always.clone();
    let (mut yielded, mut total, mut passed) = (BTreeSet::new(), 0, Duration::ZERO);
    // Before the first page, a listing may give up early.
    let first = lister.poll_transmit(now(passed)).unwrap();
    lister.handle_response(now(passed), first.id, &emulator.handle(now(passed), &first.request));
    let mut held = 0;
    for _ in 0..200_000 {
        while let Some(transmit) = lister.poll_transmit(now(passed)) {
            network.send(passed, transmit.id, transmit.request);
        }
        while lister.poll_event().is_some() {}
        // A consumer that takes some keys, and pauses.
        held += 1;
        if held % 3 != 0 || lister.poll_timeout().is_none() {
            for key in std::iter::from_fn(|| lister.poll_key()).take(random.size(1..2000)) {
                yielded.insert(key);
                total += 1;
            }
        }
        if lister.is_finished() {
            assert_eq!(lister.stopped(), None, "seed {seed}");
            assert!(lister.report().selected as usize == total);
            let is_selected = |key: &&String| prefix.is_none_or(|prefix| key.starts_with(prefix));
            let missing: Vec<_> =
                always.iter().filter(is_selected).filter(|key| !yielded.contains(*key)).collect();
            assert!(missing.is_empty(), "seed {seed}: {} are missing", missing.len());
            assert!(yielded.iter().all(|key| ever.contains(key) && is_selected(&key)));
            return (total, lister.report().restarts);
        }
        if random.chance(0.1) {
            let key = name(random.below(count));
            if random.chance(0.5) {
                let fresh = format!("doc-1#new-{}", random.below(1000));
                ever.insert(fresh.clone());
                emulator.put_whole_vectors(BUCKET, INDEX, [Vector::new(&fresh).unwrap()]).unwrap();
            } else {
                // Keys that were deleted and never put back.
                always.remove(&key);
                delete(&mut emulator, passed, &key);
            }
        }
        let due = network.next_event().into_iter().chain(lister.poll_timeout()).min();
        passed = due.unwrap_or(passed).max(passed);
        while let Some(event) = network.poll(now(passed), &mut emulator) {
            let NetworkEvent::Delivered { id, result, .. } = event else { continue };
            match result {
                Ok(response) => lister.handle_response(now(passed), id, &response),
                Err(failure) => lister.handle_failure(now(passed), id, failure),
            }
        }
        lister.handle_timeout(now(passed));
    }
    panic!("seed {seed}: the listing does not end, {lister:?}");
}

fn delete(emulator: &mut Emulator, passed: Duration, key: &str) {
    use oss_delete_vectors::signing::Signer;
    use oss_delete_vectors::{DeleteVectors, KeyBatch};
    let mut request = DeleteVectors::new(&target(), KeyBatch::new([key]).unwrap()).to_request();
    Signer::new(&target(), credentials()).sign(&mut request, now(passed).wall);
    // A throttled deletion is skipped.
    emulator.handle(now(passed), &request);
}

#[test]
fn keys_that_exist_throughout_are_all_listed() {
    let (mut total, mut restarts) = (0, 0);
    for seed in 0..150 {
        let (keys, restarted) = simulate(seed);
        total += keys;
        restarts += restarted;
    }
    assert!(total > 200_000 && restarts > 10, "{total} keys, {restarts} restarts");
}
