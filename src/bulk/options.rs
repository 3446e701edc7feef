use std::time::Duration;

use crate::InvalidValue;

/// How fast requests go out. [On the crate page](crate#pacing) is a picture of the default.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Rate {
    /// Finds the service's limits and stays there.
    Adaptive(Adaptive),
    /// So many requests a second.
    Fixed(f64),
    /// As fast as answers come, bounded by the concurrency alone.
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

/// Bounds for an adaptive rate: never exceeded, whatever the service accepts. None is set by default.
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

    /// Requests per second at most, 0.001 to 1,000,000.
    #[must_use]
    pub const fn max_requests_per_second(mut self, requests: f64) -> Self {
        self.max_requests_per_second = Some(requests);
        self
    }

    /// Keys per second at most, 0.001 to 1,000,000,000. A batch waits until all of its keys are due.
    #[must_use]
    pub const fn max_keys_per_second(mut self, keys: f64) -> Self {
        self.max_keys_per_second = Some(keys);
        self
    }
}

/// How fast requests go out at present, in both amounts that the service may limit. `None` where nothing bounds an amount but the
/// other one, and the concurrency.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Pace {
    /// Requests per second.
    pub requests_per_second: Option<f64>,
    /// Keys per second.
    pub keys_per_second: Option<f64>,
}

/// How a [`BulkDelete`](super::BulkDelete) goes about it; the defaults suit any run.
///
/// ```
/// use std::time::Duration;
/// use oss_delete_vectors::bulk::{Adaptive, BulkDelete, BulkOptions};
/// # use oss_delete_vectors::{Credentials, Target};
/// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1").build()?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
///
/// // Leaves some of the limit to others, and an hour to an outage.
/// let options = BulkOptions::new().rate(Adaptive::new().max_keys_per_second(1000.0)).outage_timeout(Duration::from_secs(3600));
/// BulkDelete::new(&target, credentials.clone(), options)?;
///
/// let refused = BulkDelete::new(&target, credentials, BulkOptions::new().concurrency(0)).unwrap_err();
/// assert_eq!(refused.to_string(), r#"concurrency must be 1 to 10000, not "0""#);
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
/// ```
#[derive(Debug, Clone)]
pub struct BulkOptions {
    pub(super) concurrency: usize,
    pub(super) rate: Rate,
    pub(super) max_attempts: u32,
    pub(super) back_off: (Duration, Duration),
    pub(super) response_timeout: Duration,
    pub(super) outage_timeout: Option<Duration>,
    /// `None` if nobody renews them.
    pub(super) credentials_timeout: Option<Duration>,
    pub(super) seed: Option<u64>,
}

const LEAST_BACK_OFF: Duration = Duration::from_millis(10);

impl BulkOptions {
    /// The defaults, as told with each setting.
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

    /// Requests in flight at once, 1 to 10,000; 16 if not set. To reach a limit of `L` requests a second at a latency of `t`
    /// seconds takes `L` x `t` of them.
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

    /// How often a batch is sent before its keys are given up, at least once; 10 if not set. Throttled attempts, those during an
    /// outage and those that only lacked the right date or credentials do not count. While nothing is deleted, two kinds count all
    /// the same, once every batch that is left has failed and no keys can come any more: those that OSS itself answered, and those of
    /// a batch that failed half its attempts while others were deleted.
    #[doc(alias = "retry")]
    #[doc(alias = "retries")]
    #[must_use]
    pub fn max_attempts(mut self, max_attempts: u32) -> Self {
        self.max_attempts = max_attempts;
        self
    }

    /// Full-jitter exponential back-off between the attempts of one batch, and between probes in an outage: a random time up to
    /// `base`, doubled with every attempt and at most `cap`; 0.2 s and 20 s if not set. `base` is at least 10 ms, and `cap` at
    /// least `base`: a back-off of nothing would make a storm of every outage.
    #[must_use]
    pub fn back_off(mut self, base: Duration, cap: Duration) -> Self {
        self.back_off = (base, cap);
        self
    }

    /// After how long an answer is given up that neither comes nor fails, at the latest; 75 s if not set. Once the latency is
    /// known, it is given up after four times the longest usual one, and at least 3 s: to send a delete again is safe. Make it longer than the
    /// transport's own timeout, which knows better what happened. Above 0; [`Duration::MAX`] is never.
    #[must_use]
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// Stops the run when an outage lasts so long; never if not set. An outage is eight batches or more that fail with no deletion
    /// between, eight failures that are not from OSS if fewer are left, or a minute in which attempts fail or are throttled and
    /// nothing is deleted. Without this a run outlives an outage of any length. Before the first deletion a run always stops after a minute or ten attempts.
    #[must_use]
    pub fn outage_timeout(mut self, outage: Duration) -> Self {
        self.outage_timeout = Some(outage);
        self
    }

    /// Says that new credentials are handed in within `timeout` of
    /// [`Event::CredentialsNeeded`](super::Event::CredentialsNeeded). If not set, credentials that
    /// have expired, or that the service rejects, stop the run.
    #[must_use]
    pub fn credentials_timeout(mut self, timeout: Duration) -> Self {
        self.credentials_timeout = Some(timeout);
        self
    }

    /// The seed of the jitter; 0 if not set, the time of day in a transport's `delete`. The same
    /// seed and the same inputs give the same run. Clients that share a limit or an outage should
    /// have different seeds.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the seed if none is set. For a caller that has a random number or the time, which this
    /// crate's core has not.
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

    pub(super) fn check(&self) -> Result<(), InvalidValue> {
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
            return Err(InvalidValue::new("answer timeout", "must be above 0", "0ns"));
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
