//! Both loops, each in every variant: with threads, in virtual time, on two runtimes, with and
//! without sockets.

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

/// A short back-off, so that tests do not wait.
fn options() -> BulkOptions {
    BulkOptions::new().back_off(Duration::from_millis(10), Duration::from_millis(10))
}
