//! The keys of an index as a source, and the deletion of what a [`Selection`](crate::Selection)
//! has.
//!
//! - `blocking.rs` drives a [`KeyLister`](crate::KeyLister) with threads, as an iterator;
//! - `asynchronous.rs` drives one in a task, as a stream;
//! - `matching.rs` lists again until a pass finds nothing.

#[cfg(feature = "async")]
mod asynchronous;
mod blocking;
#[cfg(any(feature = "hyper", feature = "ureq"))]
mod delete;
mod matching;

#[cfg(feature = "async")]
pub use self::asynchronous::{StreamedKeys, stream_keys};
pub use self::blocking::{ListedKeys, list_keys};
#[cfg(feature = "async")]
pub use self::matching::MatchingStream;
pub use self::matching::{Cleared, Matching, MatchingKeys, MatchingObserver};
