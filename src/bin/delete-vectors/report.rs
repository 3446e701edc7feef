//! What became of the vectors, for people and for programs.

use std::time::Duration;

use oss_delete_vectors::transports::CallError;
use oss_delete_vectors::{DeleteVectors, Deleted};
use serde_json::{Value, json};

use crate::rehearsal::Vectors;

/// Every key that was given, in one of five places, and what was sent for them.
#[derive(Default)]
struct Tally {
    deleted: usize,
    /// Surely refused.
    rejected: usize,
    /// Perhaps deleted.
    unconfirmed: usize,
    /// Surely not sent.
    not_attempted: usize,
    duplicates: usize,
    /// Requests that left, or may have.
    requests: usize,
}

pub(crate) struct Report<'a> {
    call: &'a DeleteVectors,
    /// `None`: the question was answered with no.
    outcome: Option<Result<Deleted, CallError>>,
    tally: Tally,
    elapsed: Duration,
    emulator: Option<Vectors>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(
        call: &'a DeleteVectors,
        outcome: Option<Result<Deleted, CallError>>,
        elapsed: Duration,
        emulator: Option<Vectors>,
    ) -> Self {
        let keys = call.keys().len();
        let given = Tally { duplicates: call.keys().duplicates(), ..Tally::default() };
        let tally = match &outcome {
            Some(Ok(_)) => Tally { deleted: keys, requests: 1, ..given },
            Some(Err(error)) if error.may_have_deleted() => Tally { unconfirmed: keys, requests: 1, ..given },
            Some(Err(CallError::Service(_))) => Tally { rejected: keys, requests: 1, ..given },
            Some(Err(CallError::Transport(_))) | None => Tally { not_attempted: keys, ..given },
        };
        Self { call, outcome, tally, elapsed, emulator }
    }

    pub(crate) fn is_all_deleted(&self) -> bool {
        self.tally.deleted == self.call.keys().len()
    }

    /// One or two lines.
    pub(crate) fn to_text(&self) -> String {
        let Tally { deleted, rejected, unconfirmed, not_attempted, duplicates, .. } = self.tally;
        let index_name = self.call.target().index_name().unwrap_or_default().escape_debug();
        let mut text = format!("Deleted {} from {index_name}", count(deleted, "vector"));
        for (number, what) in [(rejected, "rejected"), (unconfirmed, "unconfirmed"), (not_attempted, "not attempted")] {
            if number > 0 {
                text += &format!(", {number} {what}");
            }
        }
        if duplicates > 0 {
            text += &format!(", {} left out", count(duplicates, "duplicate"));
        }
        if let Some(Ok(deleted)) = &self.outcome
            && let Some(request_id) = deleted.request_id()
        {
            text += &format!(" (request id {})", request_id.escape_debug());
        }
        if let Some(Vectors { before, after }) = self.emulator {
            text += &format!("\nThe emulator's index held {} before and holds {after} now", count(before, "vector"));
        }
        text
    }

    /// One object on one line.
    pub(crate) fn to_json(&self) -> String {
        let Tally { deleted, rejected, unconfirmed, not_attempted, duplicates, requests } = self.tally;
        let mut report = json!({
            "deleted": deleted,
            "rejected": rejected,
            "unconfirmed": unconfirmed,
            "not_attempted": not_attempted,
            "duplicates": duplicates,
            "requests": requests,
            "elapsed_seconds": (self.elapsed.as_secs_f64() * 1e6).round() / 1e6,
        });
        if let Some(request_id) = self.request_id() {
            report["request_id"] = request_id.into();
        }
        if let Some(error) = self.error() {
            report["error"] = error_to_json(error);
        }
        if let Some(Vectors { before, after }) = self.emulator {
            report["emulator"] = json!({ "vectors_before": before, "vectors_after": after });
        }
        json_line(&report)
    }

    fn request_id(&self) -> Option<&str> {
        match self.outcome.as_ref()? {
            Ok(deleted) => deleted.request_id(),
            Err(CallError::Service(error)) => error.request_id(),
            Err(CallError::Transport(_)) => None,
        }
    }

    fn error(&self) -> Option<&CallError> {
        self.outcome.as_ref()?.as_ref().err()
    }

    /// What went wrong, what that means for the vectors, and what to do about it: lines for stderr.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let Some(error) = self.error() else { return Vec::new() };
        let meaning =
            if error.may_have_deleted() { "some or all of the vectors may have been deleted" } else { "nothing was deleted" };
        let advice = match error {
            CallError::Service(error) => error.advice(self.call.target()),
            CallError::Transport(error) if error.is_surely_not_sent() => {
                Some("check the region, the endpoint and the network".into())
            }
            CallError::Transport(_) => Some("send again: what is gone already does no harm".into()),
        };
        let mut lines = vec![format!("error: {error}"), format!("note: {meaning}")];
        lines.extend(advice.map(|advice| format!("help: {advice}")));
        lines
    }
}

fn error_to_json(error: &CallError) -> Value {
    let error = match error {
        CallError::Transport(error) => return json!({ "message": error.to_string() }),
        CallError::Service(error) => error,
    };
    let mut members = json!({ "status": error.status().as_u16(), "code": error.code(), "message": error.message() });
    for (name, value) in [("request_id", error.request_id()), ("ec", error.ec())] {
        if let Some(value) = value {
            members[name] = value.into();
        }
    }
    members
}

/// `value` on one line, fit for a terminal: what a server sent may hold C1 controls, line separators and marks that change the
/// direction of writing, which JSON need not escape. They occur in its strings alone, where `\uXXXX` says the same.
pub(crate) fn json_line(value: &Value) -> String {
    let mut line = String::new();
    for c in value.to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                line += &format!("\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line
}

/// `1 vector`, `2 vectors`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
