use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Pace, Positions};
use crate::{AttemptError, InvalidValue, KeyBatch};

/// What became of keys that were not deleted. That there are these three and no others is a promise: match them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyOutcome {
    /// Some attempt was rejected, and none may have deleted: the keys are as they were. Fix what the error says, or leave them out.
    Rejected,
    /// Some attempt may have deleted them, and none confirmed it. Send them again: deleting twice does no harm, unless someone
    /// put a vector back under the same key in between.
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

/// Keys that left the run without being deleted. The run keeps none of them: who wants them takes them here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedKeys {
    /// The keys, each once.
    pub keys: KeyBatch,
    /// Where they were pushed, their duplicates included.
    pub positions: Positions,
    /// What is true of all of them.
    pub outcome: KeyOutcome,
    /// The last error; `None` where they met none: never sent, or in flight for the first time when the run was aborted.
    pub error: Option<AttemptError>,
    /// How many requests held them.
    pub requests: u32,
}

/// What a run tells as it goes.
///
/// ```
/// # #[cfg(feature = "emulator")] {
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event, KeyOutcome};
/// use oss_delete_vectors::emulator::Emulator;
/// # use std::time::{Duration, UNIX_EPOCH};
/// # use oss_delete_vectors::{Credentials, Key, Now, Target};
/// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1").build()?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let now = Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_702_743_657));
///
/// // A service that does not take one of the keys.
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
///         bulk.handle_response(now, transmit.id, &emulator.handle(now, &transmit.request));
///     }
///     while let Some(event) = bulk.poll_event() {
///         match event {
///             Event::Deleted { keys, .. } => println!("{keys} gone"),
///             Event::Failed(failed) => not_deleted.push((failed.outcome, failed.positions, failed.error)),
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
    /// So many keys are gone.
    #[non_exhaustive]
    Deleted {
        /// Unique keys of the batch.
        keys: usize,
        /// Where they were pushed, their duplicates included.
        positions: Positions,
        /// The service's id of the request.
        request_id: Option<String>,
    },
    /// Keys left the run without being deleted. [`BulkDelete::settled`](super::BulkDelete::settled) says whether a run that
    /// resumes this one skips them.
    Failed(FailedKeys),
    /// The service wants fewer requests. Nothing is lost, and nothing is to be done.
    #[non_exhaustive]
    Throttled {
        /// How fast requests go out from now on.
        pace: Pace,
        /// How long the service asked to wait.
        retry_after: Option<Duration>,
    },
    /// A batch will be sent again.
    #[non_exhaustive]
    Retrying {
        /// Unique keys of the batch.
        keys: usize,
        /// What went wrong.
        error: AttemptError,
    },
    /// A batch was rejected as a whole and is split in two, to find the bad keys.
    #[non_exhaustive]
    Split {
        /// Unique keys of the batch.
        keys: usize,
        /// What the service said.
        error: AttemptError,
    },
    /// The service's clock differs from this one; requests are dated by it from now on.
    ClockCorrected,
    /// Credentials have expired, are about to, or were refused: hand others to
    /// [`handle_credentials`](super::BulkDelete::handle_credentials). Asked again every 10 seconds.
    CredentialsNeeded,
    /// Nothing gets on any more. After eight batches that failed with no deletion between, or eight failures that are not from OSS if
    /// fewer are left, requests leave ever more rarely and attempts do not count. A minute in which attempts fail or are throttled and
    /// nothing is deleted is reported too. Before the first deletion this comes only where the service asked to wait or a request
    /// hangs: else the run stops before.
    #[non_exhaustive]
    OutageBegan {
        /// The error that began it.
        error: AttemptError,
        /// Time since its first failure.
        lasted: Duration,
    },
    /// Something was deleted again, or the service gave its verdict on keys.
    #[non_exhaustive]
    OutageEnded {
        /// Time since the first failure of the outage.
        lasted: Duration,
    },
    /// No request will be sent any more; what is in flight is awaited. Keys that fail from here on were cut short, and a run that
    /// [resumes](super::BulkDelete::resume) this one sends them again.
    Stopped(StopReason),
}

/// Why a run stopped before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// The caller wanted it.
    Requested,
    /// The service rejects every such request, or something that is not OSS responds in its place.
    Rejected(AttemptError),
    /// The service is out of reach, and was from the start: three connections in a row failed.
    Unreachable(AttemptError),
    /// Nothing was deleted within a minute, or in ten attempts, from the start. Time that `Retry-After` asked for does not count, up to
    /// an hour. One request that hangs until its own timeout can take longer.
    NoSuccess(AttemptError),
    /// It is not the keys. Before anything was deleted, eight single keys were rejected: look at the index name. Later, eight batches
    /// or more were rejected with no deletion between, some of them as probes from elsewhere in the input.
    KeysRejected(AttemptError),
    /// Requests are rejected for their date, even when it is the service's own, or the service does not give its own.
    Clock(AttemptError),
    /// Credentials were rejected, and there is nobody to ask for others, or none that came in time were accepted.
    Credentials(AttemptError),
    /// Credentials were asked for and did not come in time.
    CredentialsMissing,
    /// An outage lasted longer than [`BulkOptions::outage_timeout`](super::BulkOptions::outage_timeout) allows.
    Outage(AttemptError),
}

impl StopReason {
    /// The error of the attempt that the run stopped over, where it did over one. The text of the reason ends with it.
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
            Self::Requested | Self::CredentialsMissing => None,
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read_as_they_are_written() {
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
