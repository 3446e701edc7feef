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
        match (status.as_u16(), code, code.and_then(code::meaning)) {
            // nginx responds with 429, or 503 without a code, for its own limits.
            (429, ..) | (503, None, _) | (_, _, Some(Self::Throttled)) => Self::Throttled,
            (408 | 500.., ..) => Self::Failed,
            _ if is_foreign(status) => Self::NotFromOss,
            (_, None, _) if !has_request_id => Self::NotFromOss,
            // With these statuses, what follows may be temporary.
            (401 | 409, _, None | Some(Self::Passing | Self::BadKeys | Self::Final)) => {
                Self::Passing
            }
            (_, _, Some(meaning)) => meaning,
            (400 | 413, ..) => Self::MaybeBadKeys,
            (_, None, _) => Self::NoCode,
            (_, Some(_), None) => Self::Unknown,
        }
    }
}

/// Whether a response with this status is not from OSS, or not to this call, unless it throttles.
pub(super) fn is_foreign(status: StatusCode) -> bool {
    matches!(status.as_u16(), 100..400 | 405 | 407 | 411)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ServiceError, Target};

    /// A code with a meaning that its own status overrides would be listed in vain.
    #[test]
    fn known_codes_have_their_meaning_with_their_status() {
        for (code, documentation) in code::DOCUMENTED {
            let (statuses, _) = documentation.split_once(':').expect(code);
            let statuses = statuses.split(|character: char| !character.is_ascii_digit());
            let statuses: Vec<&str> = statuses.filter(|status| !status.is_empty()).collect();
            assert!(!statuses.is_empty(), "the documentation of {code} must begin with its status");
            for status in statuses {
                let meaning = Meaning::of(status.parse().expect(code), Some(code), true);
                assert_eq!(Some(meaning), code::meaning(code), "{status} {code}");
            }
        }
    }

    #[test]
    fn codes_that_stop_a_run_have_advice() {
        let target = Target::builder().region("cn-hangzhou").account_id("1").bucket("bucket");
        let target = target.build().unwrap();
        for (code, _) in code::DOCUMENTED {
            if code::meaning(code) == Some(Meaning::Final) {
                let error = ServiceError::new(StatusCode::FORBIDDEN, *code, "");
                assert!(error.advice(&target).is_some(), "{code} stops a run without advice");
            }
        }
    }
}
