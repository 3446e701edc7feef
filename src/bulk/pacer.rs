mod blame;
mod ceiling;
mod chance;
mod evidence;
mod latency;
mod limit;
mod meter;

use std::collections::VecDeque;
use std::time::Duration;

use self::ceiling::Ceiling;
use self::chance::{Chance, Step};
use self::evidence::{Belief, Conditions, Mark};
use self::latency::Latency;
use self::limit::{Limit, as_f64, seconds};
use self::meter::{Meter, SHIFT_OF_GROWTH, SHIFT_OF_THROTTLE};
use super::{Pace, Rate};
use crate::KeyBatch;

/// Decides when the next request may go out, and finds the service's limits: requests per second
/// and keys per second.
///
/// 1. **Open**: two requests in flight, twice as many every round trip, up to the concurrency or
///    the first throttled response.
/// 2. **Blame** each throttled response on one of the two amounts: [`Pacer::blame`].
/// 3. **Measure and hold** the limit on each amount that was blamed, as if it were alone:
///    [`Limit`].
/// 4. **Charge** a batch for both: it leaves when both limits have let in its amount since the
///    batch before it.
/// 5. **Hold what is in flight** instead of a rate, if that is what is limited: [`Ceiling`].
/// 6. **Open again** after a time in which every request was throttled, and where requests are
///    throttled by chance, whatever the pace: [`Chance`].
///
/// While one limit binds, the other is remembered: nothing is blamed on it, and nothing is learnt.
#[derive(Debug)]
pub(super) struct Pacer {
    rate: Rate,
    concurrency: usize,
    /// Until when the service asked to send nothing.
    held_until: Duration,
    latency: Latency,
    accepted: u64,
    throttled: u64,
    /// All that was sent, and the part of it that took nothing.
    sent: Amounts,
    nothing: Amounts,
    /// The last ones that took nothing.
    recent: VecDeque<(Ticket, Amounts)>,
    /// Keys of a batch, over a longer time.
    mean_size: f64,
    suspicion: f64,
    chance: Chance,
    /// Evidence that errors which name no limit come from one.
    doubt: f64,
    /// Accepted requests when it opened again.
    opened_at: u64,
    /// When the round in opening ends; `None` after it.
    round_end: Option<Duration>,
    /// Of requests, and of keys.
    meters: [Meter; 2],
}

/// Requests, and keys.
type Amounts = [f64; 2];

/// The place of a request in the order of sending: what was sent with it and before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    total: Amounts,
    /// What was in flight then, with it.
    level: Amounts,
}

const REQUESTS: usize = 0;
const KEYS: usize = 1;

/// The documented limits, a second. They only decide what is blamed first, and when to try again
/// after the first throttle.
const DOCUMENTED: [f64; 2] = [1000.0, 2500.0];
/// Requests in flight at the start, and keys: no fewer than the requests hold.
const FIRST_WINDOW: [f64; 2] = [2.0, 1000.0];
/// Requests in flight from which on the window grows by a quarter a round: what it grows by is
/// throttled for a whole round trip once it is too much.
const WIDE_WINDOW: f64 = 64.0;
/// How late a request may be sent and still be caught up with.
const SLACK: Duration = Duration::from_millis(20);
/// The shortest round in opening: on a fast network a round trip is too short to learn from.
const LEAST_ROUND: f64 = 0.05;
/// An opening in which no more requests were accepted was in vain.
const IN_VAIN: u64 = 3;
/// Requests that took nothing and are remembered, to sort out which came first.
const RECENT: usize = 256;
/// Errors that name no limit and are taken for throttles from then on, less a part of one for each
/// accepted request.
const DOUBTFUL: f64 = 3.0;
const DOUBT: f64 = 0.1;
/// The longest `Retry-After` that is honoured.
pub(super) const LONGEST_HOLD: Duration = Duration::from_secs(300);

impl Pacer {
    pub(super) fn new(rate: Rate, concurrency: usize) -> Self {
        let caps = match rate {
            Rate::Unlimited => [None, None],
            Rate::Fixed(qps) => [Some(qps), None],
            Rate::Adaptive(adaptive) => {
                [adaptive.max_requests_per_second, adaptive.max_keys_per_second]
            }
        };
        Self {
            rate,
            concurrency,
            held_until: Duration::ZERO,
            latency: Latency::default(),
            accepted: 0,
            throttled: 0,
            sent: [0.0; 2],
            nothing: [0.0; 2],
            recent: VecDeque::new(),
            mean_size: 0.0,
            suspicion: 0.0,
            chance: Chance::default(),
            doubt: 0.0,
            opened_at: 0,
            round_end: Some(Duration::ZERO),
            meters: [REQUESTS, KEYS].map(|amount| Meter::new(caps[amount], FIRST_WINDOW[amount])),
        }
    }

    /// When a batch of so many keys may go out; `None` where a response must come first.
    pub(super) fn next_send(&self, keys: usize) -> Option<Duration> {
        let amounts = amounts(keys);
        let fits = |(meter, amount): (&Meter, f64)| {
            let level = meter.in_flight + amount;
            meter.in_flight == 0.0
                || (level <= meter.window && meter.ceiling.admits(level, meter.unit))
        };
        if !self.is_fixed() && !self.meters.iter().zip(amounts).all(fits) {
            return None;
        }
        let due = self.meters.iter().zip(amounts).filter_map(|(meter, amount)| meter.due(amount));
        Some(due.fold(self.held_until, Duration::max))
    }

    /// Whether so many more full batches may go out at once: no rate holds them, and the window
    /// has room.
    pub(super) fn has_room_for(&self, batches: usize) -> bool {
        let level = amounts(KeyBatch::MAX_KEYS).map(|amount| amount * as_f64(batches as u64));
        self.meters.iter().zip(level).all(|(meter, level)| {
            meter.rate().is_none() && (self.is_fixed() || meter.in_flight + level <= meter.window)
        })
    }

    pub(super) fn pace(&self) -> Pace {
        Pace {
            requests_per_second: self.meters[REQUESTS].rate(),
            keys_per_second: self.meters[KEYS].rate(),
        }
    }

    /// Whether throttled batches wait on their own, because the rate does not answer to throttles.
    pub(super) fn is_fixed(&self) -> bool {
        !matches!(self.rate, Rate::Adaptive(_))
    }

    /// A request went out.
    pub(super) fn sent(&mut self, now: Duration, keys: usize) -> Ticket {
        for (sent, amount) in self.sent.iter_mut().zip(amounts(keys)) {
            *sent += amount;
        }
        let latency = self.latency.mean();
        let mut level = [0.0; 2];
        for (number, (meter, amount)) in self.meters.iter_mut().zip(amounts(keys)).enumerate() {
            meter.in_flight += amount;
            level[number] = meter.in_flight;
            meter.ceiling.sent(now, meter.in_flight, latency);
            let due = meter.due(amount).unwrap_or_default();
            // Time without requests is lost, except for a little: no burst after a pause.
            let latest = now.saturating_sub(SLACK);
            if let Some(limit) = &mut meter.limit {
                limit.was_idle(latest.saturating_sub(due).as_secs_f64());
            }
            meter.paid_at = Some(due.max(latest));
        }
        Ticket { total: self.sent, level }
    }

    /// A response came, whatever it says; to be called before [`accepted`](Self::accepted) and
    /// [`throttled`](Self::throttled).
    pub(super) fn answered(&mut self, latency: Duration) {
        self.latency.observe(latency);
    }

    /// A request was given up.
    pub(super) fn gave_up(&mut self) {
        self.latency.gave_up();
    }

    /// After how long a request without a response no longer fills the window; `None` before the
    /// first response.
    pub(super) fn overdue_after(&self) -> Option<Duration> {
        self.latency.overdue_after()
    }

    /// After how long a request without a response is given up, `most` at most; sooner if it
    /// `is_last`, so that the run waits for nothing else.
    pub(super) fn response_timeout(&self, most: Duration, is_last: bool) -> Duration {
        self.latency.response_timeout(most, is_last)
    }

    /// A request ended, or is overdue: it no longer fills the window.
    pub(super) fn left(&mut self, keys: usize) {
        for (meter, amount) in self.meters.iter_mut().zip(amounts(keys)) {
            meter.in_flight -= amount;
        }
    }

    /// An accepted request, with its response `latency` after it was sent.
    pub(super) fn accepted(
        &mut self,
        now: Duration,
        latency: Duration,
        ticket: Ticket,
        keys: usize,
        was_held_back: bool,
    ) {
        self.observe(keys);
        self.doubt = (self.doubt - DOUBT).max(0.0);
        self.chance.accepted();
        self.accepted += 1;
        let sent_at = now.saturating_sub(latency);
        let ends_blackout =
            self.meters.iter().any(|meter| meter.limit.as_ref().is_some_and(Limit::ends_blackout));
        // If the last opening was in vain, the limit is that slow.
        if ends_blackout && self.accepted - self.opened_at > IN_VAIN {
            return self.open_again(now);
        }
        let taken = self.taken(ticket);
        self.test_larger_sizes();
        let (latency, deviation) = (self.latency.mean(), self.latency.deviation());
        let (concurrency, mean_size) = (self.concurrency as f64, self.meters[KEYS].unit);
        let is_new_round = self.round_end.is_some_and(|end| now >= end);
        for (number, (meter, amount)) in self.meters.iter_mut().zip(amounts(keys)).enumerate() {
            meter.ceiling.accepted(ticket.level[number], meter.unit);
            if let Some(limit) = &mut meter.limit
                && !meter.ceiling.is_held()
            {
                let mark = Mark { sent_at, order: ticket.total[REQUESTS], amount: taken[number] };
                let at = Conditions { unit: meter.unit, latency, deviation };
                if limit.accepted(mark, at, was_held_back) {
                    meter.measured_at += (mean_size - meter.measured_at) * SHIFT_OF_GROWTH;
                }
            }
            let used = meter.in_flight + amount;
            if self.round_end.is_none() {
                if number == REQUESTS || 2.0 * used >= meter.window {
                    meter.window += 2.0 * amount;
                }
            } else if is_new_round && used + amount > meter.window && !was_held_back {
                let requests = meter.window / meter.unit;
                meter.window *= if requests < WIDE_WINDOW { 2.0 } else { 1.25 };
                self.round_end = Some(now.saturating_add(seconds(latency.max(LEAST_ROUND))));
            }
        }
        self.meters[REQUESTS].window = self.meters[REQUESTS].window.min(concurrency);
    }

    /// A request took nothing of the limits: it was throttled, or never sent.
    pub(super) fn took_nothing(&mut self, ticket: Ticket, keys: usize) {
        let size = amounts(keys);
        for (number, meter) in self.meters.iter_mut().enumerate() {
            self.nothing[number] += size[number];
            if let Some(limit) = &mut meter.limit {
                limit.took_nothing(ticket.total[REQUESTS], size[number], size[1 - number]);
            }
        }
        self.recent.push_back((ticket, size));
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// A failed request whose error may come from a limit, because its code is not listed.
    ///
    /// A limit shows again and again where requests are sent faster than it. So the errors are
    /// summed up (a CUSUM test): each counts 1, and each accepted request takes [`DOUBT`] back. The
    /// sum rises if more than one in eleven fails in this way. At [`DOUBTFUL`] it is evidence. One
    /// error among many accepted requests does not count.
    pub(super) fn maybe_throttled(
        &mut self,
        now: Duration,
        latency: Duration,
        ticket: Ticket,
        keys: usize,
    ) {
        self.doubt = (self.doubt + 1.0).min(DOUBTFUL);
        if self.doubt >= DOUBTFUL {
            self.throttled(now, latency, ticket, keys);
        }
    }

    /// A throttled request, with its response `latency` after it was sent.
    pub(super) fn throttled(
        &mut self,
        now: Duration,
        latency: Duration,
        ticket: Ticket,
        keys: usize,
    ) {
        if self.is_fixed() {
            return;
        }
        self.observe(keys);
        self.throttled += 1;
        let sent_at = now.saturating_sub(latency);
        self.took_nothing(ticket, keys);
        if self.chance.explains_throttle() {
            return;
        }
        let size = amounts(keys);
        if let Some(held) = self.meters.iter().position(|meter| meter.ceiling.is_held())
            && self.meters[held].ceiling.throttled(now, sent_at, ticket.level[held], size[held])
        {
            return;
        }
        let throttles = self.throttles(now, sent_at, ticket);
        let blamed = self.blame(throttles, keys);
        let throttle = throttles[blamed];
        let (latency, deviation) = (self.latency.mean(), self.latency.deviation());
        let mean_size = self.meters[KEYS].unit;
        let is_opening = self.round_end.take().is_some();
        let amount = size[blamed];
        let other = &mut self.meters[1 - blamed];
        if let Some(limit) = &mut other.limit {
            let at = Conditions { unit: other.unit, latency, deviation };
            limit.may_be_throttled(throttles[1 - blamed], at);
        }
        let meter = &mut self.meters[blamed];
        if meter.limit.is_some()
            && meter.ceiling.throttled(now, sent_at, ticket.level[blamed], amount)
        {
            return;
        }
        let starts_anew = if let Some(limit) = &mut meter.limit {
            let was_dark = limit.is_dark();
            let at = Conditions { unit: meter.unit, latency, deviation };
            let starts_anew = limit.throttled(throttle, amount, at);
            // Only after an accepted one: where several are throttled in a row, it was not too
            // early by a little.
            if !starts_anew && !was_dark {
                let refund = seconds(limit.refund(amount));
                meter.paid_at = meter.paid_at.map(|paid_at| paid_at.saturating_sub(refund));
            }
            starts_anew
        } else {
            // All that is known is how fast requests went out: worth half an accepted request, and
            // no more. The documented limit on keys is likelier, unless more was accepted than it
            // allows in the second of an opening, with a bucket of a second.
            let sent_per_second = meter.window / latency.max(0.001);
            let rate = sent_per_second.min(DOCUMENTED[blamed]);
            let is_documented = blamed == KEYS
                && sent_per_second >= DOCUMENTED[KEYS]
                && throttle.mark.amount <= 2.0 * DOCUMENTED[KEYS];
            let belief = if is_documented {
                Belief { rate, weight: 4.0, trust: 2.0 }
            } else {
                Belief::of(rate, 0.5)
            };
            meter.limit = Some(Limit::believed(throttle, belief, amount));
            meter.measured_at = mean_size;
            meter.largest = mean_size;
            true
        };
        meter.largest = meter.largest.max(mean_size);
        meter.measured_at += (mean_size - meter.measured_at) * SHIFT_OF_THROTTLE;
        if starts_anew {
            // Never back: a slot that was handed out is not handed out again.
            meter.paid_at = meter.paid_at.max(Some(now));
        }
        if is_opening {
            for meter in &mut self.meters {
                meter.window = meter.unit;
            }
        }
        if let Some(limit) = &self.meters[blamed].limit {
            let step = Step {
                at: now,
                blamed,
                pace: limit.pace(),
                taken: throttle.mark.amount,
                accepted: throttle.accepted,
                throttled: as_f64(self.throttled),
            };
            if self.chance.explains_fall(step, seconds((4.0 * latency).max(0.25))) {
                self.open_again(now);
            }
        }
    }

    /// The service asked to wait.
    pub(super) fn hold(&mut self, now: Duration, delay: Duration) {
        self.held_until = self.held_until.max(now.saturating_add(delay.min(LONGEST_HOLD)));
    }

    /// For so long the service took nothing at all: that was no limit, and what is known of one is
    /// stale.
    fn open_again(&mut self, now: Duration) {
        self.round_end = Some(now);
        self.opened_at = self.accepted;
        for (meter, window) in self.meters.iter_mut().zip(FIRST_WINDOW) {
            meter.limit = None;
            meter.ceiling = Ceiling::default();
            meter.window = window;
            meter.paid_at = None;
        }
    }

    fn observe(&mut self, keys: usize) {
        let size = as_f64(keys as u64);
        self.mean_size = if self.mean_size == 0.0 {
            size
        } else {
            self.mean_size + (size - self.mean_size) / 64.0
        };
        for (meter, amount) in self.meters.iter_mut().zip(amounts(keys)) {
            meter.unit =
                if meter.unit == 0.0 { amount } else { meter.unit + (amount - meter.unit) / 8.0 };
        }
    }
}

fn amounts(keys: usize) -> [f64; 2] {
    [1.0, as_f64(keys as u64)]
}
