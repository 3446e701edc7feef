use std::time::Duration;

use crate::bulk::Pace;

/// What a client does at present, and what it did so far.
///
/// Counters never go down: a monitoring system takes their differences.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// Calls so far.
    pub calls: u64,
    /// Calls that ended with an error.
    pub failed_calls: u64,
    /// Keys that were handed to requests so far, duplicates in one request included.
    pub keys: u64,
    /// Keys that the service confirmed.
    pub deleted: u64,
    /// Requests so far.
    pub requests: u64,
    /// Requests that were throttled.
    pub throttled: u64,
    /// Batches that were to be sent again because an attempt failed.
    pub retries: u64,
    /// Requests that have no response yet.
    pub in_flight: usize,
    /// Calls that have no result yet.
    pub waiting_calls: usize,
    /// Keys of these calls that have no outcome yet.
    pub waiting_keys: usize,
    /// How long the oldest of these calls has waited. `None` if there is none.
    pub oldest_call: Option<Duration>,
    /// How fast requests go out, in requests and in keys per second.
    pub pace: Pace,
}
