//! A custom transport has the same errors as the transports of the crate, and needs no feature.

use std::error::Error;
use std::io::{self, ErrorKind};

use bytes::Bytes;
use http::{Response, StatusCode};
use oss_delete_vectors::{
    AttemptError, DeleteVectors, Deleted, Operation, ServiceError, TransportError, code,
};

fn outcome(result: Result<Response<Bytes>, TransportError>) -> Result<Deleted, AttemptError> {
    Ok(DeleteVectors::parse_response(&result?)?)
}

#[test]
fn call_error_reports_whether_keys_may_be_gone() {
    let timed_out = || io::Error::from(ErrorKind::TimedOut);
    let refused = |status, code| Ok(ServiceError::new(status, code, "m").to_response());
    for (result, text, may_have_deleted, is_retryable, is_throttling) in [
        (
            Err(TransportError::surely_not_sent(timed_out())),
            "the request was not sent: timed out",
            false,
            true,
            false,
        ),
        (
            Err(TransportError::may_have_arrived(timed_out())),
            "no response, but the request may have arrived: timed out",
            true,
            true,
            false,
        ),
        (
            refused(StatusCode::FORBIDDEN, code::ACCESS_DENIED),
            "403 AccessDenied: m",
            false,
            false,
            false,
        ),
        (
            refused(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR),
            "500 InternalError: m",
            true,
            true,
            false,
        ),
        (
            refused(StatusCode::SERVICE_UNAVAILABLE, code::SLOW_DOWN),
            "503 SlowDown: m",
            true,
            true,
            true,
        ),
        (
            refused(StatusCode::FOUND, code::BAD_ERROR_RESPONSE),
            "302 BadErrorResponse: m",
            true,
            false,
            false,
        ),
    ] {
        let is_transport = result.is_err();
        let error = outcome(result).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.may_have_deleted()),
            (text, may_have_deleted)
        );
        assert_eq!(
            (error.is_retryable(), error.is_throttling()),
            (is_retryable, is_throttling),
            "{text}"
        );
        assert_eq!(matches!(error, AttemptError::Transport(_)), is_transport, "{text}");
        assert_eq!(error.source().is_some(), is_transport, "{text}");
    }
    assert!(outcome(Ok(Deleted::new("id").to_response())).is_ok());
}
