use std::time::Duration;

use super::ceiling::Ceiling;
use super::limit::{Limit, seconds};

/// How far a throttled response moves the size at which its limit was measured to the current one,
/// and how far a growth does, which many accepted requests stand for.
pub(super) const SHIFT_OF_THROTTLE: f64 = 0.125;
pub(super) const SHIFT_OF_GROWTH: f64 = 0.25;

/// One of the two amounts.
#[derive(Debug)]
pub(super) struct Meter {
    /// The most a second that the options allow.
    pub(super) cap: Option<f64>,
    pub(super) limit: Option<Limit>,
    /// Keys of a batch when the limit was measured, or showed that it is higher.
    pub(super) measured_at: f64,
    /// The largest such number at a throttled response, or at a test.
    pub(super) largest: f64,
    /// When the rate had let in all that was sent.
    pub(super) paid_at: Option<Duration>,
    /// In flight at once: at most so much, unless it is a single request.
    pub(super) window: f64,
    pub(super) in_flight: f64,
    pub(super) ceiling: Ceiling,
    /// Smoothed amount of a request.
    pub(super) unit: f64,
}

impl Meter {
    pub(super) fn new(cap: Option<f64>, window: f64) -> Self {
        Self {
            cap,
            limit: None,
            measured_at: 0.0,
            largest: 0.0,
            paid_at: None,
            window,
            in_flight: 0.0,
            ceiling: Ceiling::default(),
            unit: 0.0,
        }
    }

    /// The rate that is held, unless what is in flight is held instead.
    fn held_limit(&self) -> Option<&Limit> {
        self.limit.as_ref().filter(|_| !self.ceiling.is_held())
    }

    /// A second; `None` where there is no bound.
    pub(super) fn rate(&self) -> Option<f64> {
        let pace = self.held_limit().map(Limit::pace);
        [pace, self.cap].into_iter().flatten().reduce(f64::min)
    }

    /// When the rate has let this amount in since the last request; `None` is at once.
    pub(super) fn due(&self, amount: f64) -> Option<Duration> {
        let of_limit = self.held_limit().map(|limit| limit.interval(amount));
        let of_cap = self.cap.map(|cap| amount / cap);
        let interval = [of_limit, of_cap].into_iter().flatten().fold(0.0, f64::max);
        Some(self.paid_at?.saturating_add(seconds(interval)))
    }
}
