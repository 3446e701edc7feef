use std::error::Error;
use std::{fmt, io};

use super::super::BoxError;
use crate::bulk::{Report, StopReason};
use crate::{InvalidValue, ListError};

/// A run stopped before every key of its source had an outcome.
///
/// All keys that were pushed have one: see [`report`](Self::report). Keys that `run_blocking` had
/// read ahead count as not attempted. Keys of the source from
/// [`BulkDelete::position`](crate::bulk::BulkDelete::position) on were not read, and are in no
/// event and no count. To have them, keep the source, as in `stream_iter(&keys)`.
///
/// ```
/// use http::StatusCode;
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, StopReason};
/// use oss_delete_vectors::transports::{Run, RunErrorKind};
/// use oss_delete_vectors::{ServiceError, TransportError, code};
/// # use oss_delete_vectors::{Credentials, Target};
/// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
/// #     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
///
/// let denied = ServiceError::new(StatusCode::FORBIDDEN, code::ACCESS_DENIED, "not allowed");
/// let send = move |_request| Ok::<_, TransportError>(denied.to_response());
/// let stopped = Run::new(&mut bulk).run_blocking(["doc-001", "doc-002"], send).unwrap_err();
/// match stopped.kind() {
///     RunErrorKind::Stopped(StopReason::Rejected(error)) => {
///         assert_eq!(error.code(), Some("AccessDenied"));
///     }
///     kind => panic!("{kind:?}"),
/// }
/// assert_eq!(stopped.report().rejected, 2);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RunError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: RunErrorKind,
    report: Report,
    credentials: Option<BoxError>,
}

/// Why a run stopped before its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunErrorKind {
    /// An option is out of its range. Nothing was read and nothing was sent.
    Options(InvalidValue),
    /// The source gave an invalid key. Fix it or leave it out. [`Settled`](crate::bulk::Settled)
    /// says which keys need not be read again.
    #[non_exhaustive]
    BadKey {
        /// Its position, counted from 0.
        position: u64,
        /// What is wrong with it.
        invalid: InvalidValue,
    },
    /// The source of a run that was [resumed](crate::bulk::BulkDelete::resume) has fewer keys than
    /// the first run had settled, so it is another source, and it is unknown which of its keys were
    /// deleted. Start again without the checkpoint.
    #[non_exhaustive]
    SourceTooShort {
        /// How many keys it has.
        position: u64,
        /// The end of the settled positions of the checkpoint.
        settled: u64,
    },
    /// No thread could be started to read the keys.
    Thread(io::Error),
    /// The `BulkDelete` stopped. The reason says what to do.
    Stopped(StopReason),
    /// The listing that the keys come from stopped before its end: more may match. Delete again
    /// once what the error says is fixed.
    Listing(ListError),
}

impl RunError {
    pub(in crate::transports) fn new(
        kind: RunErrorKind,
        report: Report,
        credentials: Option<BoxError>,
    ) -> Self {
        Self(Box::new(Inner { kind, report, credentials }))
    }

    /// Why the run stopped.
    #[must_use]
    pub fn kind(&self) -> &RunErrorKind {
        &self.0.kind
    }

    /// The outcomes of all keys that were pushed. None of them is pending.
    pub fn report(&self) -> Report {
        self.0.report
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, report, .. } = &*self.0;
        match kind {
            RunErrorKind::Options(invalid) => return write!(f, "option: {invalid}"),
            RunErrorKind::BadKey { position, invalid } => {
                write!(f, "at position {position}: {invalid}")?;
            }
            RunErrorKind::SourceTooShort { position, settled } => {
                write!(
                    f,
                    "the keys end at position {position}, but the checkpoint has positions up to \
                     {settled}: it is of other keys"
                )?;
            }
            RunErrorKind::Thread(error) => write!(f, "no thread to read keys from: {error}")?,
            RunErrorKind::Stopped(reason) => write!(f, "{reason}")?,
            RunErrorKind::Listing(error) => write!(f, "{error}")?,
        }
        let Report { deleted, rejected, unconfirmed, not_attempted, .. } = report;
        write!(f, " ({deleted} deleted, {rejected} rejected, ")?;
        write!(f, "{unconfirmed} unconfirmed, {not_attempted} not attempted)")
    }
}

/// The source is the error of the credentials provider, if the run stopped for lack of credentials.
/// Other errors are in the text.
impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.kind {
            RunErrorKind::Stopped(StopReason::Credentials(_) | StopReason::CredentialsMissing) => {
                self.0.credentials.as_deref().map(|error| error as _)
            }
            _ => None,
        }
    }
}
