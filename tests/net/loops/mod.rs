//! Both loops, each in every way that it can be run: with threads, in virtual time, on two runtimes, over sockets and without.
#![cfg(feature = "emulator")]

#[cfg(feature = "async")]
mod ages;
#[cfg(all(feature = "async", feature = "serve"))]
mod async_io_transport;
#[cfg(feature = "async")]
mod asynchronous;
mod blocking;
#[path = "../common/canary.rs"]
mod canary;
mod credentials;
#[cfg(all(feature = "serve", any(feature = "hyper", feature = "ureq")))]
mod delete_all;
mod ending;
mod outcomes;
mod progress;
mod service;
#[cfg(all(feature = "serve", any(feature = "async", feature = "ureq")))]
mod sockets;
mod source;
#[cfg(target_os = "linux")]
mod threads;
#[cfg(all(feature = "tracing", feature = "async"))]
mod traces;
#[cfg(feature = "async")]
mod virtual_time;
mod ways;
