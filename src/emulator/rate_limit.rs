use std::collections::VecDeque;
use std::time::Duration;

use crate::InvalidValue;

/// Limits on requests per second, on keys per second and on keys in flight. A request over one of
/// them is throttled.
///
/// The first two are token buckets, initially full. Each fills at its rate up to its depth. A
/// request takes one token from the first and one per key from the second, or none from either. A
/// request with more keys than the depth of its bucket is always throttled.
#[derive(Debug, Clone)]
pub struct RateLimit {
    requests: Bucket,
    keys: Option<Bucket>,
    in_flight: Option<InFlight>,
}

#[derive(Debug, Clone)]
struct Bucket {
    per_second: f64,
    depth: f64,
    tokens: f64,
    filled_at: Option<Duration>,
}

#[derive(Debug, Clone)]
struct InFlight {
    most: usize,
    time: Duration,
    /// The end of each request, and its keys.
    requests: VecDeque<(Duration, usize)>,
}

impl RateLimit {
    /// Allows `per_second` requests per second, and bursts of up to `depth` requests after a pause.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if `per_second` is negative or not finite, or if `depth` is 0.
    pub fn new(per_second: f64, depth: u32) -> Result<Self, InvalidValue> {
        Ok(Self {
            requests: Bucket::new(per_second, depth, "requests")?,
            keys: None,
            in_flight: None,
        })
    }

    /// Also limits keys: `per_second`, and up to `depth` at once after a pause.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_keys(mut self, per_second: f64, depth: u32) -> Result<Self, InvalidValue> {
        self.keys = Some(Bucket::new(per_second, depth, "keys")?);
        Ok(self)
    }

    /// Limits the keys of concurrent requests to `most`. A request counts for `time` after it was
    /// accepted; the emulator still responds at once.
    #[must_use]
    pub fn with_keys_in_flight(mut self, most: usize, time: Duration) -> Self {
        self.in_flight = Some(InFlight { most, time, requests: VecDeque::new() });
        self
    }

    /// Whether a request with this many keys is accepted at this monotonic time.
    pub(super) fn admits(&mut self, monotonic: Duration, keys: usize) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a request has at most 500 keys")]
        let amount = keys as f64;
        let has_request = self.requests.has(monotonic, 1.0);
        let has_keys = self.keys.as_mut().is_none_or(|bucket| bucket.has(monotonic, amount));
        let has_room =
            self.in_flight.as_mut().is_none_or(|in_flight| in_flight.has_room(monotonic, keys));
        let is_admitted = has_request && has_keys && has_room;
        if is_admitted {
            self.requests.tokens -= 1.0;
            if let Some(bucket) = &mut self.keys {
                bucket.tokens -= amount;
            }
            if let Some(in_flight) = &mut self.in_flight {
                in_flight.requests.push_back((monotonic.saturating_add(in_flight.time), keys));
            }
        }
        is_admitted
    }
}

impl Bucket {
    fn new(per_second: f64, depth: u32, what: &str) -> Result<Self, InvalidValue> {
        if !per_second.is_finite() || per_second < 0.0 {
            let rule = if what == "keys" {
                "must be 0 or more keys a second"
            } else {
                "must be 0 or more requests a second"
            };
            return Err(InvalidValue::new("rate limit", rule, &per_second.to_string()));
        }
        if depth == 0 {
            return Err(InvalidValue::new("rate limit depth", "must be at least 1", "0"));
        }
        let depth = f64::from(depth);
        Ok(Self { per_second, depth, tokens: depth, filled_at: None })
    }

    fn has(&mut self, monotonic: Duration, amount: f64) -> bool {
        let passed = monotonic.saturating_sub(self.filled_at.unwrap_or(monotonic));
        self.filled_at = Some(monotonic.max(self.filled_at.unwrap_or_default()));
        self.tokens = (self.tokens + passed.as_secs_f64() * self.per_second).min(self.depth);
        self.tokens >= amount
    }
}

impl InFlight {
    fn has_room(&mut self, monotonic: Duration, keys: usize) -> bool {
        while self.requests.front().is_some_and(|&(end, _)| end <= monotonic) {
            self.requests.pop_front();
        }
        self.requests.iter().map(|&(_, keys)| keys).sum::<usize>() + keys <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn bucket_allows_its_depth_and_then_its_rate() {
        let mut limit = RateLimit::new(10.0, 5).unwrap();
        let admitted = |limit: &mut RateLimit, from: u64, to: u64| {
            (from..to).filter(|&time| limit.admits(millis(time), 1)).count()
        };
        assert_eq!(admitted(&mut limit, 0, 1), 1);
        assert_eq!(admitted(&mut limit, 0, 1), 1);
        assert_eq!(admitted(&mut limit, 0, 10), 3);
        assert_eq!(admitted(&mut limit, 10, 1011), 10);
        assert!(!limit.admits(Duration::ZERO, 1), "time never goes back");
    }

    #[test]
    fn throttled_requests_take_no_tokens() {
        let mut limit = RateLimit::new(10.0, 3).unwrap().with_keys(100.0, 500).unwrap();
        assert!(limit.admits(millis(0), 450));
        assert!(!limit.admits(millis(0), 51), "50 are left");
        assert!(limit.admits(millis(0), 50), "the throttled request took nothing");
        assert!(!limit.admits(millis(99), 10));
        assert!(limit.admits(millis(100), 10));
        assert!(!limit.admits(millis(9000), 501), "more than the bucket holds");
    }

    #[test]
    fn keys_in_flight_are_released_after_their_time() {
        let mut limit = RateLimit::new(1e6, 1000).unwrap().with_keys_in_flight(1000, millis(100));
        assert!(limit.admits(millis(0), 500) && limit.admits(millis(50), 500));
        assert!(!limit.admits(millis(99), 1));
        assert!(limit.admits(millis(100), 500));
        assert!(!limit.admits(millis(149), 1));
    }

    #[test]
    fn invalid_limits_are_rejected() {
        for (per_second, depth) in [(-1.0, 1), (f64::NAN, 1), (f64::INFINITY, 1), (1.0, 0)] {
            assert!(RateLimit::new(per_second, depth).is_err(), "{per_second} {depth}");
            assert!(
                RateLimit::new(1.0, 1).unwrap().with_keys(per_second, depth).is_err(),
                "{per_second} {depth}"
            );
        }
    }
}
