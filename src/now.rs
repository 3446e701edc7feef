use std::time::{Duration, SystemTime};

/// The moment at which something happens, handed in by the caller: nothing in the core reads a clock.
///
/// `monotonic` counts from any fixed start and never goes back; pacing and limits use it. `wall` is the time of day, which
/// may jump; dates and signatures use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Time since a start of the caller's choice, the same for the whole run.
    pub monotonic: Duration,
    /// Time of day.
    pub wall: SystemTime,
}

impl Now {
    /// Both readings of one moment.
    #[must_use]
    pub const fn new(monotonic: Duration, wall: SystemTime) -> Self {
        Self { monotonic, wall }
    }
}
