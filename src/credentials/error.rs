//! The error of a source without credentials.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{error, fmt};

use http::StatusCode;

use crate::escape::escape;
use crate::signing::RequestDate;
use crate::{InvalidValue, TransportError};

/// Why a [`Source`](super::Source) returned no credentials. Contains no secret.
#[derive(Debug, Clone)]
pub struct SourceError {
    origin: Cow<'static, str>,
    kind: SourceErrorKind,
}

/// The kind of the error.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SourceErrorKind {
    /// There was no response. Check the network; try again later.
    Unreachable(TransportError),
    /// The service responded with an error. Its code and message say what to do.
    #[non_exhaustive]
    Rejected {
        /// The status of the response.
        status: StatusCode,
        /// The code, such as `NoPermission`, if there is one.
        code: Option<String>,
        /// The message, without secrets, cut after 300 characters. May be empty.
        message: String,
        /// The id of the request, for the support of the service.
        request_id: Option<String>,
    },
    /// The response is not from this service, but a page or a redirect. Check the address.
    #[non_exhaustive]
    Unexpected {
        /// The status of the response.
        status: StatusCode,
        /// What is wrong with it.
        reason: Cow<'static, str>,
    },
    /// A member of the response is missing or breaks its rule.
    Invalid(InvalidValue),
    /// The credentials had already expired on arrival.
    Expired(SystemTime),
    /// The file with the token cannot be used.
    #[non_exhaustive]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The error.
        reason: String,
    },
    /// [`Source::handle`](super::Source::handle) was called with an unexpected reply.
    NotAsked,
}

impl SourceError {
    pub(super) fn new(origin: impl Into<Cow<'static, str>>, kind: SourceErrorKind) -> Self {
        Self { origin: origin.into(), kind }
    }

    pub(super) fn file(
        origin: impl Into<Cow<'static, str>>,
        path: &Path,
        reason: impl fmt::Display,
    ) -> Self {
        let (path, reason) = (path.to_owned(), reason.to_string());
        Self::new(origin, SourceErrorKind::File { path, reason })
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> &SourceErrorKind {
        &self.kind
    }
}

/// One line. Characters that could garble a terminal are escaped.
impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no credentials from {}: ", escape(&self.origin))?;
        match &self.kind {
            SourceErrorKind::Unreachable(error) => error.fmt(f),
            SourceErrorKind::Rejected { status, code, message, request_id } => {
                write!(f, "{}", status.as_u16())?;
                for text in code.as_deref().into_iter().chain([message.as_str()]) {
                    let gap = if text.is_empty() { "" } else { " " };
                    write!(f, "{gap}{}", escape(text))?;
                }
                match request_id {
                    Some(id) => write!(f, " (request id {})", escape(id)),
                    None => Ok(()),
                }
            }
            SourceErrorKind::Unexpected { status, reason } => {
                write!(f, "{}, {}", status.as_u16(), escape(reason))
            }
            SourceErrorKind::Invalid(invalid) => invalid.fmt(f),
            SourceErrorKind::Expired(time) => {
                let time = RequestDate::new(*time);
                write!(f, "they expired at {}", time.iso8601())
            }
            SourceErrorKind::File { path, reason } => {
                write!(f, "{path:?}: {}", escape(reason))
            }
            SourceErrorKind::NotAsked => f.write_str("an unexpected reply"),
        }
    }
}

/// The text contains everything.
impl error::Error for SourceError {}
