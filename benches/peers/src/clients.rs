//! Clients that send batches of 500 keys to a server on loopback, each used as intended.

mod bare;
mod ossify;
mod ours;
mod s3vectors;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use aws_sdk_s3vectors::config::retry::RetryConfig;
use oss_delete_vectors::bulk::{BulkOptions, Rate};

use crate::fixture;

/// The number of keys per request.
pub const BATCH: usize = 500;

/// The keys that all clients send repeatedly. Prepared in advance, because their cost is not
/// measured.
static KEYS: LazyLock<Vec<String>> = LazyLock::new(|| fixture::keys(16 * BATCH));

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// hyper-util alone, sending one signed request repeatedly: the limit for an adapter.
    HyperPrepared,
    /// hyper-util alone, with requests built and signed by the floor: the limit for a client.
    HyperFloor,
    /// `HyperTransport` and `run_async`.
    HyperOurs,
    /// `Client`, called by a task for each request at a time.
    HyperClient,
    UreqPrepared,
    UreqFloor,
    /// `UreqTransport` and `run_blocking`.
    UreqOurs,
    /// `blocking::Client`, called by as many threads.
    UreqClient,
    S3Vectors,
    /// It computes no MD5 either.
    Ossify,
}

impl Client {
    pub const ALL: [Self; 10] = [
        Self::HyperPrepared,
        Self::HyperFloor,
        Self::HyperOurs,
        Self::HyperClient,
        Self::UreqPrepared,
        Self::UreqFloor,
        Self::UreqOurs,
        Self::UreqClient,
        Self::S3Vectors,
        Self::Ossify,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HyperPrepared => "hyper-util, prepared",
            Self::HyperFloor => "hyper-util, floor",
            Self::HyperOurs => "ours, hyper",
            Self::HyperClient => "ours, hyper, Client",
            Self::UreqPrepared => "ureq, prepared",
            Self::UreqFloor => "ureq, floor",
            Self::UreqOurs => "ours, ureq",
            Self::UreqClient => "ours, ureq, Client",
            Self::S3Vectors => "aws-sdk-s3vectors",
            Self::Ossify => "ossify",
        }
    }

    /// Sends `requests` requests, `concurrency` at a time, as fast as possible.
    ///
    /// # Panics
    ///
    /// If one of them fails.
    pub fn send_all(self, port: u16, concurrency: usize, requests: usize) {
        LazyLock::force(&KEYS);
        let unlimited = BulkOptions::new().concurrency(concurrency).rate(Rate::Unlimited);
        match self {
            Self::HyperPrepared => bare::hyper(port, concurrency, requests, true),
            Self::HyperFloor => bare::hyper(port, concurrency, requests, false),
            Self::UreqPrepared => bare::ureq(port, concurrency, requests, true),
            Self::UreqFloor => bare::ureq(port, concurrency, requests, false),
            Self::HyperOurs => assert_eq!(ours::hyper(port, requests, unlimited), 0),
            Self::UreqOurs => assert_eq!(ours::ureq(port, requests, unlimited), 0),
            Self::HyperClient => {
                assert_eq!(ours::hyper_client(port, concurrency, requests, unlimited), 0)
            }
            Self::UreqClient => {
                assert_eq!(ours::ureq_client(port, concurrency, requests, unlimited), 0)
            }
            Self::S3Vectors => {
                assert_eq!(s3vectors::run(port, concurrency, requests, RetryConfig::disabled()), 0)
            }
            Self::Ossify => assert_eq!(ossify::run(port, concurrency, requests), 0),
        }
    }
}

/// Clients under a limit that they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paced {
    HyperOurs,
    UreqOurs,
    S3VectorsStandard,
    S3VectorsAdaptive,
    Ossify,
}

impl Paced {
    pub const ALL: [Self; 5] = [
        Self::HyperOurs,
        Self::UreqOurs,
        Self::S3VectorsStandard,
        Self::S3VectorsAdaptive,
        Self::Ossify,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HyperOurs => "ours (hyper)",
            Self::UreqOurs => "ours (ureq)",
            Self::S3VectorsStandard => "aws-sdk-s3vectors (standard)",
            Self::S3VectorsAdaptive => "aws-sdk-s3vectors (adaptive)",
            Self::Ossify => "ossify",
        }
    }

    #[must_use]
    pub fn is_ours(self) -> bool {
        matches!(self, Self::HyperOurs | Self::UreqOurs)
    }

    /// Sends `batches` batches, at most `concurrency` at a time. Returns how many failed, as far as
    /// the client reports it.
    #[must_use]
    pub fn send_all(self, port: u16, concurrency: usize, batches: usize) -> usize {
        let options = BulkOptions::new().concurrency(concurrency);
        match self {
            Self::HyperOurs => ours::hyper(port, batches, options),
            Self::UreqOurs => ours::ureq(port, batches, options),
            Self::S3VectorsStandard => {
                s3vectors::run(port, concurrency, batches, RetryConfig::standard())
            }
            Self::S3VectorsAdaptive => {
                s3vectors::run(port, concurrency, batches, RetryConfig::adaptive())
            }
            Self::Ossify => ossify::run(port, concurrency, batches),
        }
    }
}

/// The requests that are left to send, shared by the senders.
struct Left(AtomicUsize);

impl Left {
    fn new(requests: usize) -> Self {
        Self(AtomicUsize::new(requests))
    }

    /// The keys of the next request.
    fn next(&self) -> Option<&'static [String]> {
        let left = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .ok()?;
        let first = left % (KEYS.len() / BATCH) * BATCH;
        Some(&KEYS[first..first + BATCH])
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Calls `delete` for each batch, in `concurrency` tasks. Returns how many batches failed.
fn in_tasks<F>(concurrency: usize, batches: usize, client: impl FnOnce() -> F) -> usize
where
    F: AsyncFn(&'static [String]) -> bool + Clone + 'static,
{
    let left = Arc::new(Left::new(batches));
    tokio::task::LocalSet::new().block_on(&runtime(), async {
        let delete = client();
        let tasks: Vec<_> = (0..concurrency)
            .map(|_| {
                let (left, delete) = (Arc::clone(&left), delete.clone());
                tokio::task::spawn_local(async move {
                    let mut lost = 0;
                    while let Some(keys) = left.next() {
                        lost += usize::from(!delete(keys).await);
                    }
                    lost
                })
            })
            .collect();
        let mut lost = 0;
        for task in tasks {
            lost += task.await.unwrap();
        }
        lost
    })
}
