//! Hostile servers for the transports and hostile clients for the served emulator: a bounded heap,
//! nothing sent twice, nothing deleted without a valid signature. A binary of its own, because its
//! heap is measured.

#[path = "../common/mod.rs"]
mod common;

mod client;
mod server;

use common::{calls, canary, carrier, enough_time, peer, service};

/// Counts the memory of all tests of this binary together.
#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);

/// The maximum heap, in bytes. Most of it are the buffers of a thousand unfinished requests. A list
/// of the chunks of a single body in one-byte chunks would take four times as much, and an endless
/// response that is read whole 100 MiB.
const HEAP: usize = 64 * 1024 * 1024;
