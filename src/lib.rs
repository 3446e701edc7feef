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
//! `UreqTransport` blocks, `HyperTransport` is to be awaited; both have `delete_vectors` for one
//! batch and `delete` for any number of keys. Here the emulator answers (features `ureq` and
//! `serve`); without the endpoint it is the service that is asked.
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
//! let index = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1");
//! let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
//! let keys = (0..1234).map(|number| format!("doc-{number:04}"));
//!
//! let emulator = Emulator::with_vectors(&index.clone().build()?, credentials.clone(), keys.clone())?;
//! let server = Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), Arc::new(Mutex::new(emulator)))?;
//! let target = index.endpoint(server.url().parse()?).build()?;
//!
//! let transport = UreqTransport::new(&TransportOptions::new());
//! let report = transport.delete(&target, credentials, keys, BulkOptions::new())?;
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
//! let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1").build()?;
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
//! 5. wait for a response, for a key, or until its next timeout;
//! 6. hand in what came.
//!
//! ```
//! use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
//! use oss_delete_vectors::transports::Run;
//! use oss_delete_vectors::{Credentials, Deleted, Target, TransportError};
//!
//! let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1").build()?;
//! let mut bulk = BulkDelete::new(&target, Credentials::new("LTAI5tExample", "my-secret")?, BulkOptions::new())?;
//! // Stands for a client; this one deletes everything.
//! let send = |_request| Ok::<_, TransportError>(Deleted::new("some id").to_response());
//! let report = Run::new(&mut bulk).run_blocking((0..1234).map(|number| format!("doc-{number}")), send)?;
//! assert_eq!((report.deleted, report.requests), (1234, 3));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! [`BulkDelete`](bulk::BulkDelete) has the six steps in full, and the example `own_loop` a loop
//! with all that `Run` does; [`bulk`] has a picture of what happens to a batch.
//!
//! # What to do about an error
//!
//! [`ServiceError`] answers four questions, [`is_throttling`](ServiceError::is_throttling),
//! [`may_have_deleted`](ServiceError::may_have_deleted), [`is_retryable`](ServiceError::is_retryable) and
//! [`is_from_oss`](ServiceError::is_from_oss), and says in words what to do, [`advice`](ServiceError::advice). What is sent again is
//! signed anew. Deleting twice does no harm, unless the vector was put back in between. [`code`] has every code that is known.
//!
//! Keys are deleted if the response is a 2xx with `x-oss-request-id` and without an error. For all others this is the table by
//! which a run decides. The first row that fits counts.
//!
//! | status | code | keys may be gone | before the first deletion | after it | what to do |
//! |---|---|---|---|---|---|
//! | not 4xx, 405, 407, 408, 411 | `QpsLimitExceeded`, `TotalQpsLimitExceeded`, `MetaOperationQpsLimitExceeded`, `ActiveRequestLimitExceeded`, `CpuLimitExceeded`, `SlowDown`, `Throttling`, `Throttling.*` | yes | slow down | slow down | send more slowly |
//! | 4xx | the same | no | slow down | slow down | send more slowly |
//! | 503 | none | yes | slow down | slow down | send more slowly: a gateway limits requests |
//! | 429 | none, and no request id | yes | slow down | slow down | send more slowly: a gateway limits requests |
//! | 429 | any | no | slow down | slow down | send more slowly |
//! | 5xx, 408 | any | yes | retry | retry | send it again |
//! | 1xx, 2xx, 3xx, 405, 407, 411 | any | yes | stop | retry | not from OSS, or not to this call: check the endpoint |
//! | 413 | none, and no request id | yes | stop | retry, then split | not from OSS: check the proxy's limits |
//! | 4xx | none, and no request id | yes | stop | retry | not from OSS: check the endpoint, and what is before it |
//! | 4xx | `RequestTimeout` | yes | retry | retry | send it again |
//! | 4xx | `RequestTimeTooSkewed` | no | sign again | sign again | set the clock |
//! | 4xx | `SecurityTokenExpired`, `InvalidSecurityToken`, `InvalidAccessKeyId` | no | renew credentials | renew credentials | get other credentials |
//! | 401, 409 | any | no | retry | retry | read the message |
//! | 4xx | `InvalidDigest`, `BadRequest` | no | retry | retry | send it again |
//! | 4xx | `VectorIndexParameterInvalid`, `MalformedJson`, `EntityTooLarge` | no | split | split | check the index name and the keys |
//! | 4xx | `SignatureDoesNotMatch` | no | stop | stop | check the AccessKey secret, the region and the account id |
//! | 4xx | `AccessDenied` | no | stop | stop | allow the action `oss:DeleteVectors` |
//! | 4xx | `UserDisable` | no | stop | stop | enable the account or the user, or pay what is due |
//! | 4xx | `NoSuchBucket`, `NoSuchVectorIndex` | no | stop | stop | check region, account id, bucket and index name |
//! | 400 | none | yes | retry, then split | retry, then split | send it again: the code is lost, and may be `RequestTimeout` |
//! | 400, 413 | any | no | retry, then split | retry, then split | read the message |
//! | 4xx | none | no | retry | retry | read the message |
//! | 4xx | any | no | retry, then stop | retry, then stop | read the message |
//! | no response | may have been sent | yes | retry | retry | check the network |
//! | no response | surely not sent | no | retry | retry | check the region, the endpoint and the network |
//!
//! - **Slow down**: it leaves again, more slowly, and no attempt is spent.
//! - **Retry**: it leaves again after a back-off. After ten attempts its keys are given up: *unconfirmed* where they may be gone after
//!   any of the attempts, else *rejected*, or *not attempted* if it was surely never sent. The pace falls after a 409 or a 503.
//! - **Split**: it leaves in two halves, until bad keys stand alone: *rejected*. If nothing but rejected keys comes back, batches from
//!   elsewhere in the input go out as probes; if those are rejected too, the run stops, because it is not the keys.
//! - **Retry, then split**: the second time it fails it leaves in two halves, with a back-off that grows with each split. A single key
//!   is retried, and given up after ten attempts. The pace falls meanwhile, since an unknown code may be a limit.
//! - **Retry, then stop**: the run stops after ten attempts.
//! - **Sign again**: with the time of the service, which it learns from the response; **renew credentials**: it asks its provider,
//!   with a back-off until the provider's timeout is over, and stops where there is none.
//!
//! **Before the first deletion** every kind of failure stops the run after ten attempts or a minute, whichever comes first, and three
//! connections that fail from the start stop it at once. Throttling stops it after a minute. Time that `Retry-After` asked for does
//! not count; a request that hangs until its own timeout can take longer.
//!
//! **After it** a run waits as long as it takes, or as
//! [`outage_timeout`](bulk::BulkOptions::outage_timeout) allows. When eight batches have failed with no deletion between, one request at
//! a time goes out, attempts do not count, and no key is given up. Failures that are not from OSS (no response, or one of a proxy) never
//! count while nothing gets on, however few batches are left, unless a batch failed half its attempts while others were deleted. Those
//! that OSS itself responds with count once no batch is left that has not failed. Such an outage is reported when it begins, and so is
//! a minute without a deletion, whether attempts fail or a limit lets nothing through.
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
//!  80 |
//!  70 |x
//!  60 |####################                             x##########
//!  50 |####################                             ###########
//!  40 |####################x                            ###########
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

mod attempt_error;
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
mod time_text;
mod transport_error;

#[path = "../transports/mod.rs"]
pub mod transports;

pub use attempt_error::AttemptError;
pub use credentials::Credentials;
pub use delete_vectors::{DeleteVectors, Deleted, RequestError, ServiceError, code};
pub use endpoint::Endpoint;
pub use invalid::InvalidValue;
pub use keys::{Key, KeyBatch, Keys};
pub use now::Now;
pub use target::{Target, TargetBuilder};
pub use transport_error::{MAX_RESPONSE_BODY, TransportError};

/// The README's examples are tests; those that would talk to the service are compiled alone.
#[cfg(all(doctest, feature = "hyper", feature = "ureq", feature = "serve"))]
#[doc = include_str!("../README.md")]
struct Readme;
