//! Delete vectors from Alibaba Cloud OSS vector buckets.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::disallowed_macros, clippy::disallowed_methods, clippy::disallowed_types)]

pub mod bulk;
mod credentials;
mod delete_vectors;
#[cfg(feature = "emulator")]
pub mod emulator;
mod endpoint;
mod invalid;
mod keys;
mod now;
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
