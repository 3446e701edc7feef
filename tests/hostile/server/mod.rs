//! Hostile servers. Each transport must return the same outcome, read a bounded number of bytes,
//! and use a bounded heap.

mod behaviour;
mod chunks;
mod content;
mod heads;
mod lengths;
mod lenient_heads;
mod runs;
mod strays;
mod wire;
