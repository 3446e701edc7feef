//! Both transports against real sockets: the same scenarios, and the same outcomes.
#![cfg(any(feature = "hyper", feature = "ureq"))]

#[path = "../common/canary.rs"]
mod canary;
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
