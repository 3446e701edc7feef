use std::collections::VecDeque;
use std::time::Duration;

/// What is known of one limit: an amount per second, in requests or in keys.
///
/// # The estimate
///
/// The service holds tokens. They come in at the limit's rate `r`, up to some depth, and an
/// accepted request takes its amount `u`. A request is throttled if fewer than `u` are left. So the
/// level at a throttled response is known, whatever the depth: between 0 and `u`. Between two such
/// moments,
/// `T` seconds apart, what is accepted is what came in, less or more the difference of two levels:
///
/// ```text
/// accepted = r * T + d,  -u < d < u        estimate = accepted / T, wrong by d / T
/// ```
///
/// Take each level as evenly distributed over `u`: its variance is `u * u / 12`, that of `d` twice
/// as much, and the standard deviation of `d` is `0.41 u`. With `n` requests accepted, `r * T` is
/// about `n * u`, and the relative error has a standard deviation of `0.41 / n`. It shrinks with
/// `n`, not with its root, because the errors of the levels in between cancel out.
///
/// # The surplus
///
/// Below the limit nothing is throttled, and nothing can be learnt. So requests leave faster than
/// measured, by a part `s`. After `1 / s` requests the surplus is one request's amount, and one is
/// throttled: a part `s` of all. `s` is `0.25 / n`, a little less than the estimate is uncertain,
/// and at least [`least_surplus`](Self::least_surplus).
///
/// # The growth
///
/// If more than [`noise`](Self::noise) was accepted beyond the measured rate, and nothing
/// throttled, the limit is higher. That shows after `noise / (s * r)` seconds. Then the surplus
/// triples, so that the next step takes a third of the time, and all steps together half as long
/// again as the first. At [`MOST_SURPLUS`] the measured rate itself is raised. The throttled
/// response that ends this puts the limit between the last two steps.
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
    /// What was believed before the first of `throttles`, and how many requests that belief is
    /// worth.
    prior: f64,
    prior_weight: f64,
    /// The oldest is where the measurement begins.
    throttles: VecDeque<Throttle>,
    /// The first throttled response since the last accepted request.
    blackout: Option<Throttle>,
    /// Since when, by the time of sending, throttles should have come and did not, and what was
    /// accepted by then.
    quiet_since: (Duration, f64),
    grown_at: Duration,
    has_grown: bool,
    /// Seconds since the last throttle for which the limit let in more than was sent.
    idle: f64,
    /// Seconds between accepted requests, where they were measured; twice that is the longest wait.
    slowest: f64,
    /// The amount of the request that was throttled last: so uncertain is the level then.
    grain: f64,
}

/// A moment at which the service had nothing left, and what came of all requests until then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Throttle {
    pub(super) at: Duration,
    pub(super) sent_at: Duration,
    /// Amount of accepted requests, and their number.
    pub(super) amount: f64,
    pub(super) accepted: u64,
    /// Throttled requests.
    pub(super) throttled: u64,
    /// The other amount of accepted requests.
    pub(super) other: f64,
}

/// The least surplus for a fast limit: so much of all requests is throttled.
const LEAST_SURPLUS: f64 = 0.005;
/// The least surplus from 50 requests a second down, in which a single request is the noise: half a
/// request a second, up to this.
const LEAST_SURPLUS_SLOW: f64 = 0.01;
/// More than that below 17 requests a second: [`SLOW_PROBE`] requests a second, up to this part. At
/// 5 requests a second one in 30 is throttled, and a limit that has risen is noticed after
/// `1.25 / SLOW_PROBE` seconds. A part of the rate would make that time grow with `1 / rate`.
const LEAST_SURPLUS_SLOWEST: f64 = 0.2;
const SLOW_PROBE: f64 = 0.17;
/// Up to this below one request a second: each throttled response costs a wait of over a second.
const LEAST_SURPLUS_RARE: f64 = 0.1;
/// The most surplus, and that of a measurement which knows nothing.
const MOST_SURPLUS: f64 = 0.5;
/// A surplus past which a throttle is news of a higher limit, and no accident.
const GROWN: f64 = 0.1;
/// How unevenly timers fire, in seconds.
const TIMER_GRAIN: f64 = 0.002;
/// Accepted requests that make a measurement exact to half a percent.
const EXACT: u64 = 200;
/// The part of the time since the last throttle in which a limit may be unused and still be
/// measured.
const IDLE: f64 = 0.2;
/// Throttles kept: enough to find one of the right age among them.
const KEPT: usize = 64;
/// Seconds between requests at most, while nothing is accepted.
const LONGEST_WAIT: f64 = 10.0;
/// And where a slower limit has shown itself. A longer gap is an outage.
const SLOWEST: f64 = 60.0;
/// So many throttles with nothing accepted between mean that the limit has fallen, by how much is
/// open.
const THROTTLED_ALONE: u64 = 8;
/// Throttled requests alone for so long are no limit.
const BLACKOUT: Duration = Duration::from_secs(15);

impl Limit {
    /// A limit of about `prior` a second, a belief that is worth `weight` requests.
    pub(super) fn believed(throttle: Throttle, prior: f64, weight: f64, grain: f64) -> Self {
        Self {
            measured: prior,
            surplus: (0.25 / weight).min(MOST_SURPLUS),
            prior,
            prior_weight: weight,
            throttles: VecDeque::from([throttle]),
            blackout: Some(throttle),
            quiet_since: (throttle.sent_at, throttle.amount),
            grown_at: throttle.at,
            has_grown: false,
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

    /// A second, of the other amount, over the measurement.
    pub(super) fn other_rate(&self, now: Throttle) -> Option<f64> {
        let first = self.throttles[0];
        let passed = now.at.saturating_sub(first.at).as_secs_f64();
        (now.accepted > first.accepted && passed > 0.0).then(|| (now.other - first.other) / passed)
    }

    /// An accepted request of this amount, `total` with it. By the time of sending, which is even:
    /// responses come unevenly.
    pub(super) fn accepted(
        &mut self,
        sent_at: Duration,
        total: f64,
        unit: f64,
        latency: f64,
        was_held_back: bool,
    ) {
        self.blackout = None;
        let (since, until_then) = self.quiet_since;
        let passed = sent_at.saturating_sub(since).as_secs_f64();
        let beyond = (total - until_then) - self.measured * passed;
        let noise = self.noise(unit, latency);
        if beyond <= -noise || was_held_back {
            // Slower than the limit: nothing can be learnt of it.
            self.quiet_since = (sent_at, total);
        } else if beyond > noise && sent_at > self.grown_at {
            // So much beyond the limit should have been throttled: the limit is higher.
            if self.surplus >= MOST_SURPLUS {
                self.measured *= 1.0 + self.surplus;
            } else {
                self.surplus = (3.0 * self.surplus).min(MOST_SURPLUS);
            }
            self.has_grown = true;
            // Learn next from what is sent at the new rate: half a round trip later all that is on
            // its way is of it.
            self.grown_at = sent_at.saturating_add(seconds((1.5 * latency).max(0.05)));
            self.quiet_since = (sent_at, total);
        }
    }

    /// Measures again. Whether the measurement had to begin anew, or still knows nothing.
    pub(super) fn throttled(
        &mut self,
        throttle: Throttle,
        amount: f64,
        unit: f64,
        latency: f64,
    ) -> bool {
        self.grain = amount;
        if self.has_grown && self.surplus > GROWN {
            // The limit lies between this rate and the one before the last growth: begin there.
            let weight = 10.0;
            *self = Self {
                slowest: self.slowest,
                ..Self::believed(
                    throttle,
                    self.measured * (1.0 + self.surplus / 3.0),
                    weight,
                    amount,
                )
            };
            return true;
        }
        let idle = std::mem::take(&mut self.idle);
        let last = self.throttles[self.throttles.len() - 1];
        if idle > IDLE * throttle.at.saturating_sub(last.at).as_secs_f64() {
            // Tokens may have been lost to a full bucket: since the last throttle less was accepted
            // than came in.
            let weight = (as_f64(throttle.accepted - self.throttles[0].accepted)
                + self.prior_weight)
                .min(10.0);
            *self = Self {
                slowest: self.slowest,
                surplus: self.surplus.min(0.05),
                // A blackout goes on, however rarely it is tested.
                blackout: self.blackout.or(Some(throttle)),
                ..Self::believed(throttle, self.measured, weight, amount)
            };
            return false;
        }
        if self.throttles.len() == KEPT {
            self.throttles.remove(1);
        }
        self.throttles.push_back(throttle);
        self.blackout.get_or_insert(throttle);
        let fell = self.forget_what_no_longer_holds(throttle, unit, latency);
        let first = self.throttles[0];
        let passed = throttle.at.saturating_sub(first.at).as_secs_f64();
        let came_in = throttle.amount - first.amount;
        let belief = unit * self.prior_weight;
        let measured = (came_in + belief) / (passed + belief / self.prior);
        let accepted = throttle.accepted - first.accepted;
        self.measured = measured;
        if accepted > 0 {
            self.slowest = 2.0 * passed / as_f64(accepted);
        }
        self.surplus = self.least_surplus(throttle, unit);
        self.quiet_since = (throttle.sent_at, throttle.amount);
        self.grown_at = throttle.at;
        self.has_grown = false;
        fell || accepted == 0
    }

    /// Whether an accepted request comes after throttled ones alone, over a longer time than a slow
    /// limit takes.
    pub(super) fn ends_blackout(&self) -> bool {
        let last = self.throttles.back().map(|last| last.at);
        self.blackout.zip(last).is_some_and(|(first, last)| {
            last.saturating_sub(first.at) > BLACKOUT.max(seconds(2.0 * self.slowest))
        })
    }

    /// Since when, of late, a quarter of the responses are throttled ones, of 20 or more: the limit
    /// has fallen, or another one is the reason.
    pub(super) fn too_many_since(&self, now: Throttle, latency: f64) -> Option<Throttle> {
        let is_enough = |throttle: &Throttle| {
            now.at.saturating_sub(throttle.at).as_secs_f64() >= recent(latency)
                && now.accepted - throttle.accepted + now.throttled - throttle.throttled >= 20
        };
        let since = *self.throttles.iter().rev().find(|throttle| is_enough(throttle))?;
        (3 * (now.throttled - since.throttled) > now.accepted - since.accepted).then_some(since)
    }

    /// The most that may be accepted beyond the measured rate if that is the limit.
    ///
    /// - The level at the last throttled response and the level now differ by less than one
    ///   request. A quarter is added, and up to one request for a faster limit, which loses less by
    ///   waiting.
    /// - A timer fires up to [`TIMER_GRAIN`] late. So many more requests leave at once then.
    /// - About `requests * latency` requests are in flight. Their responses come out of order, so
    ///   that by chance each of them is counted already, or is not. A toss of a coin has a variance
    ///   of at most a quarter, and the sum of `m` a standard deviation of at most `0.5 * sqrt(m)`.
    fn noise(&self, unit: f64, latency: f64) -> f64 {
        let unit = unit.max(self.grain);
        let requests = self.measured / unit;
        unit * (1.25
            + 0.75 * (requests / 50.0).min(1.0)
            + requests * TIMER_GRAIN
            + 0.5 * (requests * latency).sqrt())
    }

    /// As much as the measurement is uncertain, and enough to notice a higher limit in time.
    fn least_surplus(&self, throttle: Throttle, unit: f64) -> f64 {
        let weight = as_f64(throttle.accepted - self.throttles[0].accepted) + self.prior_weight;
        let requests = self.measured / unit;
        let half = (0.5 / requests).clamp(LEAST_SURPLUS, LEAST_SURPLUS_SLOW);
        let most = if requests < 1.0 { LEAST_SURPLUS_RARE } else { LEAST_SURPLUS_SLOWEST };
        let least = half.max((SLOW_PROBE / requests).min(most));
        (0.25 / weight).clamp(least, MOST_SURPLUS)
    }

    /// Moves the start of the measurement on: past what is older than needed, and past a limit that
    /// has fallen.
    fn forget_what_no_longer_holds(&mut self, now: Throttle, unit: f64, latency: f64) -> bool {
        let age = |throttle: &Throttle| now.at.saturating_sub(throttle.at).as_secs_f64();
        if let Some(first) = self.blackout
            && now.throttled - first.throttled >= THROTTLED_ALONE
            && age(&first) >= recent(latency)
        {
            // Nothing at all is accepted any more: less and less often it is worth a try.
            self.throttles = VecDeque::from([first, now]);
            (self.prior, self.prior_weight) = (0.5 * unit / age(&first), 0.5);
            return true;
        }
        if let Some(since) = self.too_many_since(now, latency)
            && since.at > self.throttles[0].at
        {
            self.throttles.retain(|throttle| throttle.at >= since.at);
            self.prior = (now.amount - since.amount + 0.5 * unit) / age(&since);
            self.prior_weight = 1.0;
            return true;
        }
        let long = (5.0 * latency).max(1.0);
        while self
            .throttles
            .get(1)
            .is_some_and(|second| age(second) >= long && now.accepted - second.accepted >= EXACT)
        {
            self.throttles.pop_front();
            self.prior = self.measured;
            self.prior_weight = 10.0;
        }
        false
    }
}

/// Seconds that are long enough to see what came of the latest requests.
fn recent(latency: f64) -> f64 {
    (1.5 * latency).max(0.25)
}

pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4)
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
pub(super) fn as_f64(count: u64) -> f64 {
    count as f64
}
