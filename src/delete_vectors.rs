//! `DeleteVectors`: requests and responses, built and parsed.
//!
//! Reference: *DeleteVectors* of Alibaba Cloud OSS vector buckets.

mod request;
mod response;

pub use request::DeleteVectors;
pub(crate) use request::to_json;
pub use response::Deleted;
