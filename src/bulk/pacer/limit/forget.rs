//! What of the measurement no longer holds: what is old, a limit that has fallen, a blackout.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::evidence::{Belief, Conditions, Throttle};
use super::{Limit, PROVEN, as_f64, seconds};

/// Accepted requests that make a measurement as exact as the least surplus.
const EXACT: f64 = 200.0;
/// So many throttles with nothing accepted between mean that the limit has fallen, by how much is
/// open.
const THROTTLED_ALONE: u64 = 8;
/// Throttled requests alone for so long are no limit.
const BLACKOUT: Duration = Duration::from_secs(15);

impl Limit {
    /// Whether an accepted request comes after throttled ones alone, over a longer time than a slow
    /// limit takes.
    pub(in super::super) fn ends_blackout(&self) -> bool {
        let last = self.throttles.back().map(|last| last.at);
        self.blackout.zip(last).is_some_and(|(first, last)| {
            last.saturating_sub(first.at) > BLACKOUT.max(seconds(2.0 * self.slowest))
        })
    }

    /// Since when, of late, a quarter of the responses are throttled ones, of 20 or more: the limit
    /// has fallen, or another one is the reason.
    fn too_many_since(&self, now: Throttle, latency: f64) -> Option<Throttle> {
        let counts = |since: &Throttle| {
            (now.accepted - since.accepted, as_f64(now.throttled - since.throttled))
        };
        let is_enough = |since: &Throttle| {
            let (accepted, throttled) = counts(since);
            now.at.saturating_sub(since.at).as_secs_f64() >= recent(latency)
                && accepted + throttled >= 20.0
        };
        let since = *self.throttles.iter().rev().find(|throttle| is_enough(throttle))?;
        let (accepted, throttled) = counts(&since);
        (3.0 * throttled > accepted).then_some(since)
    }

    /// Moves the start of the measurement on: past what is older than needed, and past a limit that
    /// has fallen.
    pub(super) fn forget_what_no_longer_holds(&mut self, now: Throttle, at: Conditions) -> bool {
        let age = |throttle: &Throttle| now.at.saturating_sub(throttle.at).as_secs_f64();
        if let Some(first) = self.blackout
            && now.throttled - first.throttled >= THROTTLED_ALONE
            && age(&first) >= recent(at.latency)
        {
            // Nothing at all is accepted any more: less and less often it is worth a try.
            self.throttles = VecDeque::from([first, now]);
            self.belief = Belief::of(0.5 * at.unit / age(&first), 0.5);
            return true;
        }
        if let Some(since) = self.too_many_since(now, at.latency)
            && since.at > self.throttles[0].at
        {
            self.throttles.retain(|throttle| throttle.at >= since.at);
            let came_in = (now.mark.amount - since.mark.amount).max(0.0) + 0.5 * at.unit;
            self.belief = Belief::of(came_in / age(&since), 1.0);
            return true;
        }
        let long = (5.0 * at.latency).max(1.0);
        let exact = (2.0 / self.least_surplus(at.unit)).min(EXACT);
        while self
            .throttles
            .get(1)
            .is_some_and(|second| age(second) >= long && now.accepted - second.accepted >= exact)
        {
            self.throttles.pop_front();
            self.belief = Belief::of(self.measured, PROVEN);
        }
        false
    }
}

/// Seconds that are long enough to see what came of the latest requests.
fn recent(latency: f64) -> f64 {
    (1.5 * latency).max(0.25)
}
