//! Clients that mean harm, against the served emulator: it goes on, deletes nothing without a valid signature, and holds no more
//! than it may.
#![cfg(feature = "serve")]

#[path = "../common/canary.rs"]
mod canary;
mod crowds;
mod framing;
mod service;
mod signatures;
mod slow;

/// Counts what the server and its clients hold: all tests of this binary at once.
#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);

/// What they may hold at most, in bytes: mostly what is read of a thousand beginnings of requests. One body in chunks of a byte,
/// each kept apart, would be four times as much.
const HEAP: usize = 64 * 1024 * 1024;
