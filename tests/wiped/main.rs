//! Secrets, and the keys derived from them, are nowhere in memory once their last holder is gone, and nowhere else before.
//!
//! A needle that is found while its holder lives shows that the search finds what there is.
#![cfg(target_os = "linux")]

#[path = "../common/calls.rs"]
mod calls;
mod derived;
mod library;
mod memory;
#[cfg(feature = "cli")]
mod program;
#[cfg(all(feature = "hyper", feature = "ureq", feature = "serve"))]
mod runs;
