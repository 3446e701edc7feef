//! The crate: both transports with their loops, and with a `Client`. All return how many batches
//! failed.

use std::thread;

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
use oss_delete_vectors::transports::{HyperTransport, Run, TransportOptions, UreqTransport};
use oss_delete_vectors::{Client, blocking};

use super::{BATCH, KEYS, Left, runtime};
use crate::fixture;

pub(super) fn hyper(port: u16, batches: usize, options: BulkOptions) -> usize {
    let (target, credentials) = (fixture::loopback_target(port), fixture::credentials());
    let keys = KEYS.iter().cycle().take(BATCH * batches);
    let transport = HyperTransport::new(&TransportOptions::new());
    let run = async { transport.delete(&target, credentials, keys, options).await };
    lost(batches, runtime().block_on(run).unwrap().deleted)
}

pub(super) fn ureq(port: u16, batches: usize, options: BulkOptions) -> usize {
    let mut bulk = bulk(port, options);
    let transport = UreqTransport::new(&TransportOptions::new());
    let keys = KEYS.iter().cycle().take(BATCH * batches);
    let report =
        Run::new(&mut bulk).run_blocking(keys, move |request| transport.send(request)).unwrap();
    lost(batches, report.deleted)
}

/// A `Client` that each of `concurrency` tasks gives one batch at a time.
pub(super) fn hyper_client(
    port: u16,
    concurrency: usize,
    batches: usize,
    options: BulkOptions,
) -> usize {
    super::in_tasks(concurrency, batches, || {
        let client = Client::builder(&fixture::loopback_target(port), fixture::credentials())
            .options(options)
            .build()
            .unwrap();
        async move |keys| client.delete(keys).await.is_ok()
    })
}

/// The same with threads.
pub(super) fn ureq_client(
    port: u16,
    concurrency: usize,
    batches: usize,
    options: BulkOptions,
) -> usize {
    let left = Left::new(batches);
    let client = blocking::Client::builder(&fixture::loopback_target(port), fixture::credentials())
        .options(options)
        .build()
        .unwrap();
    let delete = || {
        let batches = std::iter::from_fn(|| left.next());
        batches.filter(|keys| client.delete(*keys).is_err()).count()
    };
    let lost = thread::scope(|scope| {
        let threads: Vec<_> = (0..concurrency).map(|_| scope.spawn(delete)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    client.close();
    lost
}

fn bulk(port: u16, options: BulkOptions) -> BulkDelete {
    BulkDelete::new(&fixture::loopback_target(port), fixture::credentials(), options).unwrap()
}

fn lost(batches: usize, deleted: u64) -> usize {
    batches - deleted as usize / BATCH
}
