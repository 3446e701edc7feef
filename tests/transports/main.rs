//! Both transports against real sockets: the same scenarios, and the same outcomes.
#![cfg(any(feature = "hyper", feature = "ureq"))]

mod carrier;
mod certificates;
mod emulated;
mod outcomes;
mod peer;
#[cfg(feature = "ureq")]
mod proxy;
mod reuse;
mod tls;
mod wire;
