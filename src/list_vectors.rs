//! `ListVectors`, read and written on both sides of the wire.
//!
//! Reference: *ListVectors* of Alibaba Cloud OSS vector buckets.

mod filter;
mod request;
mod response;
mod vector;

pub use filter::Filter;
pub use request::ListVectors;
pub use response::Listed;
pub use vector::Vector;
pub(crate) use vector::{Return, vectors};
