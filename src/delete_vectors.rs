//! `DeleteVectors`: requests and responses, built and parsed.
//!
//! Reference: *DeleteVectors* of Alibaba Cloud OSS vector buckets.

mod request;
mod response;

pub use request::DeleteVectors;
pub(crate) use request::build as build_request;
pub use response::Deleted;
