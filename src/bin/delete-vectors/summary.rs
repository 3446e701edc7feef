//! The summary of a run, as text and as JSON.

mod complaints;

use std::time::Duration;

use oss_delete_vectors::bulk::{BulkDelete, Report, StopReason};
use oss_delete_vectors::transports::{RunError, RunErrorKind};
use oss_delete_vectors::{AttemptError, ListError, Target};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::output_files::{BoxError, OutputFiles};
use crate::rehearsal::Vectors;
use crate::source::InputError;
use crate::text::{clock, count, grouped, json_line};
use crate::verify::{INTERRUPTED, Verified};

/// The result of a run, and everything that is reported about it.
pub(crate) struct Summary<'a> {
    pub(crate) target: &'a Target,
    pub(crate) report: Report,
    pub(crate) stopped: Option<Stopped>,
    /// Every key of the input was read.
    pub(crate) input_complete: bool,
    /// The number of skipped lines.
    pub(crate) bad_lines: u64,
    pub(crate) output_files: &'a mut OutputFiles,
    pub(crate) elapsed: Duration,
    pub(crate) emulator: Option<Vectors>,
    /// The listing that is the source of the keys.
    pub(crate) index: Option<Listing>,
    /// The result of `--verify`.
    pub(crate) verified: Option<Result<Verified, String>>,
}

/// The end of a listing that is the source of the keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listing {
    /// The number of times the index was listed.
    pub(crate) passes: u32,
    /// Whether the last listing found no selected key.
    pub(crate) is_clear: bool,
}

/// The reason why a run stopped before its end.
pub(crate) enum Stopped {
    /// The user did not confirm the deletion.
    Declined,
    /// Ctrl-C.
    Interrupted,
    /// The output files cannot be written.
    Unwritten(String),
    /// The input cannot be read any further.
    Unreadable(InputError),
    /// A line without a key.
    BadLine(InputError),
    /// The listing that is the source of the keys.
    Listing(ListError),
    Run(RunError),
}

impl Stopped {
    pub(crate) fn reading(error: InputError) -> Self {
        if error.can_go_on { Self::BadLine(error) } else { Self::Unreadable(error) }
    }

    /// Whether `error` was already reported as the reason.
    pub(crate) fn is_because(&self, error: &str) -> bool {
        matches!(self, Self::Unwritten(reason) if reason == error)
    }
}

impl Summary<'_> {
    pub(crate) fn is_all_deleted(&self) -> bool {
        let has_ended = self.stopped.is_none() && self.input_complete;
        let Report { rejected, not_attempted, .. } = self.report;
        has_ended
            && match (&self.verified, self.index) {
                (Some(Err(_)), _) => false,
                // Another listing proves it as well as the last pass.
                (Some(Ok(verified)), Some(index)) => index.is_clear || verified.present == 0,
                (None, Some(index)) => index.is_clear,
                // Unconfirmed keys were looked up as well.
                (Some(Ok(verified)), None) => {
                    verified.present == 0 && rejected + not_attempted == 0
                }
                (None, None) => self.report.is_all_deleted(),
            }
    }

    /// The exit code. `was_sent`: a request was sent.
    ///
    /// If keys were deleted, or may have been, the code is that of an incomplete run, whatever
    /// ended it. Otherwise it is that of the error that stopped the run, or of the errors of the
    /// keys, if they agree.
    pub(crate) fn exit(&self, was_sent: bool) -> Exit {
        let Report { deleted, unconfirmed, .. } = self.report;
        match &self.stopped {
            _ if self.is_all_deleted() => Exit::Done,
            Some(Stopped::Declined | Stopped::Interrupted) => Exit::Interrupted,
            None if self.verified == Some(Err(INTERRUPTED.to_owned())) => Exit::Interrupted,
            Some(Stopped::Unwritten(_) | Stopped::Unreadable(_) | Stopped::BadLine(_))
                if !was_sent =>
            {
                Exit::Usage
            }
            _ if deleted + unconfirmed > 0 => Exit::Incomplete,
            Some(Stopped::Listing(error)) => Exit::because_listing_stopped(error),
            Some(Stopped::Run(_)) => self.last_error().map_or(Exit::Incomplete, Exit::because_of),
            Some(_) => Exit::Incomplete,
            None if self.verified.is_some() => Exit::Incomplete,
            None => match self.output_files.errors().are_of_service() {
                Some(true) => Exit::Rejected,
                Some(false) => Exit::Unreachable,
                None => Exit::Incomplete,
            },
        }
    }

    /// Writes the rest to the output files, and closes them.
    pub(crate) fn close_output_files(&mut self, bulk: &BulkDelete) -> Result<(), BoxError> {
        let is_all_deleted = self.is_all_deleted();
        self.output_files.end(bulk, is_all_deleted)
    }

    /// The text of one or two lines.
    pub(crate) fn to_text(&self) -> String {
        let Report {
            deleted,
            rejected,
            unconfirmed,
            not_attempted,
            duplicates,
            requests,
            throttled,
            retries,
            ..
        } = self.report;
        let index_name = self.target.index_name().unwrap_or_default().escape_debug();
        // The service confirms keys. It does not report whether a vector existed.
        let mut text = format!("Deleted {} from {index_name}", count(deleted, "key"));
        if deleted > 0 {
            text += ", confirmed by the service";
        }
        for (number, what) in
            [(rejected, "rejected"), (unconfirmed, "unconfirmed"), (not_attempted, "not attempted")]
        {
            if number > 0 {
                text += &format!(", {} {what}", grouped(number));
            }
        }
        if duplicates > 0 {
            text += &format!(", {} left out", count(duplicates, "duplicate"));
        }
        if self.bad_lines > 0 {
            text += &format!(", {} skipped", count(self.bad_lines, "bad line"));
        }
        if let Some(Listing { passes, is_clear: true }) = self.index {
            let pass = if passes == 1 { "the only pass" } else { "the last pass" };
            text += &match self.verified {
                None => format!("; {pass} found no key"),
                Some(_) => format!("; verified: {pass} listed the index and found no key"),
            };
        } else if let Some(Ok(Verified { keys, present, .. })) = &self.verified {
            let looked_up = match self.index {
                Some(_) => "the index was listed again".to_owned(),
                None => format!("{} looked up", count(*keys, "key")),
            };
            let found = if *present == 0 { "none".to_owned() } else { grouped(*present) };
            text += &format!("; verified: {looked_up}, {found} still there");
        }
        if !self.input_complete && !matches!(self.stopped, Some(Stopped::Declined)) {
            text += match self.index {
                None => "; the rest of the input was not read",
                Some(_) => "; the index was not listed to its end",
            };
        }
        match self.output_files.request_id() {
            Some(request_id) if requests == 1 => {
                text += &format!(" (request id {})", request_id.escape_debug());
            }
            _ if requests > 0 => {
                text += &format!(" ({}", count(requests, "request"));
                for (number, what) in [(throttled, "throttled"), (retries, "retried")] {
                    if number > 0 {
                        text += &format!(", {} {what}", grouped(number));
                    }
                }
                text += &format!(" in {})", clock(self.elapsed));
            }
            _ => {}
        }
        if let Some(Vectors { before, after }) = self.emulator {
            text += &format!(
                "\nThe emulator's index held {} before and holds {} now",
                count(before, "vector"),
                grouped(after)
            );
        }
        text
    }

    /// A JSON object on one line.
    pub(crate) fn to_json(&self) -> String {
        let Report {
            deleted,
            rejected,
            unconfirmed,
            not_attempted,
            duplicates,
            requests,
            throttled,
            retries,
            pushed,
            ..
        } = self.report;
        let mut summary = json!({
            "keys_read": pushed,
            "deleted": deleted,
            "rejected": rejected,
            "unconfirmed": unconfirmed,
            "not_attempted": not_attempted,
            "duplicates": duplicates,
            "bad_lines": self.bad_lines,
            "input_complete": self.input_complete,
            "requests": requests,
            "throttled": throttled,
            "retries": retries,
            "errors": self.output_files.errors().to_json(),
            "elapsed_seconds": (self.elapsed.as_secs_f64() * 1e6).round() / 1e6,
        });
        let error = self.last_error();
        if let Some(request_id) = self.output_files.request_id().or_else(|| error?.request_id()) {
            summary["request_id"] = request_id.into();
        }
        if let Some(error) = error {
            summary["error"] = error_to_json(error);
        } else if let Some(message) = self.stopped_because() {
            summary["error"] = json!({ "message": message });
        }
        if let Some(Listing { passes, is_clear }) = self.index {
            summary["passes"] = passes.into();
            summary["is_clear"] = is_clear.into();
        }
        if let Some(Ok(Verified { keys, present, confirmed })) = &self.verified {
            summary["verified"] = match self.index {
                None => json!({
                    "by": "look-up", "keys": keys, "present": present, "confirmed": confirmed,
                }),
                Some(_) => json!({ "by": "listing", "present": present }),
            };
        }
        if let Some(Vectors { before, after }) = self.emulator {
            summary["emulator"] = json!({ "vectors_before": before, "vectors_after": after });
        }
        json_line(&summary)
    }

    fn stopped_because(&self) -> Option<String> {
        match self.stopped.as_ref()? {
            Stopped::Declined => None,
            Stopped::Interrupted => Some("interrupted".to_owned()),
            Stopped::Unwritten(reason) => Some(reason.clone()),
            Stopped::Unreadable(error) | Stopped::BadLine(error) => Some(error.text.clone()),
            Stopped::Listing(error) => Some(error.to_string()),
            Stopped::Run(error) => match error.kind() {
                RunErrorKind::Stopped(StopReason::Rejected(error)) => Some(error.to_string()),
                RunErrorKind::Stopped(StopReason::CredentialsMissing) => {
                    let source =
                        std::error::Error::source(error).map(|source| format!(": {source}"));
                    Some(format!(
                        "{}{}",
                        StopReason::CredentialsMissing,
                        source.unwrap_or_default()
                    ))
                }
                RunErrorKind::Stopped(reason) => Some(reason.to_string()),
                _ => Some(error.to_string()),
            },
        }
    }

    fn last_error(&self) -> Option<&AttemptError> {
        let error = match &self.stopped {
            Some(Stopped::Run(error)) => error,
            Some(Stopped::Listing(error)) => return error.attempt_error(),
            _ => return None,
        };
        let RunErrorKind::Stopped(reason) = error.kind() else { return None };
        reason.attempt_error()
    }
}

fn error_to_json(error: &AttemptError) -> Value {
    let mut members = json!({ "message": error.message() });
    if let Some(status) = error.status() {
        members["status"] = status.as_u16().into();
    }
    for (name, value) in
        [("code", error.code()), ("request_id", error.request_id()), ("ec", error.ec())]
    {
        if let Some(value) = value {
            members[name] = value.into();
        }
    }
    members
}
