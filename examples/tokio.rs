//! Deletes vectors on tokio: keys from another task, events, and a clean stop on Ctrl-C.
//!
//! `cargo run --all-features --example tokio`

mod setup;

use std::error::Error;

use futures_lite::stream;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event, StopReason};
use oss_delete_vectors::emulator::RateLimit;
use oss_delete_vectors::transports::{
    HyperTransport, Run, RunErrorKind, StopHandle, TransportOptions,
};
use tokio::signal::ctrl_c;
use tokio::sync::mpsc;

use setup::{Setup, key};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let setup = Setup::new(30_000)?;
    // The limit of the service is not published. This is the limit of the emulator.
    if let Some(mut emulator) = setup.emulator() {
        emulator.set_rate_limit(Some(RateLimit::new(30.0, 10)?));
    }

    // Any `Stream` of keys works. This one comes from a task, which waits while the channel is
    // full.
    let (feed, mut fed) = mpsc::channel(1000);
    tokio::spawn(async move {
        for number in 0..30_000 {
            if feed.send(key(number)).await.is_err() {
                break;
            }
        }
    });
    let keys = stream::poll_fn(move |context| fed.poll_recv(context));

    let transport = HyperTransport::new(&TransportOptions::new());
    let mut bulk = BulkDelete::new(&setup.target, setup.credentials.clone(), BulkOptions::new())?;
    let stop = StopHandle::new();
    let run = Run::new(&mut bulk).stop_handle(&stop).on_event(|event| match event {
        Event::Throttled { pace, .. } => println!("throttled: {pace:?}"),
        Event::Retrying { keys, error, .. } => println!("retrying {keys} keys: {error}"),
        Event::Failed(failed) => println!("{} keys are {}", failed.keys.len(), failed.outcome),
        _ => {}
    });
    // The run already has the handle. A stop does not affect later runs.
    tokio::spawn(async move {
        if ctrl_c().await.is_ok() {
            stop.stop();
        }
    });
    match run.run_async(keys, |request| transport.send(request), tokio::time::sleep).await {
        Ok(report) => {
            println!("deleted {} vectors with {} requests", report.deleted, report.requests);
        }
        // All requests in flight have finished.
        Err(stopped) if matches!(stopped.kind(), RunErrorKind::Stopped(StopReason::Requested)) => {
            println!("{stopped}");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }

    setup.assert_left(0);
    Ok(())
}
