use http::StatusCode;

use super::code;

/// The meaning of a response that does not confirm a deletion. The table on the crate page has a
/// row for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Too many requests. Send it again, more slowly.
    Throttled,
    /// OSS or a gateway failed. Send it again.
    Failed,
    /// Not from OSS, or not the response to this call. It says nothing about the keys.
    NotFromOss,
    /// Sign with the date of OSS.
    WrongDate,
    /// Sign with other credentials.
    WrongCredentials,
    /// Rejected for a temporary reason. Send it again.
    Passing,
    /// Rejected for its keys.
    BadKeys,
    /// Rejected with an unlisted code or none, perhaps for its keys.
    MaybeBadKeys,
    /// Rejected, and the code was lost.
    NoCode,
    /// Rejected with an unlisted code, not for its keys.
    Unknown,
    /// Rejected, as all other requests will be.
    Final,
}

impl Meaning {
    /// `code` is `None` if the response has none.
    pub(super) fn of(status: StatusCode, code: Option<&str>, has_request_id: bool) -> Self {
        match (status.as_u16(), code) {
            (_, Some(code)) if code::is_throttling(code) => Self::Throttled,
            // The responses of nginx for its own limits.
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
