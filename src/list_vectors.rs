//! `ListVectors`: requests and responses, built and parsed.
//!
//! Reference: *ListVectors* of Alibaba Cloud OSS vector buckets.

mod error;
mod filter;
mod keys;
mod passes;
mod request;
mod response;
mod selection;
mod vector;

pub use error::ListError;
pub use filter::Filter;
pub use keys::{KeyLister, ListEvent, ListReport, ListTransmit, ListTransmitId};
pub use passes::{NextPass, Passes};
pub use request::ListVectors;
pub use response::Listed;
pub use selection::Selection;
pub use vector::Vector;
pub(crate) use vector::{Return, vectors};
