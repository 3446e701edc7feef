//! The `DeleteVectors` call: requests and responses, built and parsed.
//!
//! ```text
//! Target + KeyBatch -> DeleteVectors --to_request-->     http::Request
//!                      DeleteVectors <--parse_request--  http::Request
//!            Deleted | ServiceError  --to_response-->    http::Response
//!            Deleted | ServiceError  <--parse_response-- http::Response
//! ```
//!
//! Reference: *DeleteVectors*, *Error responses* of Alibaba Cloud OSS vector buckets.

pub mod code;
mod error_document;
mod meaning;
mod redact;
mod request;
mod response;
mod service_error;
mod xml;

pub(crate) use error_document::ErrorDocument;
pub(crate) use meaning::Meaning;
pub(crate) use redact::Secrets;
pub(crate) use request::build as build_request;
pub use request::{DeleteVectors, RequestError};
pub use response::Deleted;
pub use service_error::ServiceError;

/// Headers of the service, in lower case.
mod header {
    pub(super) const EC: &str = "x-oss-ec";
    pub(super) const ERR: &str = "x-oss-err";
    pub(super) const ERROR_TYPE: &str = "x-oss-error-type";
    pub(super) const QOS_DELAY_TIME: &str = "x-oss-qos-delay-time";
    pub(super) const REQUEST_ID: &str = "x-oss-request-id";
}
