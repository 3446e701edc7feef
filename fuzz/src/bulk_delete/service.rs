//! Responses that a correct server may send, depending on what it did with the request.

use http::header::{HeaderName, HeaderValue};
use http::{Response, StatusCode};
use oss_delete_vectors::{Deleted, ServiceError, TransportError, code};

use super::script::Script;

/// The result of one request.
pub(super) enum Reply {
    Deletion(Response<Vec<u8>>),
    Other(Response<Vec<u8>>),
    TransportError(TransportError),
}

/// Responses that do not say whether the request was executed.
const OPEN: [(u16, &str); 10] = [
    (500, code::INTERNAL_ERROR),
    (503, code::QPS_LIMIT_EXCEEDED),
    (503, code::SLOW_DOWN),
    (504, ""),
    (408, ""),
    (200, ""),
    (302, ""),
    (404, ""),
    (405, code::METHOD_NOT_ALLOWED),
    (511, code::ACCESS_DENIED),
];

/// Responses that say that the request was not executed.
const REJECTIONS: [(u16, &str); 16] = [
    (400, code::VECTOR_INDEX_PARAMETER_INVALID),
    (400, code::MALFORMED_JSON),
    (400, code::INVALID_DIGEST),
    (400, code::BAD_REQUEST),
    (401, ""),
    (403, code::ACCESS_DENIED),
    (403, code::INVALID_ACCESS_KEY_ID),
    (403, code::INVALID_SECURITY_TOKEN),
    (403, code::SECURITY_TOKEN_EXPIRED),
    (403, code::SIGNATURE_DOES_NOT_MATCH),
    (403, code::REQUEST_TIME_TOO_SKEWED),
    (404, code::NO_SUCH_VECTOR_INDEX),
    (409, "Conflict"),
    (413, code::ENTITY_TOO_LARGE),
    (429, ""),
    (429, code::QPS_LIMIT_EXCEEDED),
];

impl Reply {
    pub(super) fn deletion() -> Self {
        Self::Deletion(Deleted::new("id").to_response().map(|body| body.to_vec()))
    }

    /// The reply to a request that was executed, in part or in full.
    pub(super) fn to_executed(script: &mut Script<'_>) -> Self {
        match script.below(16) {
            0..=7 => Self::deletion(),
            8..=13 => {
                let mut response = error(script.pick(&OPEN), script);
                // With a request id it would be from OSS, and mean that nothing was deleted.
                if response.status() == StatusCode::NOT_FOUND {
                    response.headers_mut().remove("x-oss-request-id");
                }
                Self::Other(response)
            }
            _ => Self::TransportError(TransportError::may_have_arrived("the connection broke")),
        }
    }

    /// The reply to a request that was not executed.
    pub(super) fn to_ignored(script: &mut Script<'_>) -> Self {
        match script.below(16) {
            0..=7 => Self::Other(error(script.pick(&REJECTIONS), script)),
            8..=11 => Self::Other(error(script.pick(&OPEN), script)),
            12 | 13 => Self::TransportError(TransportError::may_have_arrived(
                "the connection broke\n\u{202e}",
            )),
            _ => Self::TransportError(TransportError::surely_not_sent("no such host")),
        }
    }
}

fn error((status, code): (u16, &str), script: &mut Script<'_>) -> Response<Vec<u8>> {
    let status = StatusCode::from_u16(status).expect("a status");
    let mut response = if code.is_empty() {
        Response::new(b"<html>busy</html>".to_vec())
    } else {
        ServiceError::new(status, code, "no").to_response().map(|body| body.to_vec())
    };
    *response.status_mut() = status;
    const HEADERS: [(&str, &str); 7] = [
        ("x-oss-request-id", "id"),
        ("retry-after", "0"),
        ("retry-after", "99999999999999999999"),
        ("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT"),
        ("date", "Sat, 16 Dec 2023 16:20:57 GMT"),
        ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("date", "Fri, 31 Dec 9999 23:59:59 GMT"),
    ];
    for _ in 0..script.below(3) {
        let (name, value) = script.pick(&HEADERS);
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
