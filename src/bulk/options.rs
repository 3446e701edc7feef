use std::time::Duration;

use crate::InvalidValue;

/// How fast requests go out. The [crate page](crate#pacing) has a picture of the default.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Rate {
    /// Finds the service's limits and stays at them. If a part of the requests is throttled whatever
    /// the pace, it notices that once the pace has fallen to an eighth. If that is half of them or
    /// more, use a fixed rate.
    Adaptive(Adaptive),
    /// A fixed number of requests per second, 0.001 to 1,000,000. Throttled batches wait with a
    /// back-off, and the rate stays.
    Fixed(f64),
    /// As fast as responses come, limited only by the concurrency.
    Unlimited,
}

impl Default for Rate {
    fn default() -> Self {
        Self::Adaptive(Adaptive::new())
    }
}

impl From<Adaptive> for Rate {
    fn from(adaptive: Adaptive) -> Self {
        Self::Adaptive(adaptive)
    }
}

/// Bounds for an adaptive rate, which it never exceeds. None are set by default.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Adaptive {
    pub(super) max_requests_per_second: Option<f64>,
    pub(super) max_keys_per_second: Option<f64>,
}

impl Adaptive {
    /// Without bounds.
    #[must_use]
    pub const fn new() -> Self {
        Self { max_requests_per_second: None, max_keys_per_second: None }
    }

    /// At most this many requests per second, 0.001 to 1,000,000.
    #[must_use]
    pub const fn max_requests_per_second(mut self, requests: f64) -> Self {
        self.max_requests_per_second = Some(requests);
        self
    }

    /// At most this many keys per second, 0.001 to 1,000,000,000. A batch waits until all its keys
    /// are due.
    #[must_use]
    pub const fn max_keys_per_second(mut self, keys: f64) -> Self {
        self.max_keys_per_second = Some(keys);
        self
    }
}

/// The current pace, in both amounts that the service may limit. An amount is `None` if it has no
/// bound of its own.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Pace {
    /// Requests per second.
    pub requests_per_second: Option<f64>,
    /// Keys per second.
    pub keys_per_second: Option<f64>,
}

/// The options of a [`BulkDelete`](super::BulkDelete). The defaults suit any run.
///
/// ```
/// use std::time::Duration;
/// use oss_delete_vectors::bulk::{Adaptive, BulkDelete, BulkOptions};
/// # use oss_delete_vectors::{Credentials, Target};
/// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
/// #     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
///
/// // Leaves a part of the limit to others, and stops after an outage of an hour.
/// let options = BulkOptions::new()
///     .rate(Adaptive::new().max_keys_per_second(1000.0))
///     .outage_timeout(Duration::from_secs(3600));
/// BulkDelete::new(&target, credentials.clone(), options)?;
///
/// let options = BulkOptions::new().concurrency(0);
/// let error = BulkDelete::new(&target, credentials, options).unwrap_err();
/// assert_eq!(error.to_string(), r#"concurrency must be 1 to 10000, not "0""#);
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
/// ```
#[derive(Debug, Clone)]
pub struct BulkOptions {
    pub(crate) concurrency: usize,
    pub(crate) rate: Rate,
    pub(crate) max_attempts: u32,
    pub(crate) back_off: (Duration, Duration),
    pub(crate) response_timeout: Duration,
    pub(crate) outage_timeout: Option<Duration>,
    /// `None` if the credentials are not renewed.
    pub(crate) credentials_timeout: Option<Duration>,
    pub(crate) seed: Option<u64>,
}

const LEAST_BACK_OFF: Duration = Duration::from_millis(10);

impl BulkOptions {
    /// The defaults. Each method documents its own.
    #[must_use]
    pub fn new() -> Self {
        Self {
            concurrency: 16,
            rate: Rate::default(),
            max_attempts: 10,
            back_off: (Duration::from_millis(200), Duration::from_secs(20)),
            response_timeout: Duration::from_secs(75),
            outage_timeout: None,
            credentials_timeout: None,
            seed: None,
        }
    }

    /// The maximum number of requests in flight, 1 to 10,000; 16 if not set. A rate of `r` requests
    /// per second at a latency of `t` seconds needs `r` x `t`.
    #[must_use]
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// How fast requests go out; adaptive if not set.
    #[must_use]
    pub fn rate(mut self, rate: impl Into<Rate>) -> Self {
        self.rate = rate.into();
        self
    }

    /// The maximum number of failed attempts of a batch, at least 1; 10 if not set. Then its keys
    /// are settled as failed. Throttled attempts, attempts during an outage, and attempts that
    /// lacked only the right date or credentials do not count. Attempts during an outage do count
    /// once every remaining batch has failed and no more keys can come, if the response was from
    /// OSS itself or if half the attempts of the batch failed while others were deleted.
    #[doc(alias = "retry")]
    #[doc(alias = "retries")]
    #[must_use]
    pub fn max_attempts(mut self, max_attempts: u32) -> Self {
        self.max_attempts = max_attempts;
        self
    }

    /// Full-jitter exponential back-off between the attempts of one batch, and between the probes
    /// of an outage: a random part of a time that starts at `base`, doubles with each attempt and
    /// ends at `cap`; 0.2 s and 20 s if not set. `base` must be at least 10 ms, and `cap` at least
    /// `base`.
    #[must_use]
    pub fn back_off(mut self, base: Duration, cap: Duration) -> Self {
        self.back_off = (base, cap);
        self
    }

    /// The timeout of a response, above 0; 75 s if not set. Once the latency is known, the timeout
    /// is four times the longest usual one, at least 3 s and at most this: a delete can be sent
    /// again. At the end of a run, with nothing else to send, it is half of that and at least 0.5
    /// s. Make it longer than the timeout of the transport, whose error says more.
    /// [`Duration::MAX`] is no timeout.
    #[must_use]
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// Stops the run when an outage has lasted this long; never if not set. An outage is one of
    /// these:
    ///
    /// - eight batches fail without a deletion between them;
    /// - fewer than eight batches are left, and there are eight failures that are not from OSS;
    /// - for a minute, attempts fail or are throttled and nothing is deleted.
    ///
    /// Before the first deletion, a run stops after a minute or ten attempts in any case.
    #[must_use]
    pub fn outage_timeout(mut self, outage: Duration) -> Self {
        self.outage_timeout = Some(outage);
        self
    }

    /// Declares that the caller passes new credentials within `timeout` of
    /// [`Event::CredentialsNeeded`](super::Event::CredentialsNeeded). If not set, the run stops
    /// when the credentials have expired or are rejected.
    #[must_use]
    pub fn credentials_timeout(mut self, timeout: Duration) -> Self {
        self.credentials_timeout = Some(timeout);
        self
    }

    /// The seed of the jitter. If not set, 0, and the time of day in a
    /// [`Run`](crate::transports::Run). The same seed and the same inputs give the same run.
    /// Clients that share a limit should have different seeds.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the seed if none is set. For a loop that has a random number or the time of day. The
    /// core has neither.
    #[must_use]
    pub fn default_seed(mut self, seed: u64) -> Self {
        self.seed.get_or_insert(seed);
        self
    }

    /// Sets the outage timeout if none is set. For a caller that must not wait for ever.
    #[must_use]
    pub fn default_outage_timeout(mut self, outage: Duration) -> Self {
        self.outage_timeout.get_or_insert(outage);
        self
    }

    pub(crate) fn check(&self) -> Result<(), InvalidValue> {
        if !(1..=10_000).contains(&self.concurrency) {
            return Err(InvalidValue::new(
                "concurrency",
                "must be 1 to 10000",
                &self.concurrency.to_string(),
            ));
        }
        let (requests, keys) = match self.rate {
            Rate::Adaptive(adaptive) => {
                (adaptive.max_requests_per_second, adaptive.max_keys_per_second)
            }
            Rate::Fixed(qps) => (Some(qps), None),
            Rate::Unlimited => (None, None),
        };
        if let Some(requests) = requests.filter(|requests| !(0.001..=1e6).contains(requests)) {
            return Err(InvalidValue::new(
                "requests a second",
                "must be 0.001 to 1000000",
                &requests.to_string(),
            ));
        }
        if let Some(keys) = keys.filter(|keys| !(0.001..=1e9).contains(keys)) {
            return Err(InvalidValue::new(
                "keys a second",
                "must be 0.001 to 1000000000",
                &keys.to_string(),
            ));
        }
        if self.max_attempts == 0 {
            return Err(InvalidValue::new("max attempts", "must be at least 1", "0"));
        }
        let (base, cap) = self.back_off;
        if base < LEAST_BACK_OFF {
            return Err(InvalidValue::new(
                "back-off",
                "must be at least 10ms",
                &format!("{base:?}"),
            ));
        }
        if cap < base {
            return Err(InvalidValue::new(
                "cap of the back-off",
                "must be at least its base",
                &format!("{cap:?}"),
            ));
        }
        if self.response_timeout.is_zero() {
            return Err(InvalidValue::new("response timeout", "must be above 0", "0ns"));
        }
        Ok(())
    }
}

impl Default for BulkOptions {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_that_was_set_stays() {
        assert_eq!(BulkOptions::new().seed(7).default_seed(9).seed, Some(7));
        assert_eq!(BulkOptions::new().seed(0).default_seed(9).seed, Some(0));
        assert_eq!(BulkOptions::new().default_seed(9).seed, Some(9));
    }
}
