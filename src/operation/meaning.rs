use http::StatusCode;

use super::code;

/// What a response means that does not confirm a deletion. The table on the crate page has a row for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Too many requests. Send it again, more slowly.
    Throttled,
    /// OSS, or something before it, failed. Send it again.
    Failed,
    /// Not from OSS, or not the response to this call. It says nothing about the keys.
    NotFromOss,
    /// Sign with the date of OSS.
    WrongDate,
    /// Sign with other credentials.
    WrongCredentials,
    /// Rejected for something that passes. Send it again.
    Passing,
    /// Rejected for what is in the batch.
    BadKeys,
    /// Rejected, with a code that is not listed or none: maybe for what is in the batch, maybe not.
    MaybeBadKeys,
    /// Rejected, and the code is lost.
    NoCode,
    /// Rejected with a code that is not listed, and not for what is in the batch.
    Unknown,
    /// Rejected, and so is every other request.
    Final,
}

impl Meaning {
    /// `code` is `None` where the response has none.
    pub(super) fn of(status: StatusCode, code: Option<&str>, has_request_id: bool) -> Self {
        match (status.as_u16(), code) {
            (_, Some(code)) if code::is_throttling(code) => Self::Throttled,
            // nginx answers its own limits with these.
            (429, _) | (503, None) => Self::Throttled,
            (408 | 500.., _) => Self::Failed,
            (100..400 | 405 | 407 | 411, _) => Self::NotFromOss,
            (_, None) if !has_request_id => Self::NotFromOss,
            (_, Some(code::REQUEST_TIMEOUT)) => Self::Failed,
            (_, Some(code::REQUEST_TIME_TOO_SKEWED)) => Self::WrongDate,
            (
                _,
                Some(
                    code::INVALID_ACCESS_KEY_ID
                    | code::INVALID_SECURITY_TOKEN
                    | code::SECURITY_TOKEN_EXPIRED,
                ),
            ) => Self::WrongCredentials,
            (401 | 409, _) | (_, Some(code::BAD_REQUEST | code::INVALID_DIGEST)) => Self::Passing,
            (
                _,
                Some(
                    code::VECTOR_INDEX_PARAMETER_INVALID
                    | code::MALFORMED_JSON
                    | code::ENTITY_TOO_LARGE,
                ),
            ) => Self::BadKeys,
            (
                _,
                Some(
                    code::ACCESS_DENIED
                    | code::SIGNATURE_DOES_NOT_MATCH
                    | code::USER_DISABLE
                    | code::NO_SUCH_BUCKET
                    | code::NO_SUCH_VECTOR_INDEX,
                ),
            ) => Self::Final,
            (400 | 413, _) => Self::MaybeBadKeys,
            (_, None) => Self::NoCode,
            (_, Some(_)) => Self::Unknown,
        }
    }
}
