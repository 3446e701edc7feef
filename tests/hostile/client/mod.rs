//! Hostile clients of the served emulator. It keeps serving, deletes nothing without a valid
//! signature, and stays within its memory.
#![cfg(feature = "serve")]

#[path = "../common/canary.rs"]
mod canary;
mod crowds;
mod framing;
mod service;
mod signatures;
mod slow;

/// Counts the memory of the server and its clients, for all tests of this binary together.
#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);

/// The maximum heap, in bytes. Most of it are the buffers of a thousand unfinished requests. A list
/// of the chunks of a single body in one-byte chunks would take four times as much.
const HEAP: usize = 64 * 1024 * 1024;
