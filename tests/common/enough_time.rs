//! Tests of real timeouts on a busy host.

use std::time::Duration;

/// Calls `attempt` with a short timeout, and with longer ones as long as it returns `None`, which
/// means that the timeout passed too early. So the test is fast on an idle host and does not fail
/// on a slow one.
pub(crate) fn with_enough_time<T>(mut attempt: impl FnMut(Duration) -> Option<T>) -> T {
    let timeouts = [50, 300, 3_000, 60_000].map(Duration::from_millis);
    timeouts.into_iter().find_map(&mut attempt).expect("a minute must be enough")
}
