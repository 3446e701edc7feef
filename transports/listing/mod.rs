//! The keys of an index as a source, and the deletion of the vectors of a
//! [`Selection`](crate::Selection).
//!
//! - `blocking.rs` drives a [`KeyLister`](crate::KeyLister) with threads, as an iterator.
//! - `asynchronous.rs` drives one in a task, as a stream.
//! - `matching.rs` lists again until a pass finds nothing. `delete.rs` and `client.rs` are
//!   shortcuts for it.

#[cfg(feature = "async")]
mod asynchronous;
mod blocking;
mod client;
#[cfg(any(feature = "hyper", feature = "ureq"))]
mod delete;
mod matching;

#[cfg(feature = "async")]
pub use self::asynchronous::{StreamedKeys, stream_keys};
pub use self::blocking::{ListedKeys, list_keys};
pub use self::client::{ClearedKeys, MatchingError};
#[cfg(feature = "async")]
pub use self::matching::MatchingStream;
pub use self::matching::{Matching, MatchingKeys, MatchingObserver, MatchingReport};
