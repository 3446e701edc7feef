//! Deletes vectors from Alibaba Cloud OSS vector buckets (`DeleteVectors`): a sans-IO protocol core
//! with pluggable transports.
//!
//! A deletion cannot be undone, a 5xx may leave a batch half deleted, and the service throttles at
//! an unpublished limit. This crate therefore turns every response into an outcome that says
//! whether to retry, whether to slow down, and whether keys *may* be deleted despite an error.
//!
//! # In scope
//!
//! - Many callers, each with its own result: `Client`, [`blocking::Client`], [`calls`].
//! - Any number of keys, with pacing, retries and an outcome for each key: [`bulk`].
//! - Deleting by key prefix or filter, or everything: [`Selection`], [`KeyLister`].
//! - The operation [`DeleteVectors`], converted to and from `http::Request` and `http::Response`,
//!   on the client and on the server. Also [`ListVectors`] and [`GetVectors`], to find keys and to
//!   check that they are gone, and [`PutVectors`], for tests.
//! - Signatures: [`signing`] signs, presigns and verifies.
//! - Credentials that expire: [`credentials`] has the RAM role of an ECS instance, roles that are
//!   assumed with an OIDC token or with other credentials, and credentials URIs.
//! - Sending requests with hyper, ureq or any other HTTP client: [`transports`].
//! - An emulator of the service, for tests: `emulator`.
//!
//! # Out of scope
//!
//! - All other operations of OSS.
//!
//! The crate has not been run against the live service. Its tests compare requests and responses
//! with those of the official SDK, byte for byte.
//!
//! # Four ways to use it
//!
//! ## A client
//!
//! Start here. `Client` needs feature `hyper`, or `async` and your own transport.
//! [`blocking::Client`] needs feature `ureq`, or your own transport. Make one per index, and clone
//! it for all tasks or threads of a program. Calls that wait are merged into requests. All calls
//! share pace, retries, clock and credentials, and each gets its own result.
//!
//! ```
//! use oss_delete_vectors::{Credentials, Deleted, Target, TransportError, blocking};
//!
//! let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
//!     .bucket("examplebucket").index_name("vectorindex1").build()?;
//! let builder = blocking::Client::builder(&target, Credentials::new("LTAI5tExample", "my-secret")?);
//! // In place of a transport. It reports every key as deleted. `build()` uses ureq instead.
//! let send = |_request| Ok::<_, TransportError>(Deleted::new("some id").to_response());
//! let client = builder.with_transport(send)?;
//! // Ok: all of them are gone. Err: which ones are not, and why.
//! client.delete(["doc-1#0", "doc-1#1"])?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! Both drive [`calls::Calls`], a state machine without IO.
//!
//! ## A transport
//!
//! `UreqTransport` is blocking, `HyperTransport` is asynchronous. Both have `delete_vectors` for
//! one batch and `delete` for any number of keys. This example sends to the emulator (features
//! `ureq` and `serve`); without an endpoint, requests go to OSS.
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
//! let index = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
//!     .bucket("examplebucket").index_name("vectorindex1");
//! let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
//! let keys = (0..1234).map(|number| format!("doc-{number:04}"));
//!
//! let target = index.clone().build()?;
//! let emulator = Emulator::with_vectors(&target, credentials.clone(), keys.clone())?;
//! let emulator = Arc::new(Mutex::new(emulator));
//! let server = Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), emulator)?;
//! let target = index.endpoint(server.url().parse()?).build()?;
//!
//! let transport = UreqTransport::new(&TransportOptions::new());
//! let report = transport.delete(&target, credentials, keys, BulkOptions::new())?;
//! assert_eq!((report.deleted, report.requests), (1234, 3));
//! # }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! To delete by prefix or filter, pass a [`Selection`] to `delete_matching`. It lists the index,
//! deletes the keys that it finds, and lists again until a pass finds nothing. To delete
//! everything, it is faster to delete the index and create it again, which takes another SDK and
//! one call each.
//!
//! ## Your own HTTP client
//!
//! [`DeleteVectors`] builds the request and parses the response, and a [`Signer`](signing::Signer)
//! signs. The time is an argument.
//!
//! ```
//! # #[cfg(feature = "emulator")] {
//! use std::time::{Duration, UNIX_EPOCH};
//! use oss_delete_vectors::emulator::Emulator;
//! use oss_delete_vectors::signing::Signer;
//! use oss_delete_vectors::{Credentials, DeleteVectors, KeyBatch, Now, Operation, Target, code};
//!
//! let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
//!     .bucket("examplebucket").index_name("vectorindex1").build()?;
//! let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
//! let now = Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_702_743_657));
//! let mut request = DeleteVectors::new(&target, KeyBatch::new(["doc-001", "doc-002"])?).to_request();
//! Signer::new(&target, credentials.clone()).sign(&mut request, now.wall);
//!
//! // The emulator takes the place of your client and the service.
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
//! ## Your own loop
//!
//! For more than 500 keys, use [`BulkDelete`](bulk::BulkDelete), a state machine without IO.
//! [`Run`](transports::Run) drives it with threads or on any async runtime. Like any loop around a
//! `BulkDelete`, it repeats six steps:
//!
//! 1. push keys while it accepts them, and report when there are no more;
//! 2. send every request that it returns;
//! 3. handle every event;
//! 4. end when the run is finished;
//! 5. wait for a response, for a key, or until the next timeout;
//! 6. pass in what arrived.
//!
//! ```
//! use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
//! use oss_delete_vectors::transports::Run;
//! use oss_delete_vectors::{Credentials, Deleted, Target, TransportError};
//!
//! let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
//!     .bucket("examplebucket").index_name("vectorindex1").build()?;
//! let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
//! let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
//! // In place of a client. It reports every key as deleted.
//! let send = |_request| Ok::<_, TransportError>(Deleted::new("some id").to_response());
//! let report = Run::new(&mut bulk).run_blocking((0..1234).map(|number| format!("doc-{number}")), send)?;
//! assert_eq!((report.deleted, report.requests), (1234, 3));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! [`BulkDelete`](bulk::BulkDelete) documents the six steps in full. The example `own_loop` is a
//! loop that does all that `Run` does, and [`bulk`] has a diagram of the states of a batch.
//!
//! # What to do about an error
//!
//! [`ServiceError`] has four predicates, [`is_throttling`](ServiceError::is_throttling),
//! [`may_have_deleted`](ServiceError::may_have_deleted),
//! [`is_retryable`](ServiceError::is_retryable) and [`is_from_oss`](ServiceError::is_from_oss), and
//! [`advice`](ServiceError::advice) in words. [`AttemptError`] also covers a request without a
//! response. Sign a request again before you retry it. Deleting a key twice is harmless, unless the
//! vector has been put back. [`code`] lists all known codes.
//!
//! A batch is deleted if the response is a 2xx with `x-oss-request-id` and without an error. For
//! every other response a run follows this table. The first matching row applies.
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
//! | 4xx | `RequestTimeout`, `InternalError` | yes | retry | retry | send it again |
//! | 4xx | `RequestTimeTooSkewed` | no | sign again | sign again | set the clock |
//! | 4xx | `SecurityTokenExpired`, `InvalidSecurityToken`, `InvalidAccessKeyId` | no | renew credentials | renew credentials | get other credentials |
//! | 401, 409 | any | no | retry | retry | read the message |
//! | 4xx | `InvalidDigest`, `BadRequest` | no | retry | retry | send it again |
//! | 4xx | `VectorIndexParameterInvalid`, `MalformedJson`, `EntityTooLarge` | no | split | split | check the index name and the keys |
//! | 4xx | `SignatureDoesNotMatch` | no | stop | stop | check the AccessKey secret, the region and the account id |
//! | 4xx | `AccessDenied` | no | stop | stop | allow the action `oss:DeleteVectors` |
//! | 4xx | `UserDisable` | no | stop | stop | enable the account or the user, or pay the bill |
//! | 4xx | `NoSuchBucket`, `NoSuchVectorIndex` | no | stop | stop | check region, account id, bucket and index name |
//! | 400 | none | yes | retry, then split | retry, then split | send it again: the code is lost, and may be `RequestTimeout` |
//! | 400, 413 | any | no | retry, then split | retry, then split | read the message |
//! | 4xx | none | no | retry | retry | read the message |
//! | 4xx | any | no | retry, then stop | retry, then stop | read the message |
//! | no response | may have been sent | yes | retry | retry | check the network |
//! | no response | surely not sent | no | retry | retry | check the region, the endpoint and the network |
//!
//! - **Slow down**: the batch is sent again at a lower pace. This does not count as an attempt.
//! - **Retry**: the batch is sent again after a back-off. After ten attempts the run gives up its
//!   keys: as *unconfirmed* if any attempt may have deleted them, as *not attempted* if the batch
//!   was surely never sent, otherwise as *rejected*. A 409 or a 503 also lowers the pace.
//! - **Split**: the batch is sent again in two halves, until each bad key is alone: *rejected*. If
//!   all responses are rejections, the run sends single keys from other parts of the input as
//!   probes. If these are rejected too, the keys are not the cause, and the run stops.
//! - **Retry, then split**: after the second failure the batch is sent again in two halves, with a
//!   back-off that grows with each split. A single key is retried, and given up after ten attempts.
//!   The pace falls too, because an unknown code may be a limit.
//! - **Retry, then stop**: the run stops after ten attempts.
//! - **Sign again**: the run signs with the time of OSS, which it takes from the response.
//! - **Renew credentials**: the run asks its provider, with a back-off, until
//!   [`credentials_timeout`](bulk::BulkOptions::credentials_timeout). Without a provider it stops.
//!
//! **Before the first deletion**, failures of any kind stop the run after ten attempts or one
//! minute, whichever comes first. Three failures to connect at the very start stop it at once.
//! Throttling stops it after a minute. Time that `Retry-After` asks for does not count. A request
//! that hangs until its own timeout can take longer.
//!
//! **After the first deletion**, a run waits for the end of an outage, without a limit or up to
//! [`outage_timeout`](bulk::BulkOptions::outage_timeout). An outage begins after eight failed
//! batches without a deletion between them, and is reported. Then the run sends one request at a
//! time, attempts do not count, and no key is given up. There are two exceptions:
//!
//! - Error responses of OSS count once every batch that is left has failed.
//! - Failures that are not from OSS (no response, or the response of a proxy) count for a batch
//!   that failed half its attempts while others were deleted. For other batches they do not count
//!   while nothing succeeds, however few batches are left.
//!
//! A run also reports a minute without a deletion, whether attempts fail or all are throttled.
//! From then on a throttled run sends one request every ten seconds or so, at every rate.
//!
//! # Pacing
//!
//! A run finds the unpublished limits of the service and stays close to them: one on requests per
//! second and one on keys per second. It starts with two requests in flight and doubles them each
//! round until the first throttled response. From then on it measures how much is accepted between
//! throttled responses, because that *is* the limit, and goes slightly faster: by half a percent,
//! or more for slow limits, so that an occasional throttled response keeps the measurement up to
//! date. If none comes in time, the limit has risen, and the surplus grows. A batch waits until
//! both limits allow its size. The sizes of throttled batches show which limit applies; the run
//! remembers the other one.
//!
//! ```text
//! requests/s: # accepted, x throttled; the limit is 60, from 20 s on 30, from 40 s on 60
//!  80 |
//!  70 |x                                            x
//!  60 |####################                         ###############
//!  50 |####################x                        ###############
//!  40 |####################x    x                   ###############
//!  30 |############################################################
//!  20 |############################################################
//!  10 |############################################################
//!     +---------+---------+---------+---------+---------+---------+
//!     0         10        20        30        40        50        60 s
//! ```
//!
//! Runs do not share their measurements, and many small runs at once throttle each other. Use one
//! `Client` or [`blocking::Client`] for all callers, or give each run its share with
//! [`Adaptive`](bulk::Adaptive): `max_requests_per_second` and `max_keys_per_second`.
//!
//! A throttled batch loses nothing and uses no attempt. [`Rate`](bulk::Rate) limits the pace, fixes
//! it, or removes all limits on it.
//!
//! # Features
//!
//! All are off by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `hyper` | `Client::new` and `HyperTransport`: asynchronous, on tokio |
//! | `ureq` | `blocking::Client::new` and `UreqTransport`: blocking |
//! | `async` | `Client` and `Run::run_async` on your runtime, over your transport; part of `hyper` |
//! | `emulator` | `Emulator`: the service as a value, for tests without a network |
//! | `serve` | the emulator on a loopback socket, for clients in any language |
//! | `serde` | `Report` can be serialized and deserialized with serde |
//! | `tracing` | a `tracing` span for each call and each request, and events |
//! | `cli` | the programs `delete-vectors` and `vectors-emulator` |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::disallowed_macros, clippy::disallowed_methods, clippy::disallowed_types)]

mod attempt_error;
pub mod bulk;
pub mod calls;
pub mod credentials;
mod delete_vectors;
#[cfg(feature = "emulator")]
pub mod emulator;
mod endpoint;
mod escape;
mod get_vectors;
mod invalid;
mod keys;
mod list_vectors;
mod now;
mod operation;
mod put_vectors;
mod random;
mod retry;
pub mod signing;
mod target;
mod time_text;
mod transport_error;

#[path = "../transports/mod.rs"]
pub mod transports;

pub use attempt_error::AttemptError;
pub use credentials::Credentials;
pub use delete_vectors::{DeleteVectors, Deleted};
pub use endpoint::Endpoint;
pub use get_vectors::{Found, GetVectors};
pub use invalid::InvalidValue;
pub use keys::{Key, KeyBatch, Keys};
pub use list_vectors::{
    Filter, KeyLister, ListError, ListEvent, ListReport, ListTransmit, ListTransmitId, ListVectors,
    Listed, NextPass, Passes, Selection, Vector,
};
pub use now::Now;
pub use operation::{Operation, RequestError, ServiceError, code};
pub use put_vectors::{PutVectors, Stored};
pub use target::{Target, TargetBuilder};
pub use transport_error::{MAX_RESPONSE_BODY, TransportError};
pub use transports::blocking;
#[cfg(feature = "async")]
pub use transports::{Client, ClientBuilder, Deleting};

/// Tests the examples in the README. Those that would connect to the service are only compiled.
#[cfg(all(doctest, feature = "hyper", feature = "ureq", feature = "serve"))]
#[doc = include_str!("../README.md")]
struct Readme;
