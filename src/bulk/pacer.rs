use std::collections::VecDeque;
use std::time::Duration;

use super::Rate;

/// Decides when the next request may go out, and finds the service's limit.
///
/// A refusal tells that at this moment the service has nothing left to give. Between two such moments it accepts exactly what
/// its limit lets through, however deep a burst it allows: accepted requests over time *are* the limit, the more exactly the
/// longer the time. So the pacer
///
/// 1. **opens**: two requests in flight, twice as many with every round, until the concurrency or the first refusal;
/// 2. **measures** from that refusal on, at first by a single request whenever the time without an accepted one has grown by half;
/// 3. **holds**: goes a little faster than measured, by as much as the measurement is uncertain and at least half a percent, so
///    that refusals stay rare and keep the measurement going;
/// 4. **grows**: triples that surplus where refusals that should come do not, and **measures anew** where too many come; after
///    refusals alone for a while it opens again.
#[derive(Debug)]
pub(super) struct Pacer {
    rate: Rate,
    concurrency: usize,
    /// When the next request may go out, by the rate.
    next_send: Duration,
    /// Until when the service asked to send nothing.
    held_until: Duration,
    /// Smoothed time from sending to answer, in seconds.
    latency: f64,
    totals: Totals,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// No refusal yet: bounded by the requests in flight.
    Opening { window: usize, round_end: Duration },
    /// Bounded by the measured limit.
    Holding(Limit),
}

/// Answers so far.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    accepted: u64,
    refused: u64,
}

/// A moment at which the service had nothing left.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    at: Duration,
    sent_at: Duration,
    totals: Totals,
}

#[derive(Debug)]
struct Limit {
    /// Requests a second.
    measured: f64,
    /// By how much to go faster, as a part of it.
    surplus: f64,
    /// What was believed before the first of `refusals`, and how many accepted requests that belief is worth.
    prior: f64,
    prior_weight: f64,
    /// The oldest is where the measurement begins.
    refusals: VecDeque<Refusal>,
    /// The first refusal since the last accepted request.
    blackout: Option<Refusal>,
    /// Since when, by the time of sending, refusals should have come and did not, and what was accepted by then.
    quiet_since: (Duration, Totals),
    grown_at: Duration,
    has_grown: bool,
    /// Requests in flight: one after the first refusal, and two more for each that is accepted.
    window: usize,
}

/// Requests in flight at the start.
const FIRST_WINDOW: usize = 2;
/// Requests in flight from which on the window grows by a quarter a round: what it grows by is refused for a whole round trip
/// once it is too much.
const WIDE_WINDOW: usize = 64;
/// The least surplus, from half a request a second down to half a percent: about so many requests are refused.
const LEAST_SURPLUS: (f64, f64) = (0.005, 0.01);
/// The most surplus, and that of a measurement which knows nothing.
const MOST_SURPLUS: f64 = 0.5;
/// A surplus past which a refusal is news of a higher limit, and no accident.
const GROWN: f64 = 0.1;
/// How unevenly timers fire, in seconds.
const TIMER_GRAIN: f64 = 0.002;
/// Accepted requests that make a measurement exact to half a percent.
const EXACT: u64 = 200;
/// Refusals kept: enough to find one of the right age among them.
const KEPT_REFUSALS: usize = 64;
/// How late a request may be sent and still be caught up with.
const SLACK: Duration = Duration::from_millis(20);
/// The shortest round in opening: on a fast network a round trip is too short to learn from.
const LEAST_ROUND: f64 = 0.05;
/// The least rate, in requests a second: to know when the service takes any again.
const LEAST_RATE: f64 = 0.1;
/// So many refusals with nothing accepted between say that the limit has fallen, by how much is open.
const REFUSED_ALONE: u64 = 8;
/// Refusals alone for so long are no limit.
const BLACKOUT: Duration = Duration::from_secs(15);
/// The longest `Retry-After` that is honoured.
pub(super) const LONGEST_HOLD: Duration = Duration::from_secs(300);

impl Pacer {
    pub(super) fn new(rate: Rate, concurrency: usize) -> Self {
        Self {
            rate,
            concurrency,
            next_send: Duration::ZERO,
            held_until: Duration::ZERO,
            latency: 0.0,
            totals: Totals::default(),
            stage: Stage::Opening { window: FIRST_WINDOW.min(concurrency), round_end: Duration::ZERO },
        }
    }

    /// When the next request may go out; `None` where an answer must come first.
    pub(super) fn next_send(&self, in_flight: usize) -> Option<Duration> {
        (in_flight < self.window()).then_some(self.next_send.max(self.held_until))
    }

    /// Requests a second at present; `None` while only the concurrency bounds them.
    pub(super) fn per_second(&self) -> Option<f64> {
        match (self.rate, &self.stage) {
            (Rate::Unlimited, _) => None,
            (Rate::Fixed(qps), _) => Some(qps),
            (Rate::Adaptive { max_qps }, Stage::Opening { .. }) => max_qps,
            (Rate::Adaptive { max_qps }, Stage::Holding(limit)) => {
                Some((limit.measured * (1.0 + limit.surplus)).min(max_qps.unwrap_or(f64::INFINITY)))
            }
        }
    }

    /// Whether throttled batches wait on their own, because the rate does not answer to refusals.
    pub(super) fn is_deaf(&self) -> bool {
        !matches!(self.rate, Rate::Adaptive { .. })
    }

    pub(super) fn sent(&mut self, now: Duration) {
        if let Some(per_second) = self.per_second() {
            // Slots that nobody used are lost but for a little: no burst after a pause.
            self.next_send = self.next_send.max(now.saturating_sub(SLACK)).saturating_add(seconds(1.0 / per_second));
        }
    }

    /// An accepted request, answered `latency` after it was sent.
    pub(super) fn accepted(&mut self, now: Duration, latency: Duration, in_flight: usize, was_held_back: bool) {
        self.observe(latency);
        self.totals.accepted += 1;
        let sent_at = now.saturating_sub(latency);
        match &mut self.stage {
            Stage::Opening { window, round_end } => {
                if now >= *round_end && in_flight + 1 >= *window && !was_held_back {
                    let wider = if *window < WIDE_WINDOW { *window * 2 } else { *window + *window / 4 };
                    *window = wider.min(self.concurrency);
                    *round_end = now.saturating_add(seconds(self.latency.max(LEAST_ROUND)));
                }
            }
            Stage::Holding(limit) if limit.ends_blackout() => {
                // For so long the service took nothing at all: that was no limit, and what is known of one is stale.
                self.stage = Stage::Opening { window: FIRST_WINDOW.min(self.concurrency), round_end: now };
                self.next_send = now;
            }
            Stage::Holding(limit) => {
                limit.window = (limit.window + 2).min(self.concurrency);
                limit.accepted(sent_at, self.totals, self.latency, was_held_back);
            }
        }
    }

    /// A refused request, answered `latency` after it was sent.
    pub(super) fn refused(&mut self, now: Duration, latency: Duration) {
        self.observe(latency);
        self.totals.refused += 1;
        let refusal = Refusal { at: now, sent_at: now.saturating_sub(latency), totals: self.totals };
        let starts_anew = match &mut self.stage {
            Stage::Opening { window, .. } => {
                // All that is known is how fast requests went out: worth half an accepted request, and no more.
                let sent_per_second = as_f64(*window as u64) / self.latency.max(0.001);
                self.stage = Stage::Holding(Limit::believed(refusal, sent_per_second, 0.5, 1));
                true
            }
            Stage::Holding(limit) => limit.refused(refusal, self.latency),
        };
        if starts_anew && let Some(per_second) = self.per_second() {
            // Never back: a slot that was handed out is not handed out again.
            self.next_send = self.next_send.max(now.saturating_add(seconds(1.0 / per_second)));
        }
    }

    /// The service asked to wait.
    pub(super) fn hold(&mut self, now: Duration, delay: Duration) {
        self.held_until = self.held_until.max(now.saturating_add(delay.min(LONGEST_HOLD)));
    }

    fn window(&self) -> usize {
        match (self.rate, &self.stage) {
            (Rate::Adaptive { .. }, Stage::Opening { window, .. }) => *window,
            (Rate::Adaptive { .. }, Stage::Holding(limit)) => limit.window,
            _ => self.concurrency,
        }
    }

    fn observe(&mut self, latency: Duration) {
        let latency = latency.as_secs_f64();
        self.latency = if self.latency == 0.0 { latency } else { self.latency + (latency - self.latency) / 8.0 };
    }
}

impl Limit {
    fn believed(refusal: Refusal, prior: f64, prior_weight: f64, window: usize) -> Self {
        Self {
            measured: prior,
            surplus: (0.25 / prior_weight).min(MOST_SURPLUS),
            prior,
            prior_weight,
            refusals: VecDeque::from([refusal]),
            blackout: Some(refusal),
            quiet_since: (refusal.sent_at, refusal.totals),
            grown_at: refusal.at,
            has_grown: false,
            window,
        }
    }

    /// By the time of sending, which is even, for answers come unevenly.
    fn accepted(&mut self, sent_at: Duration, totals: Totals, latency: f64, was_held_back: bool) {
        self.blackout = None;
        let (since, until_then) = self.quiet_since;
        let passed = sent_at.saturating_sub(since).as_secs_f64();
        let beyond = as_f64(totals.accepted - until_then.accepted) - self.measured * passed;
        let noise = 2.0 + self.measured * TIMER_GRAIN + 0.5 * (self.measured * latency).sqrt();
        if beyond <= -noise || was_held_back {
            // Slower than the limit: nothing can be learnt of it.
            self.quiet_since = (sent_at, totals);
        } else if beyond > noise && sent_at > self.grown_at {
            // So much beyond the limit should have been refused: the limit is higher.
            if self.surplus >= MOST_SURPLUS {
                self.measured *= 1.0 + self.surplus;
            } else {
                self.surplus = (3.0 * self.surplus).min(MOST_SURPLUS);
            }
            self.has_grown = true;
            // Learn next from what is sent at the new rate: half a round trip later all that is on its way is of it.
            self.grown_at = sent_at.saturating_add(seconds(1.5 * latency));
            self.quiet_since = (sent_at, totals);
        }
    }

    /// Measures again. Whether the measurement had to begin anew, or still knows nothing.
    fn refused(&mut self, refusal: Refusal, latency: f64) -> bool {
        if self.has_grown && self.surplus > GROWN {
            // The limit lies between this rate and the one before the last growth: begin there.
            *self = Self::believed(refusal, self.measured * (1.0 + self.surplus / 3.0), 10.0, self.window);
            return true;
        }
        if self.refusals.len() == KEPT_REFUSALS {
            self.refusals.remove(1);
        }
        self.refusals.push_back(refusal);
        self.blackout.get_or_insert(refusal);
        let fell = self.forget_what_no_longer_holds(refusal, latency);
        let first = self.refusals[0];
        let passed = refusal.at.saturating_sub(first.at).as_secs_f64();
        let accepted = self.accepted_until(refusal);
        let measured = (as_f64(accepted) + self.prior_weight) / (passed + self.prior_weight / self.prior);
        self.measured = measured.max(LEAST_RATE);
        self.surplus = self.least_surplus(refusal);
        self.quiet_since = (refusal.sent_at, refusal.totals);
        self.grown_at = refusal.at;
        self.has_grown = false;
        fell || accepted == 0
    }

    /// Whether an accepted request comes after refusals alone, over a longer time than a slow limit takes.
    fn ends_blackout(&self) -> bool {
        let last = self.refusals.back().map(|last| last.at);
        self.blackout.zip(last).is_some_and(|(first, last)| last.saturating_sub(first.at) > BLACKOUT)
    }

    /// Accepted requests since the measurement began.
    fn accepted_until(&self, refusal: Refusal) -> u64 {
        refusal.totals.accepted - self.refusals[0].totals.accepted
    }

    /// As much as the measurement is uncertain.
    fn least_surplus(&self, refusal: Refusal) -> f64 {
        let weight = as_f64(self.accepted_until(refusal)) + self.prior_weight;
        let (least, most) = LEAST_SURPLUS;
        (0.25 / weight).clamp((0.5 / self.measured).clamp(least, most), MOST_SURPLUS)
    }

    /// Moves the start of the measurement on: past what is older than needed, and past a limit that has fallen, which is true
    /// where a quarter of the latest answers are refusals, of 20 or more.
    fn forget_what_no_longer_holds(&mut self, now: Refusal, latency: f64) -> bool {
        let age = |refusal: &Refusal| now.at.saturating_sub(refusal.at).as_secs_f64();
        let accepted = |refusal: &Refusal| now.totals.accepted - refusal.totals.accepted;
        let recent = (1.5 * latency).max(0.25);
        if let Some(first) = self.blackout
            && now.totals.refused - first.totals.refused >= REFUSED_ALONE
            && age(&first) >= recent
        {
            // Nothing at all is accepted any more: less and less often it is worth a try.
            self.refusals = VecDeque::from([first, now]);
            (self.prior, self.prior_weight) = (0.5 / age(&first), 0.5);
            return true;
        }
        let refused = |refusal: &Refusal| now.totals.refused - refusal.totals.refused;
        let is_enough = |refusal: &Refusal| age(refusal) >= recent && accepted(refusal) + refused(refusal) >= 20;
        let latest = self.refusals.iter().rposition(is_enough);
        if let Some(latest) = latest.filter(|&latest| latest > 0) {
            let since = self.refusals[latest];
            if 3 * refused(&since) > accepted(&since) {
                self.refusals.drain(..latest);
                self.prior = (as_f64(accepted(&since)) + 0.5) / age(&since);
                self.prior_weight = 1.0;
                return true;
            }
        }
        let long = (5.0 * latency).max(1.0);
        while self.refusals.get(1).is_some_and(|second| age(second) >= long && accepted(second) >= EXACT) {
            self.refusals.pop_front();
            self.prior = self.measured;
            self.prior_weight = 10.0;
        }
        false
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4)
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
