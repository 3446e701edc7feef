//! Reports a run to `tracing`: a span for each transmit, and each event. Does nothing without the
//! feature.
//!
//! Keys are reported as a number, credentials not at all. Errors have the text of the service.

use std::fmt;

#[cfg(not(feature = "tracing"))]
use self::off as imp;
#[cfg(feature = "tracing")]
use self::on as imp;

use crate::{AttemptError, Deleted};

pub(super) use self::imp::report;

/// The `tracing` span of one [`Transmit`](super::Transmit), from `poll_transmit` to its response or
/// failure. Its fields are the number of keys and, at the end, the status, the code and the request
/// id.
///
/// Without feature `tracing` it is empty.
#[derive(Clone)]
pub struct Span(imp::Span);

impl Span {
    pub(super) fn of_transmit(id: u64, keys: usize, attempt: u32) -> Self {
        Self(imp::Span::of_transmit(id, keys, attempt))
    }

    pub(super) fn conclude(&self, outcome: &Result<Deleted, AttemptError>) {
        self.0.conclude(outcome);
    }

    /// Calls `work` in the span, so that its log lines belong to the request. A future must be
    /// polled in the span each time:
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::pin::pin;
    /// use oss_delete_vectors::bulk::Span;
    ///
    /// async fn in_span<F: Future>(span: Span, future: F) -> F::Output {
    ///     let mut future = pin!(future);
    ///     poll_fn(|context| span.in_scope(|| future.as_mut().poll(context))).await
    /// }
    /// ```
    pub fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.in_scope(work)
    }
}

#[cfg(feature = "tracing")]
impl Span {
    /// What `cause` is the span of made this request necessary.
    pub(crate) fn follows_from(&self, cause: &tracing::Span) {
        self.0.follows_from(cause);
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span").finish_non_exhaustive()
    }
}

#[cfg(feature = "tracing")]
mod on {
    use tracing::field::Empty;
    use tracing::{debug, debug_span, info, trace, warn};

    use super::super::{Event, StopReason};
    use crate::{AttemptError, Deleted};

    const TARGET: &str = "oss_delete_vectors::bulk";

    #[derive(Clone)]
    pub(in super::super) struct Span(tracing::Span);

    impl Span {
        pub(in super::super) fn of_transmit(id: u64, keys: usize, attempt: u32) -> Self {
            let (status, code, request_id, error) = (Empty, Empty, Empty, Empty);
            Self(debug_span!(
                target: TARGET, "transmit", id, keys, attempt, status, code, request_id, error
            ))
        }

        pub(in super::super) fn conclude(&self, outcome: &Result<Deleted, AttemptError>) {
            match outcome {
                Ok(deleted) => {
                    self.0.record("request_id", deleted.request_id());
                }
                Err(AttemptError::Service(error)) => {
                    self.0.record("status", error.status().as_u16());
                    self.0.record("code", error.code());
                    self.0.record("request_id", error.request_id());
                }
                Err(AttemptError::Transport(error)) => {
                    self.0.record("error", error.to_string());
                }
            }
        }

        pub(in super::super) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
            self.0.in_scope(work)
        }

        pub(super) fn follows_from(&self, cause: &tracing::Span) {
            self.0.follows_from(cause);
        }
    }

    pub(in super::super) fn report(event: &Event) {
        match event {
            Event::Deleted { keys, request_id, .. } => {
                trace!(target: TARGET, keys, request_id, "deleted");
            }
            Event::Failed(failed) => {
                let (keys, outcome, requests) =
                    (failed.keys.len(), failed.outcome.as_str(), failed.requests);
                let error = failed.error.as_ref().map(tracing::field::display);
                warn!(target: TARGET, keys, outcome, requests, error, "not deleted");
            }
            Event::Throttled { pace, retry_after } => {
                let (requests_per_second, keys_per_second) =
                    (pace.requests_per_second, pace.keys_per_second);
                let retry_after = retry_after.map(|delay| delay.as_secs());
                debug!(
                    target: TARGET,
                    requests_per_second, keys_per_second, retry_after, "throttled"
                );
            }
            Event::Retrying { keys, error } => {
                info!(target: TARGET, keys, %error, "will be sent again");
            }
            Event::Split { keys, error } => {
                info!(target: TARGET, keys, %error, "rejected as a whole, and split");
            }
            Event::ClockCorrected => info!(target: TARGET, "clock corrected"),
            Event::CredentialsNeeded => info!(target: TARGET, "credentials needed"),
            Event::OutageBegan { error, .. } => warn!(target: TARGET, %error, "outage began"),
            Event::OutageEnded { lasted } => {
                info!(target: TARGET, lasted = lasted.as_secs(), "outage ended");
            }
            Event::Stopped(StopReason::Requested) => info!(target: TARGET, "stopped on request"),
            Event::Stopped(reason) => warn!(target: TARGET, %reason, "stopped"),
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use super::super::Event;
    use crate::{AttemptError, Deleted};

    #[derive(Clone)]
    pub(in super::super) struct Span;

    #[expect(clippy::unused_self, reason = "the same interface as with the feature")]
    impl Span {
        pub(in super::super) fn of_transmit(_id: u64, _keys: usize, _attempt: u32) -> Self {
            Self
        }

        pub(in super::super) fn conclude(&self, _outcome: &Result<Deleted, AttemptError>) {}

        pub(in super::super) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
            work()
        }
    }

    pub(in super::super) fn report(_event: &Event) {}
}
