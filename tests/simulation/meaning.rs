//! The meaning of responses: a second implementation of the protocol's table, to compare the crate
//! with.

use std::time::SystemTime;

use bytes::Bytes;
use http::Response;
use oss_delete_vectors::{DeleteVectors, Operation, ServiceError, TransportError, code};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Deleted,
    Throttled,
    Skewed {
        date: Option<SystemTime>,
    },
    Credentials,
    /// A problem of the keys in the batch.
    Rejected,
    /// Not from OSS: stop before the first success, retry later.
    NotFromOss,
    /// Retry.
    Failed,
    NotSent,
    /// No request can succeed.
    Fatal,
}

/// The meaning of a response, and whether it leaves it open that keys were deleted.
pub(crate) fn meaning(response: &Result<Response<Bytes>, TransportError>) -> (Meaning, bool) {
    match response {
        Err(failure) if *failure == TransportError::surely_not_sent("connection refused") => {
            (Meaning::NotSent, false)
        }
        Err(_) => (Meaning::Failed, true),
        Ok(response) => match DeleteVectors::parse_response(response) {
            Ok(_) => (Meaning::Deleted, true),
            Err(error) => of_error(&error),
        },
    }
}

fn of_error(error: &ServiceError) -> (Meaning, bool) {
    let status = error.status().as_u16();
    let has_code = error.code() != code::BAD_ERROR_RESPONSE;
    let is_anonymous = !has_code && error.request_id().is_none();
    let is_rejection =
        (400..500).contains(&status) && !is_anonymous && !matches!(status, 405 | 407 | 408 | 411);
    let meaning = match error.code() {
        code::QPS_LIMIT_EXCEEDED | code::SLOW_DOWN | "Throttling.User" => Meaning::Throttled,
        _ if status == 429 || (status == 503 && !has_code) => Meaning::Throttled,
        _ if status >= 500 || status == 408 => Meaning::Failed,
        _ if !is_rejection => Meaning::NotFromOss,
        code::REQUEST_TIMEOUT | code::INTERNAL_ERROR => return (Meaning::Failed, true),
        // The body may have had this code.
        _ if status == 400 && !has_code => return (Meaning::Failed, true),
        code::REQUEST_TIME_TOO_SKEWED => Meaning::Skewed { date: error.date() },
        code::SECURITY_TOKEN_EXPIRED
        | code::INVALID_SECURITY_TOKEN
        | code::INVALID_ACCESS_KEY_ID => Meaning::Credentials,
        code::VECTOR_INDEX_PARAMETER_INVALID | code::MALFORMED_JSON => Meaning::Rejected,
        code::ACCESS_DENIED
        | code::SIGNATURE_DOES_NOT_MATCH
        | code::USER_DISABLE
        | code::NO_SUCH_BUCKET
        | code::NO_SUCH_VECTOR_INDEX => Meaning::Fatal,
        _ => Meaning::Failed,
    };
    (meaning, !is_rejection)
}
