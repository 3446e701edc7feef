//! Deletes vectors on a runtime other than tokio, here that of smol: anything that sleeps and sends will do.
//!
//! `cargo run --example custom_runtime --features async,ureq,serve`

mod place;

use std::error::Error;

use async_io::Timer;
use blocking::unblock;
use futures_lite::stream;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
use oss_delete_vectors::transports::{Run, TransportOptions, UreqTransport};

use place::{Place, key};

fn main() -> Result<(), Box<dyn Error>> {
    let place = Place::choose(20_000)?;
    let mut bulk = BulkDelete::new(&place.target, place.credentials.clone(), BulkOptions::new())?;

    // This client blocks, so that it is called on a pool of threads; an asynchronous one needs no `unblock`.
    let transport = UreqTransport::new(&TransportOptions::new());
    let send = |request| {
        let transport = transport.clone();
        unblock(move || transport.send(request))
    };
    let keys = stream::iter((0..20_000).map(key));
    let report = async_io::block_on(Run::new(&mut bulk).run_async(keys, send, Timer::after))?;
    println!("{} vectors are gone, after {} requests", report.deleted, report.requests);

    place.assert_left(0);
    Ok(())
}
