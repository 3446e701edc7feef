use std::time::{Duration, SystemTime};

/// The current time, as an argument: the core never reads a clock.
///
/// `monotonic` counts from any fixed start and never goes back; pacing and limits use it. `wall` is
/// the time of day, which may jump; dates and signatures use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The time since any fixed start, the same for the whole run.
    pub monotonic: Duration,
    /// The time of day.
    pub wall: SystemTime,
}

impl Now {
    /// Both clocks, read at the same time.
    #[must_use]
    pub const fn new(monotonic: Duration, wall: SystemTime) -> Self {
        Self { monotonic, wall }
    }
}
