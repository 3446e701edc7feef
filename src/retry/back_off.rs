use std::time::Duration;

use crate::random::Random;

/// Exponential back-off with full jitter, from a seeded generator.
#[derive(Debug)]
pub(crate) struct BackOff {
    base: Duration,
    cap: Duration,
    random: Random,
}

impl BackOff {
    pub(crate) fn new((base, cap): (Duration, Duration), seed: u64) -> Self {
        Self { base, cap, random: Random::new(seed) }
    }

    /// The delay after `failures` failures: a random part of a time that doubles with each failure.
    pub(crate) fn after(&mut self, failures: u32) -> Duration {
        let doubled = 2_u32
            .checked_pow(failures.saturating_sub(1))
            .and_then(|factor| self.base.checked_mul(factor));
        doubled.map_or(self.cap, |delay| delay.min(self.cap)).mul_f64(self.random.fraction())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_fill_a_range_that_doubles_up_to_the_cap() {
        let mut back_off = BackOff::new((Duration::from_millis(200), Duration::from_secs(20)), 7);
        for (failures, most) in [(1, 0.2), (2, 0.4), (5, 3.2), (7, 12.8), (8, 20.0), (100, 20.0)] {
            let delays: Vec<f64> =
                (0..2000).map(|_| back_off.after(failures).as_secs_f64()).collect();
            let longest = delays.iter().copied().fold(0.0, f64::max);
            let mean = delays.iter().sum::<f64>() / 2000.0;
            assert!(longest <= most && longest > 0.98 * most, "{failures}: {longest}");
            assert!((mean / most - 0.5).abs() < 0.05, "{failures}: {mean}");
        }
    }
}
