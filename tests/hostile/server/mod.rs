//! Servers that mean harm, or could not do worse if they did, and what both transports make of
//! each: one outcome, no more bytes than they have a use for, and a bounded heap.

mod behaviour;
mod chunks;
mod content;
mod heads;
mod lengths;
mod lenient_heads;
mod runs;
mod strays;
mod wire;
