//! One batch, there and back, over either transport.

use std::error::Error;
use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::{Request, Response};

use super::TransportError;
use crate::signing::Signer;
use crate::{DeleteVectors, Deleted, ServiceError};

/// Why a batch is not surely deleted.
#[derive(Debug)]
pub enum CallError {
    /// There was no answer.
    Transport(TransportError),
    /// The answer is an error.
    Service(ServiceError),
}

impl CallError {
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

/// The request of `call`, signed as of now.
#[expect(clippy::disallowed_methods, reason = "an adapter reads the clock, so that the core need not")]
pub(super) fn signed(call: &DeleteVectors, signer: &Signer) -> Request<Bytes> {
    let mut request = call.to_request();
    signer.sign(&mut request, SystemTime::now());
    request
}

/// What `answer` says of the call.
pub(super) fn outcome(answer: Result<Response<Bytes>, TransportError>) -> Result<Deleted, CallError> {
    DeleteVectors::parse_response(&answer.map_err(CallError::Transport)?).map_err(CallError::Service)
}
