//! Deletes vectors with the blocking transport: one batch, any number of keys, and keys that fail.
//!
//! `cargo run --all-features --example blocking`

mod setup;

use std::error::Error;

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::{Run, TransportOptions, UreqTransport};
use oss_delete_vectors::{DeleteVectors, KeyBatch};

use setup::{Setup, key};

fn main() -> Result<(), Box<dyn Error>> {
    let setup = Setup::new(5000)?;
    let (target, credentials) = (&setup.target, &setup.credentials);
    let transport = UreqTransport::new(&TransportOptions::new());

    // Up to 500 keys in one request.
    let call = DeleteVectors::new(target, KeyBatch::new([key(0), key(1)])?);
    let signer = Signer::new(target, credentials.clone());
    let deleted = transport.delete_vectors(&call, &signer).map_err(|error| {
        match error.may_have_deleted() {
            true => format!("some may be deleted, try again: {error}"),
            false => format!("none is deleted: {error}"),
        }
    })?;
    println!(
        "deleted {} vectors, request id {}",
        call.keys().len(),
        deleted.request_id().unwrap_or_default()
    );

    // Any number of keys, in as many requests as necessary, at the pace that the service accepts.
    let keys = (2..3000).map(key);
    let report = transport.delete(target, credentials.clone(), keys, BulkOptions::new())?;
    println!("deleted {} vectors with {} requests", report.deleted, report.requests);

    // The same, and report each key that is not deleted. The emulator can reject one.
    if let Some(mut emulator) = setup.emulator() {
        emulator.reject_keys([key(4321)]);
    }
    let mut bulk = BulkDelete::new(target, credentials.clone(), BulkOptions::new())?;
    let report = Run::new(&mut bulk)
        .on_event(|event| {
            if let Event::Failed(failed) = event {
                let why = failed
                    .error
                    .map_or_else(|| "it was not sent".to_owned(), |error| error.to_string());
                failed.keys.iter().for_each(|key| println!("{key} is {}: {why}", failed.outcome));
            }
        })
        .run_blocking((3000..5000).map(key), move |request| transport.send(request))?;
    println!("deleted {} vectors with {} requests", report.deleted, report.requests);

    setup.assert_left(1);
    Ok(())
}
