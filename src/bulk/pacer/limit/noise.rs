//! What says nothing about a limit, and how much faster than measured to go to learn something.

use super::super::evidence::Conditions;
use super::Limit;

/// The least surplus for a fast limit: so much of all requests is throttled.
const LEAST_SURPLUS: f64 = 0.005;
/// The least surplus from 50 requests a second down, in which a single request is the noise: half a
/// request a second, up to this.
const LEAST_SURPLUS_SLOW: f64 = 0.01;
/// More than that below 14 requests a second: [`SLOW_PROBE`] requests a second, up to this part. At
/// 5 requests a second one in 36 is throttled, and a limit that has risen is noticed after
/// `1.1 / SLOW_PROBE` seconds. A part of the rate would make that time grow with `1 / rate`.
const LEAST_SURPLUS_SLOWEST: f64 = 0.2;
const SLOW_PROBE: f64 = 0.14;
/// How unevenly timers fire, in seconds.
const TIMER_GRAIN: f64 = 0.002;

impl Limit {
    /// The most that may be accepted beyond `rate` if that is the limit.
    ///
    /// - The level at the last throttled response and the level now differ by less than one
    ///   request. A tenth is added, and up to three quarters more for a faster limit, which loses
    ///   less by waiting.
    /// - A timer fires up to [`TIMER_GRAIN`] late. So many more requests leave at once then.
    /// - Requests arrive in another order than they are sent if they are sent within the spread of
    ///   the latency: about four times its mean deviation `v`. By chance each of the
    ///   `requests * 4 v` is there before the throttled one, or is not. A toss of a coin has a
    ///   variance of at most a quarter, and the sum of `m` a standard deviation of at most
    ///   `0.5 * sqrt(m)`.
    pub(super) fn noise(&self, rate: f64, at: Conditions) -> f64 {
        let unit = at.unit.max(self.grain);
        let requests = rate.max(0.0) / unit;
        unit * (1.1
            + 0.75 * (requests / 50.0).min(1.0)
            + requests * TIMER_GRAIN
            + 0.5 * (requests * 4.0 * at.deviation).sqrt())
    }

    /// Enough to notice a higher limit in time.
    pub(super) fn least_surplus(&self, unit: f64) -> f64 {
        let requests = self.measured / unit;
        let half = (0.5 / requests).clamp(LEAST_SURPLUS, LEAST_SURPLUS_SLOW);
        half.max((SLOW_PROBE / requests).min(LEAST_SURPLUS_SLOWEST))
    }
}
