use std::time::Duration;

use crate::Invalid;

/// A limit on requests: a token bucket, full at the start.
#[derive(Debug, Clone)]
pub struct RateLimit {
    per_second: f64,
    depth: f64,
    tokens: f64,
    filled_at: Option<Duration>,
}

impl RateLimit {
    /// Lets `per_second` requests through a second, and as many as `depth` at once after a pause.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when `per_second` is negative or no finite number, or when `depth` is 0.
    pub fn new(per_second: f64, depth: u32) -> Result<Self, Invalid> {
        if !per_second.is_finite() || per_second < 0.0 {
            return Err(Invalid::new("rate limit", "must be 0 or more requests a second", &per_second.to_string()));
        }
        if depth == 0 {
            return Err(Invalid::new("rate limit depth", "must be at least 1", "0"));
        }
        let depth = f64::from(depth);
        Ok(Self { per_second, depth, tokens: depth, filled_at: None })
    }

    /// Whether a request at this monotonic time is let through.
    pub(super) fn admits(&mut self, monotonic: Duration) -> bool {
        let passed = monotonic.saturating_sub(self.filled_at.unwrap_or(monotonic));
        self.filled_at = Some(monotonic.max(self.filled_at.unwrap_or_default()));
        self.tokens = (self.tokens + passed.as_secs_f64() * self.per_second).min(self.depth);
        let is_admitted = self.tokens >= 1.0;
        if is_admitted {
            self.tokens -= 1.0;
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bucket_lets_its_depth_through_at_once_and_then_its_rate() {
        let mut limit = RateLimit::new(10.0, 5).unwrap();
        let admitted = |limit: &mut RateLimit, from: u64, to: u64| {
            (from..to).filter(|&millis| limit.admits(Duration::from_millis(millis))).count()
        };
        assert_eq!(admitted(&mut limit, 0, 1), 1);
        assert_eq!(admitted(&mut limit, 0, 1), 1);
        assert_eq!(admitted(&mut limit, 0, 10), 3);
        assert_eq!(admitted(&mut limit, 10, 1011), 10);
        assert!(!limit.admits(Duration::ZERO), "time never goes back");
    }

    #[test]
    fn limits_that_make_no_sense_are_refused() {
        for (per_second, depth) in [(-1.0, 1), (f64::NAN, 1), (f64::INFINITY, 1), (1.0, 0)] {
            assert!(RateLimit::new(per_second, depth).is_err(), "{per_second} {depth}");
        }
    }
}
