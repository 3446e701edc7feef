use super::Failure;
use crate::ServiceError;
use crate::delete_vectors::Asks;

/// What came of one attempt that deleted nothing for sure.
#[derive(Debug)]
pub(super) enum Setback {
    Refused(ServiceError),
    Failed(Failure),
}

/// What the run has seen so far, as far as it decides.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct History {
    /// Some batch was deleted.
    pub(super) had_success: bool,
    /// Some answer came, whichever.
    pub(super) had_answer: bool,
    /// Attempts that were surely not sent, before the first answer.
    pub(super) unreachable: u32,
}

/// What to do with the batch of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Back to the front, more slowly; no attempt spent.
    Throttled,
    /// Again, after a back-off; an attempt spent.
    Retry,
    /// In halves, to find the bad keys.
    Halve,
    /// Again at once, with the right date.
    SignAgain,
    /// Again at once, with new credentials.
    AskCredentials,
    /// Not again, and nothing else either.
    Stop,
}

/// How often the service may be out of reach before its first answer: as often as the official SDKs try.
const UNREACHABLE: u32 = 3;

/// The decision table. What the batch's keys may have suffered is a question of its own: [`may_have_deleted`].
pub(super) fn decide(setback: &Setback, history: History) -> Verdict {
    match setback {
        Setback::Failed(failure) if !failure.is_surely_not_sent() || history.had_answer => Verdict::Retry,
        Setback::Failed(_) if history.unreachable < UNREACHABLE => Verdict::Retry,
        Setback::Failed(_) => Verdict::Stop,
        Setback::Refused(error) => match (error.asks(), error.status().as_u16()) {
            (Some(Asks::Slower), _) => Verdict::Throttled,
            (Some(Asks::NewDate), _) => Verdict::SignAgain,
            (Some(Asks::NewCredentials), _) => Verdict::AskCredentials,
            (Some(Asks::Again), _) | (None, 409) => Verdict::Retry,
            // Not the service, or not the call: from the start it is the endpoint that is wrong, later something passing.
            _ if error.is_foreign() && history.had_success => Verdict::Retry,
            _ if error.is_foreign() => Verdict::Stop,
            (_, 400 | 413) => Verdict::Halve,
            _ => Verdict::Stop,
        },
    }
}

/// Whether a part of the keys, or all, may be gone after this attempt.
pub(super) fn may_have_deleted(setback: &Setback) -> bool {
    match setback {
        Setback::Failed(failure) => !failure.is_surely_not_sent(),
        Setback::Refused(error) => error.may_have_deleted(),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::code;
    use Verdict::{AskCredentials, Halve, Retry, SignAgain, Stop, Throttled};

    #[test]
    fn every_answer_has_one_verdict_before_and_after_the_first_success() {
        let fresh = History::default();
        let proven = History { had_success: true, had_answer: true, unreachable: 0 };
        for (status, code, before, after, may_be_gone) in [
            (503, code::QPS_LIMIT_EXCEEDED, Throttled, Throttled, true),
            (503, code::SLOW_DOWN, Throttled, Throttled, true),
            (429, "SomeCode", Throttled, Throttled, false),
            (503, code::BAD_ERROR_RESPONSE, Retry, Retry, true),
            (500, code::INTERNAL_ERROR, Retry, Retry, true),
            (408, code::BAD_ERROR_RESPONSE, Retry, Retry, true),
            (401, "X", Retry, Retry, false),
            (409, "X", Retry, Retry, false),
            (400, code::INVALID_DIGEST, Retry, Retry, false),
            (400, code::BAD_REQUEST, Retry, Retry, false),
            (400, code::VECTOR_INDEX_PARAMETER_INVALID, Halve, Halve, false),
            (400, code::MALFORMED_JSON, Halve, Halve, false),
            (400, "Unknown", Halve, Halve, false),
            (413, code::ENTITY_TOO_LARGE, Halve, Halve, false),
            (403, code::REQUEST_TIME_TOO_SKEWED, SignAgain, SignAgain, false),
            (403, code::SECURITY_TOKEN_EXPIRED, AskCredentials, AskCredentials, false),
            (403, code::INVALID_SECURITY_TOKEN, AskCredentials, AskCredentials, false),
            (403, code::INVALID_ACCESS_KEY_ID, AskCredentials, AskCredentials, false),
            (403, code::ACCESS_DENIED, Stop, Stop, false),
            (403, code::SIGNATURE_DOES_NOT_MATCH, Stop, Stop, false),
            (403, code::USER_DISABLE, Stop, Stop, false),
            (404, code::NO_SUCH_BUCKET, Stop, Stop, false),
            (404, code::NO_SUCH_VECTOR_INDEX, Stop, Stop, false),
            (412, "X", Stop, Stop, false),
            (403, code::BAD_ERROR_RESPONSE, Stop, Retry, true),
            (404, code::BAD_ERROR_RESPONSE, Stop, Retry, true),
            (410, code::BAD_ERROR_RESPONSE, Stop, Retry, true),
            (400, code::BAD_ERROR_RESPONSE, Halve, Halve, false),
            (413, code::BAD_ERROR_RESPONSE, Halve, Halve, false),
            (401, code::BAD_ERROR_RESPONSE, Retry, Retry, false),
            (405, code::METHOD_NOT_ALLOWED, Stop, Retry, true),
            (407, "X", Stop, Retry, true),
            (411, "X", Stop, Retry, true),
            (307, "X", Stop, Retry, true),
            (200, code::BAD_ERROR_RESPONSE, Stop, Retry, true),
        ] {
            let setback = Setback::Refused(ServiceError::new(StatusCode::from_u16(status).unwrap(), code, "m"));
            assert_eq!(decide(&setback, fresh), before, "{status} {code}");
            assert_eq!(decide(&setback, proven), after, "{status} {code}");
            assert_eq!(may_have_deleted(&setback), may_be_gone, "{status} {code}");
        }
    }

    #[test]
    fn out_of_reach_from_the_start_is_tried_three_times() {
        let failed = Setback::Failed(Failure::surely_not_sent("no such host"));
        let seen = |unreachable, had_answer| History { unreachable, had_answer, had_success: false };
        assert_eq!(decide(&failed, seen(2, false)), Retry);
        assert_eq!(decide(&failed, seen(3, false)), Stop);
        assert_eq!(decide(&failed, seen(9, true)), Retry);
        assert_eq!(decide(&Setback::Failed(Failure::may_have_arrived("reset")), seen(9, false)), Retry);
    }
}
