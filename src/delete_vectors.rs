//! `DeleteVectors`, read and written on both sides of the wire.
//!
//! Reference: *DeleteVectors* of Alibaba Cloud OSS vector buckets.

mod request;
mod response;

pub use request::DeleteVectors;
pub(crate) use request::build as build_request;
pub use response::Deleted;
