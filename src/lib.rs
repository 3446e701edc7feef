//! Delete vectors from Alibaba Cloud OSS vector buckets.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros)]

#[cfg(any(feature = "hyper", feature = "ureq", feature = "serve"))]
#[path = "../transports/mod.rs"]
pub mod transports;
