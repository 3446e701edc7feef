use std::error::Error;
use std::fmt;

use super::TransportError;
use crate::ServiceError;

/// Why a batch is not surely deleted.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError {
    /// There was no answer.
    Transport(TransportError),
    /// The answer is an error.
    Service(ServiceError),
}

impl CallError {
    /// Whether sending the batch again, after a back-off, may succeed: no answer, and answers that
    /// [say so](ServiceError::is_retryable). What else there is has to be mended first.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(_) => true,
            Self::Service(error) => error.is_retryable(),
        }
    }

    /// Whether the service wants fewer requests.
    #[must_use]
    pub fn is_throttling(&self) -> bool {
        matches!(self, Self::Service(error) if error.is_throttling())
    }

    /// Whether a part of the keys, or all, may be gone in spite of the error. What to do: send the batch again.
    #[must_use]
    pub fn may_have_deleted(&self) -> bool {
        match self {
            Self::Transport(error) => !error.is_surely_not_sent(),
            Self::Service(error) => error.may_have_deleted(),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => error.fmt(f),
            Self::Service(error) => error.fmt(f),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Transport(error) => error.source(),
            Self::Service(error) => error.source(),
        }
    }
}

impl From<TransportError> for CallError {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

impl From<ServiceError> for CallError {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}
