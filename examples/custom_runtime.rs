//! Deletes vectors on another runtime than tokio, here on smol: it takes a timer and a client.
//!
//! `cargo run --example custom_runtime --features async,ureq,serve`

mod setup;

use std::error::Error;

use async_io::Timer;
use blocking::unblock;
use futures_lite::stream;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
use oss_delete_vectors::transports::{Run, TransportOptions, UreqTransport};

use setup::{Setup, key};

fn main() -> Result<(), Box<dyn Error>> {
    let setup = Setup::new(20_000)?;
    let mut bulk = BulkDelete::new(&setup.target, setup.credentials.clone(), BulkOptions::new())?;

    // This client blocks, so call it on a thread pool. An asynchronous client needs no `unblock`.
    let transport = UreqTransport::new(&TransportOptions::new());
    let send = |request| {
        let transport = transport.clone();
        unblock(move || transport.send(request))
    };
    let keys = stream::iter((0..20_000).map(key));
    let report = async_io::block_on(Run::new(&mut bulk).run_async(keys, send, Timer::after))?;
    println!("deleted {} vectors with {} requests", report.deleted, report.requests);

    setup.assert_left(0);
    Ok(())
}
