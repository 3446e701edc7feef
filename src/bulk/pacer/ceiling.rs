use std::time::Duration;

/// A limit on what is in flight at the service at once, if there is one.
///
/// # How it differs from a rate
///
/// Each request has a *level*: what was in flight when it was sent, and itself. What the service
/// counts is never more, because a part of it is still on its way. So a limit `K` on what is in
/// flight throttles at levels above `K` alone, and whatever was throttled at the lowest level puts
/// `K` below it. Where the way to the service is short compared with the time inside, next to
/// nothing is accepted above that level. Under a rate, requests at an even pace have about the
/// same level, whether they are throttled or not, and most are accepted above the lowest level
/// that was ever throttled. So at least [`THROTTLED`] throttled requests, and at most one in
/// [`ABOVE`] of [`ACCEPTED`] or more accepted ones above the lowest, mean a limit in flight.
///
/// # How it is held
///
/// By keeping below the level, at no pace: a request leaves when a response comes. Nothing is
/// throttled then. If the way to the service is long, that leaves the limit unused while requests
/// are on their way, and a pace is better. But then many are accepted above the lowest level, and
/// the test fails.
///
/// # How it follows
///
/// One request in [`PROBE`] may go beyond. If [`RAISE`] of them in a row are accepted, the limit is
/// higher. A request that is throttled below it lowers it, unless a probe took its place. If it is
/// a single request that is throttled, or more than one in [`WORTH`], it was no such limit, and a
/// pace is measured again.
#[derive(Debug, Default)]
pub(super) struct Ceiling {
    /// The lowest level at which a request was throttled; 0 before the first.
    lowest: f64,
    throttled: u32,
    accepted: u32,
    above: u32,
    is_held: bool,
    /// What was sent before is no evidence: before the last throttled response that counted, and
    /// around a probe.
    counted_at: Duration,
    /// Accepted and throttled requests since it is held.
    served: u32,
    in_vain: u32,
}

/// Throttled requests without which there is no evidence.
const THROTTLED: u32 = 3;
/// Accepted requests without which there is none.
const ACCEPTED: u32 = 40;
/// Of this many accepted requests, at most one was above the lowest level.
const ABOVE: u32 = 20;
/// Accepted requests from one probe to the next.
const PROBE: u32 = 64;
/// Accepted probes in a row that raise the level.
const RAISE: u32 = 3;
/// More than one throttled request in this many means that it was no limit in flight.
const WORTH: u32 = 16;

impl Ceiling {
    /// Whether it is held instead of a rate.
    pub(super) fn is_held(&self) -> bool {
        self.is_held
    }

    /// Whether a request of this level may be sent.
    pub(super) fn admits(&self, level: f64, unit: f64) -> bool {
        let is_probe = self.accepted >= PROBE && level < self.lowest + unit;
        !self.is_held || level < self.lowest || is_probe
    }

    /// A request went out.
    pub(super) fn sent(&mut self, now: Duration, level: f64, latency: f64) {
        if self.is_held && level >= self.lowest {
            self.accepted = 0;
            self.counted_at = now.saturating_add(super::seconds(2.0 * latency));
        }
    }

    /// A request was accepted.
    pub(super) fn accepted(&mut self, level: f64, unit: f64) {
        self.accepted = self.accepted.saturating_add(1);
        self.served = self.served.saturating_add(1);
        if level < self.lowest {
            return;
        }
        self.above += 1;
        if self.is_held && self.above >= RAISE {
            self.lowest += unit;
            self.above = 0;
        }
    }

    /// A request of this amount was throttled. Whether a limit in flight explains it.
    pub(super) fn throttled(
        &mut self,
        now: Duration,
        sent_at: Duration,
        level: f64,
        amount: f64,
    ) -> bool {
        if self.is_held {
            self.in_vain += 1;
            // A single request fits into any limit in flight.
            if level <= amount || self.in_vain * WORTH > self.served + PROBE {
                *self = Self::default();
                return false;
            }
            self.above = 0;
            // After a probe, it may have taken the place of this one.
            if level < self.lowest && sent_at > self.counted_at {
                self.lowest = level;
            }
            return true;
        }
        if self.lowest == 0.0 || level < self.lowest {
            *self = Self { lowest: level, throttled: 1, counted_at: now, ..Self::default() };
        } else if sent_at > self.counted_at {
            self.throttled += 1;
            self.counted_at = now;
            self.is_held = self.throttled >= THROTTLED
                && self.accepted >= ACCEPTED
                && self.above * ABOVE <= self.accepted;
            if self.is_held {
                (self.accepted, self.above, self.served, self.in_vain) = (0, 0, 0, 0);
            }
        }
        self.is_held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// `rounds` of `accepted` at level 5, then a throttled request at level 6, of 1 each.
    fn sixth_is_throttled(rounds: u64, accepted: u32) -> Ceiling {
        let mut ceiling = Ceiling::default();
        for round in 1..=rounds {
            (0..accepted).for_each(|_| ceiling.accepted(5.0, 1.0));
            ceiling.throttled(after(1000 * round), after(1000 * round - 100), 6.0, 1.0);
        }
        ceiling
    }

    #[test]
    fn limit_in_flight_is_held_below_what_was_throttled() {
        let ceiling = sixth_is_throttled(3, 20);
        assert!(ceiling.is_held() && ceiling.admits(5.0, 1.0) && !ceiling.admits(6.0, 1.0));
    }

    #[test]
    fn a_rate_is_no_limit_in_flight() {
        let mut ceiling = Ceiling::default();
        for round in 1..100 {
            // As at an even pace: what is accepted has the level of what is throttled.
            (0..20).for_each(|_| ceiling.accepted(6.0, 1.0));
            assert!(!ceiling.throttled(after(1000 * round), after(1000 * round - 100), 6.0, 1.0));
        }
    }

    #[test]
    fn throttles_of_one_burst_count_once() {
        let mut ceiling = sixth_is_throttled(1, 100);
        (0..100).for_each(|_| ceiling.accepted(5.0, 1.0));
        for _ in 0..10 {
            assert!(!ceiling.throttled(after(1010), after(900), 6.0, 1.0));
        }
    }

    #[test]
    fn a_throttle_without_company_ends_it() {
        let mut ceiling = sixth_is_throttled(3, 20);
        assert!(!ceiling.throttled(after(9000), after(8900), 1.0, 1.0));
        assert!(!ceiling.is_held());
    }

    #[test]
    fn a_higher_limit_is_found_by_probes() {
        let mut ceiling = sixth_is_throttled(3, 20);
        for probe in 0..RAISE {
            (0..PROBE).for_each(|_| ceiling.accepted(5.0, 1.0));
            assert!(ceiling.admits(6.0, 1.0) && !ceiling.admits(7.0, 1.0));
            ceiling.sent(after(10_000 + 1000 * u64::from(probe)), 6.0, 0.1);
            ceiling.accepted(6.0, 1.0);
            assert!(!ceiling.admits(7.0, 1.0), "one probe at a time");
        }
        assert!(ceiling.admits(6.0, 1.0), "and it is raised");
    }
}
