//! The machine's clocks, read so that the core need not.

use std::time::{Duration, Instant, SystemTime};

use crate::Now;

/// Monotonic time counts from its start.
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
