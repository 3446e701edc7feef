use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use http::StatusCode;

use crate::{ServiceError, Target, TransportError};

/// Why a batch is not certainly deleted: the error of a call, or of an attempt in a run.
///
/// For what to do, see [`is_retryable`](Self::is_retryable),
/// [`is_throttling`](Self::is_throttling), [`may_have_deleted`](Self::may_have_deleted) and
/// [`advice`](Self::advice).
///
/// Cheap to clone. A run keeps texts of up to 1,000 characters.
///
/// ```
/// use http::StatusCode;
/// use oss_delete_vectors::{AttemptError, ServiceError, TransportError, code};
///
/// let status = StatusCode::FORBIDDEN;
/// let denied = ServiceError::new(status, code::ACCESS_DENIED, "no such permission");
/// let denied = AttemptError::from(denied);
/// assert_eq!(denied.code(), Some("AccessDenied"));
/// assert!(!denied.is_retryable() && !denied.may_have_deleted());
///
/// let reset: AttemptError = TransportError::may_have_arrived("connection reset").into();
/// assert_eq!(reset.code(), None);
/// assert!(reset.is_retryable() && reset.may_have_deleted());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptError {
    /// There was a response, and it is an error.
    Service(ServiceError),
    /// There was no response.
    Transport(TransportError),
}

impl AttemptError {
    /// The status of the response; `None` if there was none.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.service().map(ServiceError::status)
    }

    /// The code of the response; `None` if there was no response.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.service().map(ServiceError::code)
    }

    /// The message of the service, unchanged, or the reason why there was no response.
    #[must_use]
    pub fn message(&self) -> Cow<'_, str> {
        match self {
            Self::Service(error) => error.message().into(),
            Self::Transport(error) => error.to_string().into(),
        }
    }

    /// The request id of the service, for its support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.service()?.request_id()
    }

    /// The number of the error in the error reference of the service (EC), such as
    /// `0003-00000001`.
    #[must_use]
    pub fn ec(&self) -> Option<&str> {
        self.service()?.ec()
    }

    /// Whether the batch may succeed if it is sent again after a back-off. `true` if there was no
    /// response; see [`ServiceError::is_retryable`] for others. If `false`, fix the cause first.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.service().is_none_or(ServiceError::is_retryable)
    }

    /// Whether requests are sent too fast. Send the batch again, more slowly.
    #[must_use]
    pub fn is_throttling(&self) -> bool {
        self.service().is_some_and(ServiceError::is_throttling)
    }

    /// Whether some or all of the keys may be deleted despite the error. Send the batch again:
    /// deleting twice is harmless.
    #[must_use]
    pub fn may_have_deleted(&self) -> bool {
        match self {
            Self::Service(error) => error.may_have_deleted(),
            Self::Transport(error) => !error.is_surely_not_sent(),
        }
    }

    /// Advice on what to do, for a request to `target`. `None` if the message says everything.
    #[must_use]
    pub fn advice(&self, target: &Target) -> Option<Cow<'static, str>> {
        match self {
            Self::Service(error) => error.advice(target),
            Self::Transport(_) => Some("check the region, the endpoint and the network".into()),
        }
    }

    fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Service(error) => Some(error),
            Self::Transport(_) => None,
        }
    }

    /// A copy to keep: batches and events each hold one, and a response may contain a megabyte of
    /// text.
    pub(crate) fn shortened(self) -> Self {
        match self {
            Self::Service(error) => Self::Service(error.shortened(shorten)),
            Self::Transport(error) => Self::Transport(error.shortened(shorten)),
        }
    }
}

/// The beginning of `text`.
fn shorten(text: &str) -> Option<String> {
    const KEPT_CHARS: usize = 1000;
    text.char_indices().nth(KEPT_CHARS).map(|(end, _)| format!("{}…", &text[..end]))
}

/// One line. Characters that could garble a terminal are escaped.
impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(error) => error.fmt(f),
            Self::Transport(error) => error.fmt(f),
        }
    }
}

impl Error for AttemptError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Service(error) => error.source(),
            Self::Transport(error) => error.source(),
        }
    }
}

impl From<ServiceError> for AttemptError {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

impl From<TransportError> for AttemptError {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;

    #[test]
    fn shortened_error_leads_to_the_same_decisions() {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("i")
            .build()
            .unwrap();
        let long = "m".repeat(2000);
        for (status, code) in [
            (403, code::ACCESS_DENIED),
            (404, code::BAD_ERROR_RESPONSE),
            (404, "SomethingNew"),
            (503, code::QPS_LIMIT_EXCEEDED),
        ] {
            let error = ServiceError::new(StatusCode::from_u16(status).unwrap(), code, &long)
                .with_request_id("id")
                .with_field("Endpoint", "other.example.com")
                .with_field("Other", &long);
            let whole = AttemptError::from(error);
            let short = whole.clone().shortened();
            let decisions = |error: &AttemptError| {
                (
                    error.advice(&target),
                    error.is_retryable(),
                    error.is_throttling(),
                    error.may_have_deleted(),
                )
            };
            assert_eq!(decisions(&short), decisions(&whole), "{status} {code}");
            assert_eq!((short.code(), short.request_id()), (Some(code), Some("id")));
            assert_eq!(short.message().chars().count(), 1001);
        }
        let reset = AttemptError::from(TransportError::surely_not_sent(long)).shortened();
        assert!(reset.to_string().chars().count() < 1100 && !reset.may_have_deleted());
    }
}
