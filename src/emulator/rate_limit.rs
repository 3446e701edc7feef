use std::time::Duration;

use crate::Invalid;

/// A limit on requests: a token bucket that starts full.
#[derive(Debug, Clone)]
pub struct RateLimit {
    per_second: f64,
    depth: f64,
    tokens: f64,
    filled_at: Option<Duration>,
}

impl RateLimit {
    /// Allows `per_second` requests per second, and bursts of up to `depth` requests after a pause.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if `per_second` is negative or not finite, or if `depth` is 0.
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

    /// Whether a request at this monotonic time is within the limit.
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
    fn bucket_allows_its_depth_and_then_its_rate() {
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
    fn invalid_limits_are_rejected() {
        for (per_second, depth) in [(-1.0, 1), (f64::NAN, 1), (f64::INFINITY, 1), (1.0, 0)] {
            assert!(RateLimit::new(per_second, depth).is_err(), "{per_second} {depth}");
        }
    }
}
