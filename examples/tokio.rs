//! Deletes vectors on tokio: keys as another task finds them, what happens as it happens, and an end in order on Ctrl-C.
//!
//! `cargo run --example tokio --features hyper,serve`

mod place;

use std::error::Error;

use futures_lite::stream;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event, StopReason};
use oss_delete_vectors::emulator::RateLimit;
use oss_delete_vectors::transports::{HyperTransport, Run, RunErrorKind, StopHandle, TransportOptions};
use tokio::signal::ctrl_c;
use tokio::sync::mpsc;

use place::{Place, key};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let place = Place::choose(30_000)?;
    // The service has a limit that nobody publishes. The emulator has this one.
    if let Some(mut emulator) = place.emulated() {
        emulator.set_rate_limit(Some(RateLimit::new(30.0, 10)?));
    }

    // Any `Stream` of keys will do; this one is fed by a task, which waits while there is enough to do.
    let (feed, mut fed) = mpsc::channel(1000);
    tokio::spawn(async move {
        for number in 0..30_000 {
            if feed.send(key(number)).await.is_err() {
                break;
            }
        }
    });
    let keys = stream::poll_fn(move |context| fed.poll_recv(context));

    let stop = StopHandle::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        if ctrl_c().await.is_ok() {
            stopping.stop();
        }
    });

    let transport = HyperTransport::new(&TransportOptions::new());
    let mut bulk = BulkDelete::new(&place.target, place.credentials.clone(), BulkOptions::new())?;
    let run = Run::new(&mut bulk).stop_handle(&stop).on_event(|event| match event {
        Event::Throttled { pace, .. } => println!("throttled: {pace:?}"),
        Event::Retrying { keys, error, .. } => println!("{keys} keys are sent again: {error}"),
        Event::Failed(failed) => println!("{} keys are {}", failed.keys.len(), failed.outcome),
        _ => {}
    });
    match run.run_async(keys, |request| transport.send(request), tokio::time::sleep).await {
        Ok(report) => println!("{} vectors are gone, after {} requests", report.deleted, report.requests),
        // What was in flight has had its answer.
        Err(stopped) if matches!(stopped.kind(), RunErrorKind::Stopped(StopReason::Requested)) => {
            println!("{stopped}");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }

    place.assert_left(0);
    Ok(())
}
