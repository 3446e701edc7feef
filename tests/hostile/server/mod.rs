//! Servers that mean harm, or could not do worse if they did, and what both transports make of each: one outcome, no more
//! bytes than they have a use for, and a bounded heap.
#![cfg(any(feature = "hyper", feature = "ureq"))]

mod behaviour;
#[path = "../common/canary.rs"]
mod canary;
#[allow(dead_code, reason = "the transports' tests use more of it")]
#[path = "../transports/carrier.rs"]
mod carrier;
mod chunks;
mod content;
mod heads;
mod lengths;
mod lenient_heads;
#[allow(dead_code, reason = "the transports' tests use more of it")]
#[path = "../transports/peer.rs"]
mod peer;
mod runs;
mod strays;
mod wire;

/// Counts what all tests of this binary hold at once, so that nothing that is read escapes it.
#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);
