//! Which of the two limits a throttled response speaks of.

use std::time::Duration;

use super::evidence::{Belief, Mark, Throttle};
use super::limit::{Limit, as_f64};
use super::{Amounts, DOCUMENTED, KEYS, Pacer, REQUESTS, Ticket, amounts};

/// By how much the size of batches must have shifted to blame the other amount.
const SHIFTED: f64 = 2.0;
/// How many times as large batches test a limit on keys.
const MUCH_LARGER: f64 = 8.0;
/// Evidence that the other amount is limited, in powers of `e` of the size of throttled batches.
const SUSPICION: f64 = 3.0;
/// By how much the size must have moved for both limits to be kept.
const MOVED: f64 = 1.55;

impl Pacer {
    /// A throttled request, as evidence of each limit.
    pub(super) fn throttles(
        &self,
        at: Duration,
        sent_at: Duration,
        ticket: Ticket,
    ) -> [Throttle; 2] {
        let (order, taken) = (ticket.total[REQUESTS], self.taken(ticket));
        [REQUESTS, KEYS].map(|amount| Throttle {
            at,
            mark: Mark { sent_at, order, amount: taken[amount] },
            accepted: taken[REQUESTS],
            throttled: self.throttled,
            other: taken[1 - amount],
        })
    }

    /// What the service took of all that was sent up to this request. What is not known yet counts
    /// as taken: most requests are.
    pub(super) fn taken(&self, ticket: Ticket) -> Amounts {
        let later =
            |(other, _): &&(Ticket, Amounts)| other.total[REQUESTS] > ticket.total[REQUESTS];
        let mut taken: Amounts =
            std::array::from_fn(|amount| ticket.total[amount] - self.nothing[amount]);
        for (_, amounts) in self.recent.iter().filter(later) {
            taken[REQUESTS] += amounts[REQUESTS];
            taken[KEYS] += amounts[KEYS];
        }
        taken
    }

    /// The amount whose limit a throttled response is evidence of.
    ///
    /// A limit was measured at batches of some size, and explains why such batches are throttled.
    /// If batches are much smaller now, more requests than ever are sent for the same keys: that
    /// points to requests. If they are much larger, it points to keys. To find a second limit, the
    /// throttled batch itself must be so small or large: after a change of sizes, the mean follows
    /// late. A wrong guess costs little: both limits hold at the size they were measured at, and
    /// the wrong one grows later.
    pub(super) fn blame(&mut self, throttles: [Throttle; 2], keys: usize) -> usize {
        let size = self.meters[KEYS].unit;
        let own = as_f64(keys as u64);
        let known = |amount: usize| {
            self.meters[amount].limit.as_ref().map(|limit| (self.meters[amount].measured_at, limit))
        };
        match (known(REQUESTS), known(KEYS)) {
            (None, None) if size > DOCUMENTED[KEYS] / DOCUMENTED[REQUESTS] => KEYS,
            (None, None) => REQUESTS,
            (Some(requests), Some(keys)) => nearer(size, requests, keys),
            (Some((small, _)), None) if size.min(own) > SHIFTED * small => KEYS,
            (None, Some((large, _))) if size.max(own) * SHIFTED < large => REQUESTS,
            (Some(_), None) => self.suspect(REQUESTS, throttles, keys),
            (None, Some(_)) => self.suspect(KEYS, throttles, keys),
        }
    }

    /// A limit on keys that only ever throttled small batches may be one on requests. It lets in
    /// few large ones, so that it would take long to find out: it is tested at once.
    pub(super) fn test_larger_sizes(&mut self) {
        let [requests, keys] = &mut self.meters;
        if let (None, Some(limit)) = (&requests.limit, &mut keys.limit)
            && keys.unit > MUCH_LARGER * keys.largest
        {
            keys.largest = keys.unit;
            limit.grow_at_once();
        }
    }

    /// Tests the only known limit by the sizes of throttled batches. Returns the amount to blame.
    ///
    /// A limit on keys throttles a batch of size `s` if the level is below `s`: large batches more
    /// often, so that the mean size of throttled ones goes up to `E[s * s] / E[s]`, above the mean
    /// of all. A limit on requests throttles what comes too soon: if the pace is in keys, a small
    /// batch, because it waited least; if it is in requests, any batch. So the sum of `ln(s /
    /// mean)` over throttled batches rises under a limit on keys, and falls under one on requests
    /// that is paced by keys. This is a CUSUM test: the sum starts again at 0, and far from 0 it is
    /// evidence. Batches of equal size give no evidence, and need none.
    ///
    /// If the mean has moved away from the size at which the limit was measured, batches of another
    /// size are sent than were then. That limit explains the throttles of then, and another one
    /// those of now: it is kept. In a mix of 1 to 500 keys, the smoothed size has a standard
    /// deviation of 15 % of the mean, so that chance rarely moves it by [`MOVED`].
    fn suspect(&mut self, known: usize, throttles: [Throttle; 2], keys: usize) -> usize {
        let ratio = (as_f64(keys as u64) / self.mean_size).ln().clamp(-1.0, 1.0);
        // Paced by requests, the sum stays or rises. Half of the rise under a limit on keys is
        // subtracted, so that chance does not add up.
        let evidence = if known == KEYS { -ratio } else { ratio - 0.2 };
        self.suspicion = (self.suspicion + evidence).max(0.0);
        if self.suspicion < SUSPICION {
            return known;
        }
        self.suspicion = 0.0;
        let (size, measured_at) = (self.meters[KEYS].unit, self.meters[known].measured_at);
        let has_moved =
            if known == KEYS { MOVED * size < measured_at } else { MOVED * measured_at < size };
        if has_moved {
            return 1 - known;
        }
        let limit = self.meters[known].limit.take().expect("it is the known one");
        let other = 1 - known;
        if let Some(rate) = limit.other_rate(throttles[known]) {
            let (mean, size) = (self.meters[KEYS].unit, amounts(keys)[other]);
            let meter = &mut self.meters[other];
            meter.limit = Some(Limit::believed(throttles[other], Belief::of(rate, 4.0), size));
            meter.measured_at = mean;
        }
        other
    }
}

/// Of two limits, each with the size it was measured at, the one that was measured at the size
/// nearer to `size`.
///
/// Where the size is far from both and between them, as just after a change of sizes, it says
/// little. There the limit counts that lets in fewer batches of this size.
fn nearer(size: f64, (small, requests): (f64, &Limit), (large, keys): (f64, &Limit)) -> usize {
    let (nearer, measured_at) =
        if size * size > small * large { (KEYS, large) } else { (REQUESTS, small) };
    let is_between = small.min(large) < size && size < small.max(large);
    let is_near = size < SHIFTED * measured_at && measured_at < SHIFTED * size;
    if !is_between || is_near {
        nearer
    } else if keys.pace() < size * requests.pace() {
        KEYS
    } else {
        REQUESTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttles_are_blamed_on_the_limit_of_batches_like_these() {
        let limit = |rate| {
            let mark = Mark { sent_at: Duration::ZERO, order: 1.0, amount: 0.0 };
            let throttle =
                Throttle { at: Duration::ZERO, mark, accepted: 0.0, throttled: 1, other: 0.0 };
            Limit::believed(throttle, Belief::of(rate, 1e9), 1.0)
        };
        // Sizes at which requests and keys were measured, their rates, and the size now.
        for (small, large, requests, keys, size, blamed) in [
            // Nearer to one, or beyond both: the nearer one, whatever binds.
            (5.0, 500.0, 1000.0, 1e9, 400.0, KEYS),
            (5.0, 500.0, 1e9, 10.0, 8.0, REQUESTS),
            (100.0, 200.0, 1e9, 10.0, 5.0, REQUESTS),
            (100.0, 200.0, 1000.0, 1e9, 500.0, KEYS),
            // Far from both: the one that lets in fewer.
            (5.0, 500.0, 500.0, 260_000.0, 100.0, REQUESTS),
            (5.0, 500.0, 5000.0, 260_000.0, 100.0, KEYS),
            (5.0, 500.0, 500.0, 5_000.0, 30.0, KEYS),
        ] {
            let (requests, keys) = (limit(requests), limit(keys));
            let case = format!("{size} between {small} and {large}");
            assert_eq!(nearer(size, (small, &requests), (large, &keys)), blamed, "{case}");
        }
    }
}
