//! No secret appears in anything that the crate prints, or makes others print.

#[path = "../common/mod.rs"]
mod common;

mod echo;
mod panics;
mod types;

use common::{calls, canary};
