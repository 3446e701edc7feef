//! Both loops, each in every way that it can be run: with threads, in virtual time, on two
//! runtimes, over sockets and without.

mod ages;
mod async_io_transport;
mod asynchronous;
mod blocking;
mod credentials;
mod delete;
mod ending;
mod outcomes;
mod progress;
mod source;
#[cfg(target_os = "linux")]
mod threads;
#[cfg(feature = "tracing")]
mod traces;
mod virtual_time;
mod ways;

use std::time::Duration;

use oss_delete_vectors::bulk::BulkOptions;

/// Back-off that does not keep tests waiting.
fn options() -> BulkOptions {
    BulkOptions::new().back_off(Duration::from_millis(10), Duration::from_millis(10))
}
