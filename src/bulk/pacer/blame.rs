//! Which of the two limits a throttled response speaks of.

use super::evidence::{Belief, Throttle};
use super::limit::{Limit, as_f64};
use super::{DOCUMENTED, KEYS, Pacer, REQUESTS, amounts};

/// By how much the size of batches must have shifted to blame the other amount.
const SHIFTED: f64 = 2.0;
/// Evidence that the other amount is limited, in powers of `e` of the size of throttled batches.
const SUSPICION: f64 = 3.0;

impl Pacer {
    /// The amount whose limit a throttled response is evidence of.
    ///
    /// A limit was measured at batches of some size, and explains why such batches are throttled.
    /// If batches are much smaller now, more requests than ever are sent for the same keys: that
    /// points to requests. If they are much larger, it points to keys. A wrong guess costs little:
    /// both limits hold at the size they were measured at, and the wrong one grows later.
    pub(super) fn blame(&mut self, throttles: [Throttle; 2], keys: usize) -> usize {
        let size = self.meters[KEYS].unit;
        let known = |amount: usize| {
            self.meters[amount].limit.is_some().then_some(self.meters[amount].measured_at)
        };
        match (known(REQUESTS), known(KEYS)) {
            (None, None) if size > DOCUMENTED[KEYS] / DOCUMENTED[REQUESTS] => KEYS,
            (Some(small), Some(large)) if size * size > small * large => KEYS,
            (None, None) | (Some(_), Some(_)) => REQUESTS,
            (Some(small), None) if size > SHIFTED * small => KEYS,
            (None, Some(large)) if size * SHIFTED < large => REQUESTS,
            (Some(_), None) => self.suspect(REQUESTS, throttles, keys),
            (None, Some(_)) => self.suspect(KEYS, throttles, keys),
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
