//! Deletes vectors and blocks the thread meanwhile: one batch, any number of keys, and a list of those that are not deleted.
//!
//! `cargo run --example blocking --features ureq,serve`

mod place;

use std::error::Error;

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::{Run, TransportOptions, UreqTransport};
use oss_delete_vectors::{DeleteVectors, KeyBatch};

use place::{Place, key};

fn main() -> Result<(), Box<dyn Error>> {
    let place = Place::choose(5000)?;
    let (target, credentials) = (&place.target, &place.credentials);
    let transport = UreqTransport::new(&TransportOptions::new());

    // Up to 500 keys: one request and its answer.
    let call = DeleteVectors::new(target, KeyBatch::new([key(0), key(1)])?);
    let signer = Signer::new(target, credentials.clone());
    let deleted = transport.delete_vectors(&call, &signer).map_err(|error| match error.may_have_deleted() {
        true => format!("some may be gone, send them again: {error}"),
        false => format!("all are still there: {error}"),
    })?;
    println!("{} vectors are gone, request id {}", call.keys().len(), deleted.request_id().unwrap_or_default());

    // Any number of them: as many requests as it takes, none faster than the service wants them.
    let keys = (2..3000).map(key);
    let report = transport.delete_all(target, credentials.clone(), keys, BulkOptions::new())?;
    println!("{} vectors are gone, after {} requests", report.deleted, report.requests);

    // The same with a word on every key that is not deleted. The emulator can be told to find fault with one.
    if let Some(mut emulator) = place.emulated() {
        emulator.refuse_keys([key(4321)]);
    }
    let mut bulk = BulkDelete::new(target, credentials.clone(), BulkOptions::new())?;
    let report = Run::new(&mut bulk)
        .on_event(|event| {
            if let Event::Failed(failed) = event {
                let why = failed.error.map_or_else(|| "it was not sent".to_owned(), |error| error.to_string());
                failed.keys.iter().for_each(|key| println!("{key} is {}: {why}", failed.outcome));
            }
        })
        .run_blocking((3000..5000).map(key), move |request| transport.send(request))?;
    println!("{} vectors are gone, after {} requests", report.deleted, report.requests);

    place.assert_left(1);
    Ok(())
}
