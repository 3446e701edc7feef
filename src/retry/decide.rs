use http::StatusCode;

use crate::AttemptError;
use crate::operation::Meaning;

/// What a run has seen so far. Decisions depend on it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct History {
    /// A batch was deleted.
    pub(crate) had_success: bool,
    /// A response came, of any kind.
    pub(crate) had_response: bool,
    /// Attempts that were surely not sent, before the first response.
    pub(crate) unreachable: u32,
}

/// What to do with the batch of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Send it again, more slowly. The attempt does not count.
    SlowDown,
    /// Send it again after a back-off. The attempt counts.
    Retry,
    /// As [`Retry`](Self::Retry), then split it. A single key fails after its last attempt.
    RetryThenSplit,
    /// As [`Retry`](Self::Retry), then stop the run.
    RetryThenStop,
    /// Split it to find the bad keys.
    Split,
    /// Send it again at once, with the right date.
    SignAgain,
    /// Send it again with new credentials.
    AskCredentials,
    /// Stop the run.
    Stop,
}

/// How many attempts may fail to connect before the first response, as in the official SDKs.
const UNREACHABLE: u32 = 3;

/// The decision table, as on the crate page. Whether the keys may be gone is decided
/// separately: [`AttemptError::may_have_deleted`].
pub(crate) fn decide(error: &AttemptError, history: History) -> Verdict {
    let error = match error {
        AttemptError::Service(error) => error,
        AttemptError::Transport(error) => {
            let is_out_of_reach = error.is_surely_not_sent()
                && !history.had_response
                && history.unreachable >= UNREACHABLE;
            return if is_out_of_reach { Verdict::Stop } else { Verdict::Retry };
        }
    };
    match error.meaning() {
        Meaning::Throttled => Verdict::SlowDown,
        // At first this means that the endpoint is wrong. Later the cause is temporary.
        Meaning::NotFromOss if !history.had_success => Verdict::Stop,
        // The limit of a proxy: half the keys may be accepted.
        Meaning::NotFromOss if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Verdict::RetryThenSplit
        }
        Meaning::Failed | Meaning::NotFromOss | Meaning::Passing | Meaning::NoCode => {
            Verdict::Retry
        }
        Meaning::WrongDate => Verdict::SignAgain,
        Meaning::WrongCredentials => Verdict::AskCredentials,
        Meaning::BadKeys => Verdict::Split,
        Meaning::MaybeBadKeys => Verdict::RetryThenSplit,
        Meaning::Unknown => Verdict::RetryThenStop,
        Meaning::Final => Verdict::Stop,
    }
}

/// Whether the error comes from a limit, so that the pace has to fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slows {
    No,
    Maybe,
    Yes,
}

pub(crate) fn slows_down(error: &AttemptError) -> Slows {
    let AttemptError::Service(error) = error else { return Slows::No };
    match error.meaning() {
        Meaning::Throttled => Slows::Yes,
        Meaning::MaybeBadKeys | Meaning::NoCode | Meaning::Unknown => Slows::Maybe,
        // An unlisted code may be that of a limit. The others of this kind name another cause.
        Meaning::Failed if error.status() == StatusCode::SERVICE_UNAVAILABLE => Slows::Maybe,
        Meaning::Passing if error.status() == StatusCode::CONFLICT => Slows::Maybe,
        Meaning::Failed
        | Meaning::Passing
        | Meaning::NotFromOss
        | Meaning::WrongDate
        | Meaning::WrongCredentials
        | Meaning::BadKeys
        | Meaning::Final => Slows::No,
    }
}

/// Whether OSS itself sent the response.
pub(crate) fn is_from_oss(error: &AttemptError) -> bool {
    matches!(error, AttemptError::Service(error) if error.is_from_oss())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ServiceError, TransportError, code};

    /// A row of the table on the crate page.
    struct Row<'a> {
        status: &'a str,
        code: &'a str,
        may_be_gone: bool,
        before: Verdict,
        after: Verdict,
    }

    fn rows() -> Vec<Row<'static>> {
        let page = include_str!("../lib.rs");
        let table =
            page.lines().skip_while(|line| !line.starts_with("//! | status | code |")).skip(2);
        let mut rows: Vec<Row<'_>> = Vec::new();
        for line in table.map_while(|line| line.strip_prefix("//! | ")) {
            let cells: Vec<&str> = line.trim_end_matches('|').split('|').map(str::trim).collect();
            let [status, code, may_be_gone, before, after, _] = cells[..] else { panic!("{line}") };
            let code = if code == "the same" { rows[rows.len() - 1].code } else { code };
            let may_be_gone = may_be_gone == "yes";
            rows.push(Row {
                status,
                code,
                may_be_gone,
                before: verdict(before),
                after: verdict(after),
            });
        }
        rows
    }

    fn verdict(cell: &str) -> Verdict {
        match cell {
            "slow down" => Verdict::SlowDown,
            "retry" => Verdict::Retry,
            "retry, then split" => Verdict::RetryThenSplit,
            "retry, then stop" => Verdict::RetryThenStop,
            "split" => Verdict::Split,
            "sign again" => Verdict::SignAgain,
            "renew credentials" => Verdict::AskCredentials,
            "stop" => Verdict::Stop,
            other => panic!("{other} is no verdict"),
        }
    }

    impl Row<'_> {
        fn fits(&self, status: u16, code: Option<&str>, has_request_id: bool) -> bool {
            self.fits_status(status) && self.fits_code(code, has_request_id)
        }

        fn fits_status(&self, status: u16) -> bool {
            self.status.split(", ").any(|cell| match cell {
                "no response" => false,
                "not 4xx" => status / 100 != 4,
                "5xx" => status >= 500,
                _ => match cell.strip_suffix("xx") {
                    Some(class) => status / 100 == class.parse::<u16>().unwrap(),
                    None => status == cell.parse::<u16>().unwrap(),
                },
            })
        }

        fn fits_code(&self, code: Option<&str>, has_request_id: bool) -> bool {
            match self.code {
                "any" => true,
                "none" => code.is_none(),
                "none, and no request id" => code.is_none() && !has_request_id,
                codes => codes.split(", ").any(|listed| {
                    let listed = listed.trim_matches('`');
                    code.is_some_and(|code| match listed.strip_suffix('*') {
                        Some(prefix) => code.starts_with(prefix),
                        None => code == listed,
                    })
                }),
            }
        }
    }

    #[test]
    fn table_on_the_crate_page_is_the_function() {
        let rows = rows();
        let listed = rows
            .iter()
            .filter(|row| row.code.starts_with('`'))
            .flat_map(|row| row.code.split(", "));
        let listed: Vec<String> =
            listed.map(|code| code.trim_matches('`').replace('*', "User")).collect();
        for (code, _) in code::DOCUMENTED {
            assert!(listed.iter().any(|listed| listed == code), "no row has the code {code}");
        }
        let others = ["Unheard", "Throttlings", "slowdown"];
        let codes: Vec<Option<&str>> =
            listed.iter().map(String::as_str).chain(others).map(Some).chain([None]).collect();
        let fresh = History::default();
        let proven = History { had_success: true, had_response: true, unreachable: 0 };
        let mut used = vec![false; rows.len()];
        for status in 100..=999 {
            for (code, has_request_id) in
                codes.iter().flat_map(|code| [(*code, false), (*code, true)])
            {
                let error = ServiceError::new(
                    StatusCode::from_u16(status).unwrap(),
                    code.unwrap_or(code::BAD_ERROR_RESPONSE),
                    "m",
                );
                let error = if has_request_id { error.with_request_id("id") } else { error };
                let error = AttemptError::from(error);
                let first = rows
                    .iter()
                    .position(|row| row.fits(status, code, has_request_id))
                    .expect("some row fits");
                used[first] = true;
                let row = &rows[first];
                let expected = (row.before, row.after, row.may_be_gone);
                let decided =
                    (decide(&error, fresh), decide(&error, proven), error.may_have_deleted());
                assert_eq!(decided, expected, "{status} {code:?}, request id: {has_request_id}");
            }
        }
        for (row, used) in rows.iter().zip(used) {
            assert_eq!(used, row.status != "no response", "{} {}", row.status, row.code);
        }
        for (failure, code) in [
            (TransportError::may_have_arrived("reset"), "may have been sent"),
            (TransportError::surely_not_sent("refused"), "surely not sent"),
        ] {
            let error = AttemptError::from(failure);
            let row = rows.iter().find(|row| row.code == code).unwrap();
            let decided = (decide(&error, fresh), decide(&error, proven), error.may_have_deleted());
            assert_eq!(decided, (row.before, row.after, row.may_be_gone), "{code}");
        }
    }

    #[test]
    fn unreachable_service_is_tried_three_times_at_first() {
        let failed = AttemptError::from(TransportError::surely_not_sent("no such host"));
        let seen =
            |unreachable, had_response| History { unreachable, had_response, had_success: false };
        assert_eq!(decide(&failed, seen(2, false)), Verdict::Retry);
        assert_eq!(decide(&failed, seen(3, false)), Verdict::Stop);
        assert_eq!(decide(&failed, seen(9, true)), Verdict::Retry);
        assert_eq!(
            decide(&AttemptError::from(TransportError::may_have_arrived("reset")), seen(9, false)),
            Verdict::Retry
        );
    }

    #[test]
    fn what_may_come_from_a_limit_slows_down() {
        for (status, code, expected) in [
            (429, code::BAD_ERROR_RESPONSE, Slows::Yes),
            (400, code::THROTTLING, Slows::Yes),
            (503, "Unheard", Slows::Maybe),
            (500, code::INTERNAL_ERROR, Slows::No),
            (502, "Unheard", Slows::No),
            (400, code::REQUEST_TIMEOUT, Slows::No),
            (409, "Unheard", Slows::Maybe),
            (401, "Unheard", Slows::No),
            (400, code::BAD_REQUEST, Slows::No),
            (400, "Unheard", Slows::Maybe),
            (400, code::MALFORMED_JSON, Slows::No),
            (404, code::BAD_ERROR_RESPONSE, Slows::Maybe),
            (404, "Unheard", Slows::Maybe),
            (404, code::NO_SUCH_BUCKET, Slows::No),
            (302, "Unheard", Slows::No),
            (403, code::REQUEST_TIME_TOO_SKEWED, Slows::No),
        ] {
            let error = ServiceError::new(StatusCode::from_u16(status).unwrap(), code, "m");
            let error = AttemptError::from(error.with_request_id("id"));
            assert_eq!(slows_down(&error), expected, "{status} {code}");
        }
        assert_eq!(slows_down(&TransportError::may_have_arrived("reset").into()), Slows::No);
    }
}
