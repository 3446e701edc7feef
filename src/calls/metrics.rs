use std::time::Duration;

use crate::bulk::Pace;

/// The current state of a client, and its counters.
///
/// Counters never go down: a monitoring system takes their differences.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// The number of calls.
    pub calls: u64,
    /// The number of calls that ended with an error.
    pub failed_calls: u64,
    /// The number of keys added to batches, including duplicates in a batch.
    pub keys: u64,
    /// The number of keys that the service confirmed.
    pub deleted: u64,
    /// The number of requests.
    pub requests: u64,
    /// The number of throttled requests.
    pub throttled: u64,
    /// The number of batches that were sent again after a failed attempt.
    pub retries: u64,
    /// The number of requests without a response.
    pub in_flight: usize,
    /// The number of calls without a result.
    pub waiting_calls: usize,
    /// The number of keys of these calls without an outcome.
    pub waiting_keys: usize,
    /// How long the oldest of these calls has waited. `None` if no call waits.
    pub oldest_call: Option<Duration>,
    /// The current rate, in requests and in keys per second.
    pub pace: Pace,
}
