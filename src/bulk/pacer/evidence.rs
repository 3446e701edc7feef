use std::time::Duration;

/// What was believed before the first of the throttles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Belief {
    /// A second.
    pub(super) rate: f64,
    /// How many accepted requests it is worth.
    pub(super) weight: f64,
    /// And how many to the surplus: fewer if it is not known from this run.
    pub(super) trust: f64,
}

/// A place in the order of sending.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) sent_at: Duration,
    /// Requests sent until then.
    pub(super) order: f64,
    /// The amount of them that was accepted.
    pub(super) amount: f64,
}

/// What the noise depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditions {
    /// Smoothed amount of a request.
    pub(super) unit: f64,
    /// Mean latency, and its mean deviation, in seconds.
    pub(super) latency: f64,
    pub(super) deviation: f64,
}

/// A moment at which the service had nothing left, and what came of all requests until then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Throttle {
    pub(super) at: Duration,
    pub(super) mark: Mark,
    /// Requests accepted until then.
    pub(super) accepted: f64,
    /// Throttled requests.
    pub(super) throttled: u64,
    /// The other amount of accepted requests.
    pub(super) other: f64,
}

impl Belief {
    pub(super) fn of(rate: f64, weight: f64) -> Self {
        Self { rate, weight, trust: weight }
    }
}

pub(super) fn seconds_between(first: Mark, second: Mark) -> f64 {
    second.sent_at.saturating_sub(first.sent_at).as_secs_f64()
}
