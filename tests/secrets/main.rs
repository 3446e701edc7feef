//! No secret appears in anything that the crate prints, or makes others print.

#[path = "../common/calls.rs"]
mod calls;

mod echo;
#[cfg(feature = "cli")]
mod logs;
mod panics;
mod types;
