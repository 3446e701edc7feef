//! Secrets and the keys derived from them exist only once in memory, and are wiped when their last
//! owner is dropped.
//!
//! Each test also finds its secret while the owner is alive, which proves that the search works.
#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;

mod derived;
mod library;
mod memory;
#[cfg(feature = "cli")]
mod program;
#[cfg(all(feature = "hyper", feature = "ureq", feature = "serve"))]
mod runs;
mod sources;

use common::calls;
#[cfg(all(feature = "hyper", feature = "ureq", feature = "serve"))]
use common::service;
