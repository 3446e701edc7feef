mod forget;
mod noise;

use std::collections::VecDeque;
use std::time::Duration;

use super::evidence::{Belief, Conditions, Mark, Throttle, seconds_between};

/// What is known of one limit: an amount per second, in requests or in keys.
///
/// # The estimate
///
/// The service holds tokens. They come in at the limit's rate `r`, up to some depth, and an
/// accepted request takes its amount `u`. A request is throttled if fewer than `u` are left. So the
/// level at a throttled response is known, whatever the depth: between 0 and `u`. Between two such
/// moments, `T` seconds apart, what is accepted is what came in, less or more the difference of two
/// levels:
///
/// ```text
/// accepted = r * T + d,  -u < d < u        estimate = accepted / T, wrong by d / T
/// ```
///
/// Take each level as evenly distributed over `u`: its variance is `u * u / 12`, that of `d` twice
/// as much, and the standard deviation of `d` is `0.41 u`. With `n` requests accepted, `r * T` is
/// about `n * u`, and the relative error has a standard deviation of `0.41 / n`. It shrinks with
/// `n`, not with its root, because the errors of the levels between them cancel out.
///
/// Time and amounts are those of sending. If a request is throttled, all that was sent before it
/// counts as accepted, until a response says that it was throttled too. In the order of responses,
/// requests of a burst whose responses come after that of the throttled one would count as
/// accepted after it: an error of many `u`, that stays.
///
/// A belief from before, `p` a second and worth `w` requests, is added as if it had been measured:
/// `(accepted + w * u) / (T + w * u / p)`. The result is never outside `(accepted - noise) / T` and
/// `(accepted + noise) / T`, so that a wrong belief does not outlive the proof.
///
/// # The surplus
///
/// Below the limit nothing is throttled, and nothing can be learnt. So requests leave faster than
/// measured, by a part `s`. After `1 / s` requests the surplus is one request's amount, and one is
/// throttled: a part `s` of all. `s` is `0.25 / n`, a little less than the estimate is uncertain,
/// and at least [`least_surplus`](Self::least_surplus). An estimate that is more exact than the
/// surplus gains nothing, so what is older than `2 / s` requests is forgotten. It is `1 / n` while
/// a limit of less than one request a second is not trusted yet ([`ROUGH`]).
///
/// # The growth
///
/// If more than [`noise`](Self::noise) was accepted beyond the measured rate, and nothing
/// throttled, the limit is higher. That shows after `noise / (s * r)` seconds. Then the surplus is
/// [`STEP`] times as large, so that the next step takes a fifth of the time, and all steps together
/// a quarter as long again as the first. At [`MOST_SURPLUS`] the measured rate itself is raised.
///
/// The throttled response that ends this puts the limit between the paces of the last two steps,
/// `gap` apart. If it is anywhere between, with equal probability, its distance from the lower one
/// has a root mean square of `gap / sqrt(3)`. So the lower one is a belief with that error, worth
/// `0.41 / (gap / sqrt(3)) = 0.7 / gap` requests.
///
/// # A shallow bucket
///
/// If the bucket holds a single request, it is full when the next one may come: tokens do not add
/// up, each request that comes too early is throttled, and each wait loses tokens. It shows by a
/// throttled response before the last step has gained one request. Then the pace before that step
/// is kept as it was, the next steps are smaller, and the throttled request waits only for what it
/// came too early by.
///
/// # What is not measured
///
/// A full bucket loses what comes in. While requests leave more slowly than the limit allows, less
/// is accepted than came in, and the equation above does not hold. Such idle time is summed up. An
/// interval with too much of it is left out, and the measurement begins again with what was
/// believed before.
#[derive(Debug)]
pub(super) struct Limit {
    /// A second.
    measured: f64,
    /// By how much to go faster, as a part of it.
    surplus: f64,
    /// The surplus before the last step of growth: nothing was throttled at it.
    proven: f64,
    belief: Belief,
    /// The oldest is where the measurement begins.
    throttles: VecDeque<Throttle>,
    /// The first throttled response since the last accepted request.
    blackout: Option<Throttle>,
    /// Since when throttles should have come and did not.
    quiet_since: Mark,
    grown_at: Duration,
    has_grown: bool,
    /// Next to nothing was accepted since the measurement began: only an upper bound is known.
    is_lost: bool,
    is_shallow: bool,
    /// The part of its interval that a throttled request waits for.
    retry: f64,
    /// Seconds since the last throttle for which the limit let in more than was sent.
    idle: f64,
    /// Seconds between accepted requests, where they were measured; twice that is the longest wait.
    slowest: f64,
    /// The amount of the request that was throttled last: so uncertain is the level then.
    grain: f64,
}

/// The most surplus, and that of a measurement which knows nothing.
const MOST_SURPLUS: f64 = 0.5;
/// How many times as large a step of growth makes the surplus, and in a shallow bucket.
const STEP: f64 = 5.0;
const SHALLOW_STEP: f64 = 3.0;
/// A surplus past which a throttle is news of a higher limit, and no accident.
const GROWN: f64 = 0.1;
/// Requests accepted in a run before a limit of less than one a second is trusted.
const ROUGH: f64 = 20.0;
/// What the belief in a proven pace is worth. Its surplus is the inverse of four times that.
const PROVEN: f64 = 10.0;
/// The part of the time since the last throttle in which a limit may be unused and still be
/// measured.
const IDLE: f64 = 0.2;
/// Throttles kept: enough to find one of the right age among them.
const KEPT: usize = 64;
/// Seconds between requests at most, while nothing is accepted.
const LONGEST_WAIT: f64 = 10.0;
/// And where a slower limit has shown itself. A longer gap is an outage.
const SLOWEST: f64 = 60.0;

impl Limit {
    /// A limit that is only believed. `grain` is the amount of the request that was throttled.
    pub(super) fn believed(throttle: Throttle, belief: Belief, grain: f64) -> Self {
        Self {
            measured: belief.rate,
            surplus: (0.25 / belief.trust).min(MOST_SURPLUS),
            proven: 0.0,
            belief,
            throttles: VecDeque::from([throttle]),
            blackout: Some(throttle),
            quiet_since: throttle.mark,
            grown_at: throttle.at,
            has_grown: false,
            is_lost: false,
            is_shallow: false,
            retry: 1.0,
            idle: 0.0,
            slowest: 0.0,
            grain,
        }
    }

    /// A request went out so many seconds later than the limit allowed.
    pub(super) fn was_idle(&mut self, seconds: f64) {
        self.idle += seconds;
    }

    /// How fast to go, a second.
    pub(super) fn pace(&self) -> f64 {
        self.measured * (1.0 + self.surplus)
    }

    /// Seconds that a request of this amount waits for the one before it, at most: to know when the
    /// service takes any again. A limit that is slower than that has shown it: by requests that it
    /// accepted.
    pub(super) fn interval(&self, amount: f64) -> f64 {
        (amount / self.pace()).min(self.slowest.clamp(LONGEST_WAIT, SLOWEST))
    }

    /// Seconds by which a request of this amount may be sent again before its interval has passed.
    pub(super) fn refund(&self, amount: f64) -> f64 {
        (1.0 - self.retry) * self.interval(amount)
    }

    /// A second, of the other amount, over the measurement.
    pub(super) fn other_rate(&self, now: Throttle) -> Option<f64> {
        let first = self.throttles[0];
        let (passed, other) = (seconds_between(first.mark, now.mark), now.other - first.other);
        (other > 0.0 && passed > 0.0).then(|| other / passed)
    }

    /// An accepted request. `mark` is its place, and includes it. Returns whether it shows that the
    /// limit is higher.
    pub(super) fn accepted(&mut self, mark: Mark, at: Conditions, was_held_back: bool) -> bool {
        self.blackout = None;
        if self.is_lost && mark.sent_at > self.grown_at {
            // The limit is above half of the last upper bound, and may be far above it if it is
            // shared: twice as fast with each round trip, as in opening. The first one proves
            // nothing, because the level was somewhere below its amount.
            self.measured *= 2.0;
            self.has_grown = self.proven < 0.0;
            // The pace before was `measured / 2 * (1 + MOST_SURPLUS)`.
            self.proven = 0.5 * (1.0 + MOST_SURPLUS) - 1.0;
            self.learn_from(mark, at);
            return true;
        }
        let passed = seconds_between(self.quiet_since, mark);
        let beyond = (mark.amount - self.quiet_since.amount) - self.measured * passed;
        let noise = self.noise(self.measured, at);
        if beyond <= -noise || was_held_back {
            // Slower than the limit: nothing can be learnt of it.
            self.quiet_since = mark;
        } else if beyond > noise && mark.sent_at > self.grown_at {
            // So much beyond the limit should have been throttled: the limit is higher.
            if self.surplus >= MOST_SURPLUS {
                self.measured *= 1.0 + self.surplus;
                self.proven = 0.0;
            } else {
                self.proven = self.surplus;
                let step = if self.is_shallow { SHALLOW_STEP } else { STEP };
                self.surplus = (step * self.surplus).min(MOST_SURPLUS);
            }
            self.has_grown = true;
            self.learn_from(mark, at);
            return true;
        }
        false
    }

    /// The limit may be far higher: grows by the largest step.
    pub(super) fn grow_at_once(&mut self) {
        if self.surplus < MOST_SURPLUS {
            self.proven = self.surplus;
            self.surplus = MOST_SURPLUS;
            self.has_grown = true;
        }
    }

    /// Learns next from what is sent at the new rate: half a round trip later all that is on its
    /// way is of it.
    fn learn_from(&mut self, mark: Mark, at: Conditions) {
        self.grown_at = mark.sent_at.saturating_add(seconds((1.5 * at.latency).max(0.05)));
        self.quiet_since = mark;
    }

    /// A request that was sent at this place in the order took nothing.
    pub(super) fn took_nothing(&mut self, order: f64, amount: f64, other: f64) {
        for throttle in self.throttles.iter_mut().filter(|throttle| throttle.mark.order > order) {
            throttle.mark.amount -= amount;
            throttle.other -= other;
            throttle.accepted -= 1.0;
        }
        if self.quiet_since.order > order {
            self.quiet_since.amount -= amount;
        }
    }

    /// Measures again. Whether the measurement had to begin anew, or still knows nothing.
    pub(super) fn throttled(&mut self, throttle: Throttle, amount: f64, at: Conditions) -> bool {
        self.grain = amount;
        if self.is_growing() {
            self.end_growth(throttle, at);
            return false;
        }
        self.retry = 1.0;
        let idle = std::mem::take(&mut self.idle);
        let first = self.throttles[0];
        let last = self.throttles[self.throttles.len() - 1];
        let since_last = seconds_between(last.mark, throttle.mark);
        if throttle.accepted - last.accepted > 0.5 && idle > IDLE * since_last {
            // Tokens may have been lost to a full bucket: since the last throttle less was accepted
            // than came in.
            let accepted = (throttle.accepted - first.accepted).max(0.0);
            let weight = (accepted + self.belief.weight).min(PROVEN);
            *self = Self {
                slowest: self.slowest,
                surplus: self.surplus.min(0.05),
                // A blackout goes on, however rarely it is tested.
                blackout: self.blackout.or(Some(throttle)),
                ..Self::believed(throttle, Belief::of(self.measured, weight), amount)
            };
            return false;
        }
        if self.throttles.len() == KEPT {
            self.throttles.remove(1);
        }
        self.throttles.push_back(throttle);
        self.blackout.get_or_insert(throttle);
        let fell = self.forget_what_no_longer_holds(throttle, at);
        let first = self.throttles[0];
        let passed = seconds_between(first.mark, throttle.mark);
        if passed <= 0.0 {
            // Sent before the first one: it says nothing new.
            return false;
        }
        let came_in = (throttle.mark.amount - first.mark.amount).max(0.0);
        let belief = at.unit * self.belief.weight;
        let measured = (came_in + belief) / (passed + belief / self.belief.rate);
        // The bounds hold between any two throttles. The upper one does not if tokens were lost
        // between, so that it is only taken over the whole; the lower one always holds, and is
        // taken over the last interval too. In less time than the latency varies by, it says
        // nothing.
        let noise = self.noise(measured, at);
        let least = |came_in: f64, passed: f64| {
            if passed > f64::max(8.0 * at.deviation, 0.05) {
                (came_in - self.noise(came_in / passed, at)) / passed
            } else {
                0.0
            }
        };
        let least_of_last = least(throttle.mark.amount - last.mark.amount, since_last);
        let most = (came_in + noise).max(0.5 * at.unit) / passed;
        self.measured = measured.max(least(came_in, passed)).min(most).max(least_of_last);
        let accepted = (throttle.accepted - first.accepted).max(0.0);
        if accepted > 0.0 {
            self.slowest = 2.0 * passed / accepted;
        }
        // At less than a request a second, the first measurements are rough, and to correct one by
        // steps takes minutes: larger steps are tried.
        let is_rough = self.measured < at.unit && throttle.accepted < ROUGH;
        self.surplus = (if is_rough { 1.0 } else { 0.25 } / (accepted + self.belief.trust))
            .clamp(self.least_surplus(at.unit), MOST_SURPLUS);
        self.quiet_since = throttle.mark;
        self.grown_at = throttle.at;
        (self.has_grown, self.proven) = (false, 0.0);
        self.is_lost = accepted < if is_rough { 1.5 } else { 0.5 };
        fell || self.is_lost
    }

    /// A throttle that was blamed on the other limit may be one of this limit, if it has grown:
    /// that ends the growth.
    pub(super) fn may_be_throttled(&mut self, throttle: Throttle, at: Conditions) {
        if self.is_growing() {
            self.end_growth(throttle, at);
        }
    }

    fn is_growing(&self) -> bool {
        self.has_grown && self.surplus > GROWN
    }

    /// The limit lies between the paces of the last two steps: the measurement begins with the
    /// lower one.
    fn end_growth(&mut self, throttle: Throttle, at: Conditions) {
        let pace = self.measured * (1.0 + self.proven);
        let passed = seconds_between(self.quiet_since, throttle.mark);
        let gained = throttle.mark.amount - self.quiet_since.amount - pace * passed;
        let gap = self.surplus - self.proven;
        let is_shallow = self.proven > 0.0 && gained < at.unit;
        let belief = if is_shallow {
            // With its surplus, it is as fast as before.
            Belief::of(pace / (1.0 + 0.25 / PROVEN), PROVEN)
        } else {
            Belief::of(pace, 0.7 / gap)
        };
        // At most so much too early, and the deviation of a round trip.
        let retry = gap / (1.0 + self.surplus) + 3.0 * at.deviation * self.measured / at.unit;
        *self = Self {
            slowest: self.slowest,
            retry: (retry + 0.05).min(1.0),
            is_shallow,
            ..Self::believed(throttle, belief, self.grain)
        };
    }

    /// Whether nothing was accepted since the last throttled response.
    pub(super) fn is_dark(&self) -> bool {
        self.blackout.is_some()
    }
}

pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4)
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
pub(super) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVEN: Conditions = Conditions { unit: 1.0, latency: 0.05, deviation: 0.005 };

    fn mark(millis: u64, order: f64, amount: f64) -> Mark {
        Mark { sent_at: Duration::from_millis(millis), order, amount }
    }

    fn throttle(mark: Mark, throttled: u64) -> Throttle {
        Throttle { at: mark.sent_at, mark, accepted: mark.amount, throttled, other: 0.0 }
    }

    #[test]
    fn the_estimate_is_what_was_accepted_over_the_time() {
        let belief = Belief::of(5.0, 0.5);
        let mut limit = Limit::believed(throttle(mark(0, 1.0, 0.0), 1), belief, 1.0);
        limit.throttled(throttle(mark(10_000, 52.0, 50.0), 2), 1.0, EVEN);
        assert!((limit.measured - 5.0).abs() < 1e-9, "{}", limit.measured);
    }

    #[test]
    fn a_wrong_belief_does_not_outlive_the_proof() {
        for rate in [0.1, 50.0] {
            let belief = Belief::of(rate, 100.0);
            let mut limit = Limit::believed(throttle(mark(0, 1.0, 0.0), 1), belief, 1.0);
            limit.throttled(throttle(mark(10_000, 52.0, 50.0), 2), 1.0, EVEN);
            assert!((limit.measured - 5.0).abs() < 0.3, "{rate}: {}", limit.measured);
        }
    }

    #[test]
    fn throttles_out_of_order_leave_a_pace() {
        let first = throttle(mark(1000, 60.0, 50.0), 1);
        let mut limit = Limit::believed(first, Belief::of(50.0, 0.5), 1.0);
        for (millis, accepted) in [(1001, 20.0), (900, 10.0), (1002, 5.0), (1500, 1.0)] {
            limit.was_idle(1.0);
            limit.throttled(throttle(mark(millis, accepted, accepted), 2), 1.0, EVEN);
            assert!(limit.pace() > 0.1, "{} at {millis} ms", limit.pace());
        }
    }

    #[test]
    fn a_request_that_took_nothing_counts_in_its_place() {
        let mut limit = Limit::believed(throttle(mark(0, 10.0, 9.0), 1), Belief::of(5.0, 0.5), 1.0);
        limit.took_nothing(4.0, 1.0, 0.0);
        limit.took_nothing(11.0, 1.0, 0.0);
        assert_eq!(limit.throttles[0].mark.amount.to_bits(), 8_f64.to_bits());
    }
}
