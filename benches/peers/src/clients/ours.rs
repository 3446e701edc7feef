//! The crate: both transports with their loops. Both return how many batches failed.

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
use oss_delete_vectors::transports::{HyperTransport, Run, TransportOptions, UreqTransport};

use super::{BATCH, KEYS, runtime};
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

fn bulk(port: u16, options: BulkOptions) -> BulkDelete {
    BulkDelete::new(&fixture::loopback_target(port), fixture::credentials(), options).unwrap()
}

fn lost(batches: usize, deleted: u64) -> usize {
    batches - deleted as usize / BATCH
}
