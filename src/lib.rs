//! Deletes vectors from Alibaba Cloud OSS vector buckets (`DeleteVectors`): a sans-IO protocol core with pluggable transports.
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
//! - All other operations of the service.
//! - Where credentials come from: the core takes them as a value.
//!
//! # Three ways in
//!
//! 1. `HyperTransport` or `UreqTransport`: their `delete_vectors` for one batch, signed, sent and answered, and their `delete_all`
//!    for any number of keys.
//! 2. [`DeleteVectors`] and [`signing::Signer`] with a client of your own: a request out, a response in, the time as an argument.
//! 3. [`bulk::BulkDelete`] for more than 500 keys, with [`transports::Run`] or in a loop of your own.
//!
//! # A call from end to end, without a network
//!
//! ```
//! # #[cfg(feature = "emulator")] {
//! use std::time::{Duration, UNIX_EPOCH};
//! use oss_delete_vectors::emulator::Emulator;
//! use oss_delete_vectors::signing::Signer;
//! use oss_delete_vectors::{Credentials, DeleteVectors, KeyBatch, Now, Target, code};
//!
//! // Who deletes what, and where.
//! let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
//! let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1").build()?;
//! let call = DeleteVectors::new(&target, KeyBatch::new(["doc-001", "doc-002"])?);
//!
//! // A signed request: the time is yours to tell.
//! let now = Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_702_743_657));
//! let mut request = call.to_request();
//! Signer::new(&target, credentials.clone()).sign(&mut request, now.wall);
//!
//! // The emulator stands where a transport and the service would.
//! let mut emulator = Emulator::with_vectors(&target, credentials, ["doc-001", "doc-002", "doc-003"])?;
//! let deleted = DeleteVectors::parse_response(&emulator.handle(now, &request))?;
//! assert!(deleted.request_id().is_some());
//! assert_eq!(emulator.len("examplebucket", "vectorindex1"), Some(1));
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
//! # What to do about an error
//!
//! | answer | what to do |
//! |---|---|
//! | [`is_throttling`](ServiceError::is_throttling) | send the same again, more slowly |
//! | [`may_have_deleted`](ServiceError::may_have_deleted) | send the same again: a part of the batch may be gone, and deleting twice does no harm |
//! | [`is_retryable`](ServiceError::is_retryable) | send the same again, signed anew |
//! | any other | mend what [`advice`](ServiceError::advice) says; nothing was deleted |
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
pub use keys::{Key, KeyBatch};
pub use now::Now;
pub use target::{Target, TargetBuilder};

/// The README's examples are tests; those that would talk to the service are compiled alone.
#[cfg(all(doctest, feature = "hyper", feature = "ureq"))]
#[doc = include_str!("../README.md")]
struct Readme;
