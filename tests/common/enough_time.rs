//! Tests of real timeouts, on a machine that may be busy.

use std::time::Duration;

/// Calls `attempt` with a short timeout, and with longer ones while it returns `None`: the timeout
/// passed before what had to come first. So a test is quick where it can be, and fails for no
/// reason of time.
pub(crate) fn with_enough_time<T>(mut attempt: impl FnMut(Duration) -> Option<T>) -> T {
    let timeouts = [50, 300, 3_000, 60_000].map(Duration::from_millis);
    timeouts.into_iter().find_map(&mut attempt).expect("a minute is enough")
}
