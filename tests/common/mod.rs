//! Shared by the test binaries: calls, credentials and the clock, doubles of the service and of
//! servers, the golden cases, and random numbers.
#![allow(dead_code, reason = "each binary uses a part")]

pub(crate) mod calls;
pub(crate) mod canary;
#[cfg(all(feature = "hyper", feature = "ureq"))]
pub(crate) mod carrier;
pub(crate) mod certificates;
pub(crate) mod enough_time;
pub(crate) mod fixtures;
#[cfg(all(feature = "hyper", feature = "ureq"))]
mod own_transport;
pub(crate) mod peak_rss;
pub(crate) mod peer;
pub(crate) mod random;
#[cfg(feature = "serve")]
pub(crate) mod service;
pub(crate) mod signed_content;
