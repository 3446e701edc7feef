//! The system's clocks, read so that the core need not.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use crate::Now;

/// Monotonic time is measured from its creation.
#[derive(Clone, Copy)]
pub(super) struct Clock(Instant);

#[expect(clippy::disallowed_methods, reason = "an adapter reads the clocks")]
impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Now {
        Now::new(self.elapsed(), SystemTime::now())
    }

    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The current time. Monotonic time is measured from the first use in the process, so that it
/// continues from run to run.
pub(super) fn system_now() -> Now {
    static CLOCK: OnceLock<Clock> = OnceLock::new();
    CLOCK.get_or_init(Clock::start).now()
}
