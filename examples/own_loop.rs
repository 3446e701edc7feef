//! Drives a `BulkDelete` in a loop of your own, with all that `Run` does: keys from a channel,
//! pauses, events, progress, spans, new credentials, a stop, and requests that time out.
//!
//! `cargo run --all-features --example own_loop`

mod setup;

use std::collections::HashMap;
use std::error::Error;
use std::future::poll_fn;
use std::time::{Duration, SystemTime};

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
use oss_delete_vectors::transports::{HyperTransport, TransportOptions};
use oss_delete_vectors::{Credentials, InvalidValue, Key, Now};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, sleep_until};

use setup::{Setup, key};

/// After this pause of the source, its keys are sent.
const PAUSE: Duration = Duration::from_millis(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let setup = Setup::new(20_000)?;
    let (feed, keys) = mpsc::channel(1000);
    tokio::spawn(async move {
        for number in 0..20_000 {
            if feed.send(key(number)).await.is_err() {
                break;
            }
        }
    });
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.send_replace(true);
        }
        stop.closed().await;
    });

    // Concurrent runs should not be synchronized. The core has no random numbers: pass your own, or
    // the time.
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.subsec_nanos().into();
    let mut bulk = BulkDelete::new(
        &setup.target,
        setup.credentials.clone(),
        BulkOptions::new().default_seed(seed),
    )?;
    // These are the same credentials again. Your program calls STS or another process here.
    let credentials = setup.credentials.clone();
    let renew = move || Ok(credentials.clone());
    let invalid = delete(&mut bulk, keys, stopped, renew).await;

    let report = bulk.report();
    println!("deleted {} vectors with {} requests", report.deleted, report.requests);
    match (invalid, bulk.stopped()) {
        (Some(invalid), _) => Err(invalid.into()),
        (None, Some(reason)) => Err(reason.to_string().into()),
        (None, None) => {
            setup.assert_left(0);
            Ok(())
        }
    }
}

/// Returns when every key has an outcome. The error is about an invalid key.
async fn delete(
    bulk: &mut BulkDelete,
    mut keys: mpsc::Receiver<String>,
    mut stopped: watch::Receiver<bool>,
    renew: impl Fn() -> Result<Credentials, InvalidValue> + Clone + Send + 'static,
) -> Option<InvalidValue> {
    let start = Instant::now();
    let now = || Now::new(start.elapsed(), SystemTime::now());
    let transport = HyperTransport::new(&TransportOptions::new());
    let (mut requests, mut handles, mut renewals) =
        (JoinSet::new(), HashMap::new(), JoinSet::new());
    let mut progress = interval(Duration::from_secs(1));
    let mut invalid = None;
    bulk.enable_renewal();
    loop {
        while let Some(transmit) = bulk.poll_transmit(now()) {
            let (id, span, transport) = (transmit.id, transmit.span.clone(), transport.clone());
            // The request is built and signed in its own task.
            let mut response = Box::pin(async move { transport.send(transmit.to_request()).await });
            let response =
                poll_fn(move |context| span.in_scope(|| response.as_mut().poll(context)));
            handles.insert(id, requests.spawn(async move { (id, response.await) }));
        }
        let mut had_event = false;
        while let Some(event) = bulk.poll_event() {
            had_event = true;
            match event {
                Event::CredentialsNeeded if renewals.is_empty() => {
                    _ = renewals.spawn_blocking(renew.clone());
                }
                Event::Failed(failed) => {
                    println!("{} keys are {}", failed.keys.len(), failed.outcome);
                }
                _ => {}
            }
        }
        if had_event {
            continue;
        }
        if bulk.is_finished() {
            break;
        }
        // Drop requests that timed out: the run no longer waits for them.
        for (_, request) in handles.extract_if(|&id, _| !bulk.is_in_flight(id)) {
            request.abort();
        }
        let deadline = bulk
            .poll_timeout()
            .map_or(start + Duration::from_secs(3600), |timeout| start + timeout);
        tokio::select! {
            key = keys.recv(), if bulk.can_push() => match key.as_deref().map(Key::new) {
                Some(Ok(key)) => bulk.push(key).expect("can_push"),
                Some(Err(error)) => {
                    invalid = Some(error);
                    bulk.stop();
                }
                None => bulk.finish(),
            },
            () = sleep(PAUSE), if bulk.wants_flush() => bulk.flush(),
            Some(ended) = requests.join_next() => match ended {
                Ok((id, Ok(response))) => bulk.handle_response(now(), id, &response),
                Ok((id, Err(error))) => bulk.handle_failure(now(), id, error),
                Err(error) if error.is_cancelled() => {}
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
            Some(Ok(Ok(credentials))) = renewals.join_next() => bulk.handle_credentials(now(), credentials),
            Ok(_) = stopped.wait_for(|stopped| *stopped), if bulk.stopped().is_none() => bulk.stop(),
            _ = progress.tick() => println!("{} keys deleted", bulk.report().deleted),
            () = sleep_until(deadline) => bulk.handle_timeout(now()),
        }
    }
    // After a stop, keys that were read but not pushed count as not attempted.
    keys.close();
    while let Some(key) = keys.recv().await
        && invalid.is_none()
        && let Ok(key) = Key::new(&key)
    {
        bulk.push_unsent(key).expect("the run has stopped");
    }
    bulk.finish();
    while bulk.poll_event().is_some() {}
    invalid
}
