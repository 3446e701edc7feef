use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Pace, Positions};
use crate::retry::Overdue;
use crate::{AttemptError, InvalidValue, KeyBatch};

/// The outcome of keys that were not deleted. There will be no others: match all three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyOutcome {
    /// An attempt was rejected, and none may have deleted them: the vectors are unchanged. Fix what
    /// the error says, or leave the keys out.
    Rejected,
    /// An attempt may have deleted them, and no response confirmed it. Send them again: deleting
    /// twice does no harm, unless someone has put back a vector under the same key.
    Unconfirmed,
    /// Never sent, or surely not sent. Send them in another run.
    NotAttempted,
}

impl KeyOutcome {
    /// `rejected`, `unconfirmed` or `not_attempted`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Unconfirmed => "unconfirmed",
            Self::NotAttempted => "not_attempted",
        }
    }
}

/// Reads what [`as_str`](KeyOutcome::as_str) returns.
impl FromStr for KeyOutcome {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        [Self::Rejected, Self::Unconfirmed, Self::NotAttempted]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or_else(|| {
                InvalidValue::new("outcome", "must be rejected, unconfirmed or not_attempted", text)
            })
    }
}

impl fmt::Display for KeyOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Keys that were not deleted. The run does not keep them: take them from here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedKeys {
    /// The keys, each once.
    pub keys: KeyBatch,
    /// The positions of the keys and of their duplicates.
    pub positions: Positions,
    /// The outcome of all of them.
    pub outcome: KeyOutcome,
    /// The last error. `None` if there was none: the keys were never sent, or in flight for the
    /// first time when the run was aborted.
    pub error: Option<AttemptError>,
    /// How many requests contained them.
    pub requests: u32,
}

/// The progress of a run, as [`BulkDelete::poll_event`](super::BulkDelete::poll_event) reports it.
///
/// ```
/// # #[cfg(feature = "emulator")] {
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event, KeyOutcome};
/// use oss_delete_vectors::emulator::Emulator;
/// # use std::time::{Duration, UNIX_EPOCH};
/// # use oss_delete_vectors::{Credentials, Key, Now, Target};
/// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
/// #     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let now = Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_702_743_657));
///
/// // A service that rejects one of the keys.
/// let mut emulator = Emulator::with_vectors(&target, credentials.clone(), ["doc-1"])?;
/// emulator.reject_keys(["doc-777"]);
/// let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
/// for number in 0..1234 {
///     bulk.push(Key::new(&format!("doc-{number}"))?)?;
/// }
/// bulk.finish();
///
/// let mut not_deleted = Vec::new();
/// while !bulk.is_finished() {
///     while let Some(transmit) = bulk.poll_transmit(now) {
///         bulk.handle_response(now, transmit.id, &emulator.handle(now, &transmit.to_request()));
///     }
///     while let Some(event) = bulk.poll_event() {
///         match event {
///             Event::Deleted { keys, .. } => println!("{keys} gone"),
///             Event::Failed(failed) => {
///                 not_deleted.push((failed.outcome, failed.positions, failed.error));
///             }
///             _ => {}
///         }
///     }
/// }
/// let [(outcome, positions, Some(error))] = &not_deleted[..] else { panic!("{not_deleted:?}") };
/// assert_eq!((*outcome, bulk.report().deleted), (KeyOutcome::Rejected, 1233));
/// assert_eq!(*positions, 777..778);
/// assert_eq!(error.code(), Some("VectorIndexParameterInvalid"));
/// # }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A batch was deleted.
    #[non_exhaustive]
    Deleted {
        /// Unique keys of the batch.
        keys: usize,
        /// These keys.
        batch: KeyBatch,
        /// The positions of the keys and of their duplicates.
        positions: Positions,
        /// The request id of the response.
        request_id: Option<String>,
    },
    /// Keys were not deleted. [`BulkDelete::settled`](super::BulkDelete::settled) says whether a
    /// run that resumes this one skips them.
    Failed(FailedKeys),
    /// The service throttled a request. Its batch is sent again, and the pace falls if it adapts.
    #[non_exhaustive]
    Throttled {
        /// The pace from now on.
        pace: Pace,
        /// How long the service asked to wait, if it did.
        retry_after: Option<Duration>,
    },
    /// A batch will be sent again.
    #[non_exhaustive]
    Retrying {
        /// Unique keys of the batch.
        keys: usize,
        /// The error of the attempt.
        error: AttemptError,
    },
    /// A batch was rejected as a whole and is split in two, to find the bad keys.
    #[non_exhaustive]
    Split {
        /// Unique keys of the batch.
        keys: usize,
        /// The error of the service.
        error: AttemptError,
    },
    /// The service's clock differs from ours. Requests are dated by the service's from now on.
    ClockCorrected,
    /// The credentials have expired, will soon, or were rejected: pass new ones to
    /// [`handle_credentials`](super::BulkDelete::handle_credentials). Repeated every 10 seconds.
    CredentialsNeeded,
    /// There is no progress any more. Eight batches failed without a deletion between them, or
    /// there were eight failures that are not from OSS if fewer batches are left: requests go out
    /// one at a time with growing pauses, and attempts do not count. A minute in which attempts
    /// fail or are throttled and nothing is deleted is reported too. Before the first deletion, a
    /// run usually stops instead; this comes only if the service asked to wait or a request hangs.
    #[non_exhaustive]
    OutageBegan {
        /// The last error.
        error: AttemptError,
        /// The time since the first failure.
        lasted: Duration,
    },
    /// A batch was deleted again, or rejected for its keys.
    #[non_exhaustive]
    OutageEnded {
        /// The time since the first failure.
        lasted: Duration,
    },
    /// The run sends nothing more, and waits for the requests in flight. Keys that fail from now on
    /// were interrupted, and a run that [resumes](super::BulkDelete::resume) this one sends them
    /// again.
    Stopped(StopReason),
}

/// Why a run stopped before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// [`BulkDelete::stop`](super::BulkDelete::stop) or `abort` was called.
    Requested,
    /// The service rejects every such request, or something other than OSS responds.
    Rejected(AttemptError),
    /// The service cannot be reached: the first three attempts did not connect.
    Unreachable(AttemptError),
    /// Nothing was deleted in the first minute or the first ten attempts. Time that `Retry-After`
    /// asked for does not count, up to an hour. A request that hangs until its own timeout can take
    /// longer.
    NoSuccess(AttemptError),
    /// So many keys are rejected that the keys cannot be the reason. Either eight single keys were
    /// rejected before anything was deleted: check the index name. Or eight batches were rejected
    /// without a deletion between them, some of them as probes from elsewhere in the input.
    KeysRejected(AttemptError),
    /// Requests are rejected for their date, even with the service's own, or its responses have
    /// none.
    Clock(AttemptError),
    /// The credentials were rejected, and so were all that replaced them, if any can.
    Credentials(AttemptError),
    /// New credentials were needed and did not come in time.
    CredentialsMissing,
    /// An outage lasted longer than
    /// [`BulkOptions::outage_timeout`](super::BulkOptions::outage_timeout).
    Outage(AttemptError),
    /// A listing with a filter, and the endpoint does not apply filters: it returned a vector for
    /// one that no vector matches. Nothing was listed.
    FilterIgnored,
}

impl From<Overdue> for StopReason {
    fn from(overdue: Overdue) -> Self {
        match overdue {
            Overdue::Rejected(error) => Self::Credentials(error),
            Overdue::Missing => Self::CredentialsMissing,
        }
    }
}

impl StopReason {
    /// The error of the attempt that stopped the run, if one did. The text of the reason ends with
    /// it.
    #[must_use]
    pub fn attempt_error(&self) -> Option<&AttemptError> {
        match self {
            Self::Rejected(error)
            | Self::Unreachable(error)
            | Self::NoSuccess(error)
            | Self::KeysRejected(error)
            | Self::Clock(error)
            | Self::Credentials(error)
            | Self::Outage(error) => Some(error),
            Self::Requested | Self::CredentialsMissing | Self::FilterIgnored => None,
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("stopped on request"),
            Self::Rejected(error) => write!(f, "rejected: {error}"),
            Self::Unreachable(error) => write!(f, "the service is out of reach: {error}"),
            Self::NoSuccess(error) => {
                write!(f, "nothing was deleted in a minute or ten attempts: {error}")
            }
            Self::KeysRejected(error) => {
                write!(f, "too many keys are rejected, so it is not the keys: {error}")
            }
            Self::Clock(error) => {
                write!(f, "rejected for the date, and no response helps: {error}")
            }
            Self::Credentials(error) => write!(f, "the credentials are rejected: {error}"),
            Self::CredentialsMissing => f.write_str("new credentials did not come in time"),
            Self::Outage(error) => write!(f, "the outage lasted too long: {error}"),
            Self::FilterIgnored => f.write_str(
                "the endpoint ignores filters: it returned a vector for a filter that none matches",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_round_trip_through_text() {
        for outcome in [KeyOutcome::Rejected, KeyOutcome::Unconfirmed, KeyOutcome::NotAttempted] {
            assert_eq!(outcome.to_string().parse(), Ok(outcome));
        }
        let error = "deleted".parse::<KeyOutcome>().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"outcome must be rejected, unconfirmed or not_attempted, not "deleted""#
        );
    }
}
