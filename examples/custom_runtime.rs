//! Deletes vectors on a runtime other than tokio, here smol. It needs a timer and a transport.
//!
//! `cargo run --all-features --example custom_runtime`

mod setup;

use std::error::Error;

use async_io::Timer;
use blocking::unblock;
use futures_lite::future::zip;
use futures_lite::stream;
use oss_delete_vectors::Client;
use oss_delete_vectors::transports::{TransportOptions, UreqTransport};

use setup::{Setup, key};

fn main() -> Result<(), Box<dyn Error>> {
    let setup = Setup::new(20_000)?;

    // This transport blocks, so call it on a thread pool. An asynchronous one needs no `unblock`.
    let transport = UreqTransport::new(&TransportOptions::new());
    let send = move |request| {
        let transport = transport.clone();
        unblock(move || transport.send(request))
    };
    let builder = Client::builder(&setup.target, setup.credentials.clone());
    let (client, driver) = builder.with_transport(send, Timer::after)?;

    let app = async {
        client.delete([key(0), key(1)]).await?;
        let deleted = client.delete_stream(stream::iter((2..20_000).map(key))).await?;
        println!("deleted {deleted} vectors with {} requests", client.metrics().requests);
        client.close().await;
        Ok::<_, Box<dyn Error>>(())
    };
    // An executor would spawn the driver. It ends when the client is closed.
    let (result, ()) = async_io::block_on(zip(app, driver));
    result?;

    setup.assert_left(0);
    Ok(())
}
