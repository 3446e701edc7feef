//! Deletes vectors from Alibaba Cloud OSS vector buckets (`DeleteVectors`): a sans-IO protocol core with pluggable transports.
//!
//! Deletion is irreversible, not atomic on a 5xx, and throttled at a rate that nobody publishes. So every answer becomes an
//! outcome that says what to do: whether to send again, whether to slow down, and whether keys *may* be gone in spite of an error.
//!
//! # In scope
//!
//! - One call, from value to `http::Request` and from `http::Response` to value, on both sides of the wire: [`DeleteVectors`].
//! - Signatures of the service, made, presigned and verified: [`signing`].
//! - Any number of keys, paced, retried and every one accounted for: [`bulk`].
//! - Carrying requests, over hyper or ureq: [`transports`]. Any other client will do.
//! - The service's side as a value, to test against: `emulator`.
//!
//! # Out of scope
//!
//! - All other operations of the service: you know which keys to delete.
//! - Where credentials come from: the core takes them as a value, and a run asks a provider of yours for others.
//!
//! It was never run against the live service: it is held against the official SDK's requests and answers, byte for byte.
//!
//! # Three ways in
//!
//! ## A transport
//!
//! `UreqTransport` blocks, `HyperTransport` is to be awaited; both have `delete_vectors` for one batch and `delete_all` for any
//! number of keys. Here the emulator answers (features `ureq` and `serve`); without the endpoint it is the service that is asked.
//!
//! ```
//! # #[cfg(all(feature = "ureq", feature = "serve"))] {
//! use std::net::Ipv4Addr;
//! use std::sync::{Arc, Mutex};
//! use oss_delete_vectors::bulk::BulkOptions;
//! use oss_delete_vectors::emulator::Emulator;
//! use oss_delete_vectors::transports::{Server, TransportOptions, UreqTransport};
//! use oss_delete_vectors::{Credentials, Target};
//!
//! let index = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1");
//! let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
//! let keys = (0..1234).map(|number| format!("doc-{number:04}"));
//!
//! let emulator = Emulator::with_vectors(&index.clone().build()?, credentials.clone(), keys.clone())?;
//! let server = Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), Arc::new(Mutex::new(emulator)))?;
//! let target = index.endpoint(server.url().parse()?).build()?;
//!
//! let transport = UreqTransport::new(&TransportOptions::new());
//! let report = transport.delete_all(&target, credentials, keys, BulkOptions::new())?;
//! assert_eq!((report.deleted, report.requests), (1234, 3));
//! # }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! ## A client of your own
//!
//! A request out, a response in, and the time as an argument: [`DeleteVectors`] and a [`Signer`](signing::Signer).
//!
//! ```
//! # #[cfg(feature = "emulator")] {
//! use std::time::{Duration, UNIX_EPOCH};
//! use oss_delete_vectors::emulator::Emulator;
//! use oss_delete_vectors::signing::Signer;
//! use oss_delete_vectors::{Credentials, DeleteVectors, KeyBatch, Now, Target, code};
//!
//! let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1").build()?;
//! let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
//! let now = Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_702_743_657));
//! let mut request = DeleteVectors::new(&target, KeyBatch::new(["doc-001", "doc-002"])?).to_request();
//! Signer::new(&target, credentials.clone()).sign(&mut request, now.wall);
//!
//! // The emulator stands where your client and the service would.
//! let mut emulator = Emulator::with_vectors(&target, credentials, ["doc-001", "doc-002", "doc-003"])?;
//! let deleted = DeleteVectors::parse_response(&emulator.handle(now, &request))?;
//! assert!(deleted.request_id().is_some());
//!
//! // Twenty minutes later the same request is too old.
//! let later = Now::new(Duration::from_secs(1200), now.wall + Duration::from_secs(1200));
//! let error = DeleteVectors::parse_response(&emulator.handle(later, &request)).unwrap_err();
//! assert_eq!(error.code(), code::REQUEST_TIME_TOO_SKEWED);
//! assert!(!error.may_have_deleted());
//! # }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! ## A run in a loop
//!
//! For more than 500 keys there is [`BulkDelete`](bulk::BulkDelete), a state machine without IO. [`Run`](transports::Run) drives
//! it with threads, or on any async runtime. What it does over and over, and a loop of your own would, is to
//!
//! 1. push keys while they are taken, and say when there are no more;
//! 2. send every request that is handed out;
//! 3. take every event;
//! 4. end when the run is finished;
//! 5. wait for an answer, for a key, or until the time that is told;
//! 6. hand in what came.
//!
//! ```
//! use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Failure};
//! use oss_delete_vectors::transports::Run;
//! use oss_delete_vectors::{Credentials, Deleted, Target};
//!
//! let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1").build()?;
//! let mut bulk = BulkDelete::new(&target, Credentials::new("LTAI5tExample", "my-secret")?, BulkOptions::new())?;
//! // Stands for a client; this one answers that all is well.
//! let send = |_request| Ok::<_, Failure>(Deleted::new("some id").to_response());
//! let report = Run::new(&mut bulk).run_blocking((0..1234).map(|number| format!("doc-{number}")), send)?;
//! assert_eq!((report.deleted, report.requests), (1234, 3));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! [`BulkDelete`](bulk::BulkDelete) has the six steps in full, with an example; [`bulk`] a picture of what happens to a batch.
//!
//! # What to do about an error
//!
//! [`ServiceError`] answers three questions, [`is_throttling`](ServiceError::is_throttling),
//! [`may_have_deleted`](ServiceError::may_have_deleted) and [`is_retryable`](ServiceError::is_retryable), and says in words what to
//! mend, [`advice`](ServiceError::advice). What is sent again is signed anew; deleting twice does no harm, unless the vector was put
//! back in between. [`code`] has every code that is known.
//!
//! | answer | what to do | what a run does by itself |
//! |---|---|---|
//! | 503 with a throttling code, such as `QpsLimitExceeded`, `SlowDown`; 429 | send it again, more slowly: part of it may be gone after a 503 | just that, as often as it takes |
//! | 500 `InternalError`, any other 5xx, 408, no answer | send it again: part of it may be gone | sends it ten times; then *unconfirmed* |
//! | no connection, so that it was surely not sent | send it again | sends it ten times; then *not attempted*; stops after three where nothing ever answered |
//! | 400 `InvalidDigest`, `BadRequest`; 401 | send it again | sends it ten times; then *rejected* |
//! | 409, of which the service's reference says nothing | what the message says | the same |
//! | 400 `VectorIndexParameterInvalid`, `MalformedJson`, any other; 413 `EntityTooLarge` | check the index name and the keys | halves the batch until bad keys stand alone: *rejected* |
//! | 403 `RequestTimeTooSkewed` | set the clock | signs with the time of the service, which it learns from the answer |
//! | 403 `SecurityTokenExpired`, `InvalidSecurityToken`, `InvalidAccessKeyId` | get other credentials | asks its provider; stops where there is none |
//! | 403 `SignatureDoesNotMatch` | check the AccessKey secret, the region and the account id | stops |
//! | 403 `AccessDenied` | allow the action `oss:DeleteVectors` | stops |
//! | 403 `UserDisable` | enable the account or the user, or pay what is due | stops |
//! | 404 `NoSuchBucket`, `NoSuchVectorIndex` | check region, account id, bucket and index name | stops |
//! | 3xx, 405 `MethodNotAllowed`, 407, 411; 2xx, 403 or 404 that is not the service's (`BadErrorResponse`) | check the endpoint, and what stands before it | stops before its first success; later sends it ten times, then *unconfirmed* |
//! | any other 4xx | what the message says | stops |
//!
//! # Pacing
//!
//! A run finds the unknown limits of the service and stays there: a limit on requests per second, and one on keys per second. It
//! opens with two requests in flight and twice as many with every round, until the first is throttled. From then on it measures what
//! is accepted between throttled responses, because that *is* the limit, and goes a little faster: half a percent, more for
//! slow limits, so that a throttled response now and then keeps the measurement going. When none comes in time, the limit has risen,
//! and that little grows. A batch waits until both limits have let its size in. Which of the two limits binds shows in the sizes
//! that are throttled; the other one is remembered.
//!
//! ```text
//! requests/s: # accepted, x refused; the limit is 60, from 20 s on 30, from 40 s on 60
//!  80 |x
//!  70 |x                                                x    x
//!  60 |####################                             ###########
//!  50 |####################                             ###########
//!  40 |####################x                           ############
//!  30 |############################################################
//!  20 |############################################################
//!  10 |############################################################
//!     +---------+---------+---------+---------+---------+---------+
//!     0         10        20        30        40        50        60 s
//! ```
//!
//! Each run measures for itself, and many small ones at once refuse one another: let one run take the keys of all, from a channel,
//! or give each its part with [`Adaptive`](bulk::Adaptive).
//!
//! A refused batch loses nothing and spends no attempt. [`Rate`](bulk::Rate) caps the rate, fixes it or lets it go.
//!
//! # Features
//!
//! All are off by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `hyper` | `HyperTransport`: asynchronous, on tokio |
//! | `ureq` | `UreqTransport`: blocking |
//! | `async` | `Run::run_async`: any number of keys on a runtime of yours, over a client of yours; part of `hyper` |
//! | `emulator` | `Emulator`: the service's side as a value, for tests without a network |
//! | `serve` | the emulator on a loopback socket, for clients in any language |
//! | `tracing` | a `tracing` span for each request of a run, and its events |
//! | `cli` | the programs `delete-vectors` and `vectors-emulator` |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::disallowed_macros, clippy::disallowed_methods, clippy::disallowed_types)]

pub mod bulk;
mod credentials;
mod delete_vectors;
#[cfg(feature = "emulator")]
pub mod emulator;
mod endpoint;
mod escape;
mod invalid;
mod keys;
mod now;
mod random;
pub mod signing;
mod target;

#[path = "../transports/mod.rs"]
pub mod transports;

pub use credentials::Credentials;
pub use delete_vectors::{DeleteVectors, Deleted, RequestError, ServiceError, code};
pub use endpoint::Endpoint;
pub use invalid::Invalid;
pub use keys::{Key, KeyBatch, Keys};
pub use now::Now;
pub use target::{Target, TargetBuilder};

/// The README's examples are tests; those that would talk to the service are compiled alone.
#[cfg(all(doctest, feature = "hyper", feature = "ureq", feature = "serve"))]
#[doc = include_str!("../README.md")]
struct Readme;
