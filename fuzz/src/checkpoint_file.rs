//! Checkpoints: a parsed checkpoint can be written again and resumed, with any numbers.

use std::time::Duration;

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Checkpoint, Event, FailedKeys, Rate};
use oss_delete_vectors::{Deleted, Key, Now, TransportError};

use crate::example::{credentials, target, time};
use crate::program::checkpoint::Saved;

/// Parses any text as a checkpoint file of the program, and as a checkpoint of the library.
pub fn checkpoint_file(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(saved) = Saved::parse(text) {
        let again = Saved::parse(&saved.to_text()).expect("a parsed checkpoint round-trips");
        assert_eq!(Saved { elapsed: saved.elapsed, ..again }, saved);
        check(&saved.run);
        check_growth(saved);
    }
    match text.parse::<Checkpoint>() {
        Ok(checkpoint) => check(&checkpoint),
        Err(invalid) => assert_eq!(invalid.field(), "checkpoint"),
    }
}

/// A run that resumes from the file adds to its totals.
fn check_growth(mut saved: Saved) {
    let mut bulk =
        BulkDelete::new(&target(), credentials(), BulkOptions::new().max_attempts(1)).unwrap();
    bulk.push(Key::new("a").unwrap()).unwrap();
    bulk.finish();
    let now = Now::new(Duration::ZERO, time());
    let transmit = bulk.poll_transmit(now).expect("a key is ready");
    bulk.handle_failure(now, transmit.id, TransportError::may_have_arrived("the connection broke"));
    let Some(Event::Failed(FailedKeys { error: Some(error), .. })) = bulk.poll_event() else {
        panic!("its one attempt failed")
    };
    saved.errors.add(&error, 500);
    saved.elapsed += Duration::from_secs(1 << 32);
    assert!(saved.errors.to_lines().all(|line| !line.is_empty()));
}

/// The keys of three batches.
const KEYS: u64 = 1200;

fn check(checkpoint: &Checkpoint) {
    assert_eq!(checkpoint.to_string().parse::<Checkpoint>().as_ref(), Ok(checkpoint));
    let report = checkpoint.report();
    assert_eq!((report.pushed, report.pending()), (checkpoint.settled().len(), 0));

    let options = BulkOptions::new().rate(Rate::Unlimited);
    let Ok(mut bulk) = BulkDelete::resume(&target(), credentials(), options, checkpoint) else {
        return;
    };
    assert_eq!(bulk.checkpoint(), *checkpoint);
    for number in 0..KEYS {
        bulk.push(Key::new(&number.to_string()).unwrap()).unwrap();
    }
    bulk.finish();
    let left =
        (0..KEYS).filter(|&position| !checkpoint.settled().contains(position)).count() as u64;
    assert_eq!(bulk.report().pending(), left);
    let now = Now::new(Duration::ZERO, time());
    let mut requests = 0;
    while let Some(transmit) = bulk.poll_transmit(now) {
        requests += 1;
        bulk.handle_response(now, transmit.id, &Deleted::new("id").to_response());
        while bulk.poll_event().is_some() {}
    }
    assert!(bulk.is_finished());
    let mut ended = bulk.report();
    assert_eq!((ended.deleted, ended.pending()), (report.deleted + left, 0));
    assert_eq!((ended.requests, ended.pushed), (report.requests + requests, report.pushed + left));
    assert!((0..KEYS).all(|position| bulk.settled().contains(position)));
    // A resumed run reads its input again.
    ended.input_complete = false;
    assert_eq!(bulk.checkpoint().report(), ended);
}
