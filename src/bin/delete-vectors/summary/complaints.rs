//! The lines for stderr at the end of a run: the problem, its effect on the vectors, and the
//! advice.

use oss_delete_vectors::bulk::Report;

use super::{Listing, Stopped, Summary};
use crate::matching;
use crate::source::SKIP;
use crate::text::{count, grouped};
use crate::verify::Verified;

impl Summary<'_> {
    /// Lines for stderr: the problem, its effect on the vectors, and the advice.
    pub(crate) fn complaints(&self) -> Vec<String> {
        if matches!(self.stopped, Some(Stopped::Declined)) {
            return vec!["note: nothing was sent".to_owned()];
        }
        if self.is_all_deleted() {
            return Vec::new();
        }
        let mut lines: Vec<String> =
            self.stopped_because().map(|reason| format!("error: {reason}")).into_iter().collect();
        let Report { deleted, rejected, unconfirmed, not_attempted, .. } = self.report;
        let failed = [
            (rejected, "rejected"),
            (unconfirmed, "unconfirmed"),
            (not_attempted, "not attempted"),
        ];
        let failed: Vec<String> = failed
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{} {what}", grouped(number)))
            .collect();
        let is_present = matches!(self.verified, Some(Ok(Verified { present: 1.., .. })));
        if self.stopped.is_none() && !is_present && !failed.is_empty() {
            let keys = count(rejected + unconfirmed + not_attempted, "key");
            let or_not = if unconfirmed > 0 { ", or not confirmed" } else { "" };
            lines.push(format!("error: not deleted{or_not}: {keys}: {}", failed.join(", ")));
        }
        if unconfirmed > 0 && !matches!(self.verified, Some(Ok(_))) {
            lines.push(format!(
                "note: {} may have been deleted, despite the errors",
                count(unconfirmed, "key")
            ));
        } else if deleted == 0 && unconfirmed == 0 {
            lines.push("note: nothing was deleted".to_owned());
        }
        if let (Some(Listing { passes, is_clear: false }), None) = (self.index, &self.stopped) {
            lines.push(match passes {
                _ if self.is_unproven() => {
                    "error: the only pass deleted all keys that it found, but no pass proves that \
                     none is left"
                        .to_owned()
                }
                1 => "error: the only pass still found keys".to_owned(),
                passes => {
                    format!("error: the last of {} passes still found keys", grouped(passes.into()))
                }
            });
        }
        match &self.verified {
            Some(Err(error)) => lines.push(format!("error: the keys were not verified: {error}")),
            Some(Ok(Verified { present: 1.., .. })) if self.index.is_some() => {}
            Some(Ok(Verified { present: present @ 1.., .. })) => {
                let verb = if *present == 1 { "is" } else { "are" };
                lines.push(format!("error: {} {verb} still there", count(*present, "key")));
            }
            _ => {}
        }
        if !self.input_complete && self.index.is_none() {
            let verb = if self.report.pushed == 1 { "was" } else { "were" };
            let read = count(self.report.pushed, "key");
            lines.push(format!(
                "note: {read} {verb} read; the rest of the input was neither read nor sent"
            ));
        }
        if self.stopped.is_none() || rejected + unconfirmed > 0 {
            let errors: Vec<String> = self.output_files.errors().to_lines().collect();
            if (self.last_error().is_none() && !errors.is_empty()) || errors.len() > 1 {
                lines.push("note: keys that were not deleted, by their last error:".to_owned());
                lines.extend(errors);
            }
        }
        if self.stopped.is_none()
            && let Some(advice) = self.output_files.errors().advice(self.target)
        {
            lines.push(format!("help: {advice}"));
        }
        lines.extend(self.advice().map(|advice| format!("help: {advice}")));
        lines
    }

    /// Whether the only pass deleted all that it found. Vectors may be left that it did not find.
    fn is_unproven(&self) -> bool {
        let Report { rejected, unconfirmed, not_attempted, .. } = self.report;
        let has_one_pass = matches!(self.index, Some(Listing { passes: 1, is_clear: false }));
        has_one_pass && rejected + unconfirmed + not_attempted == 0 && self.verified.is_none()
    }

    /// The advice for the input that ended the run.
    fn reading_help(&self) -> Option<&'static str> {
        match self.stopped.as_ref()? {
            Stopped::Unreadable(error) | Stopped::BadLine(error) => error.help,
            _ => None,
        }
    }

    fn advice(&self) -> Option<String> {
        if let Some(Stopped::Listing(error)) = &self.stopped
            && let Some(advice) = matching::advice(error, self.target)
        {
            return Some(advice);
        }
        match &self.stopped {
            // The reason holds its own advice.
            Some(Stopped::Unwritten(reason)) if reason.contains("\nhelp: ") => return None,
            None if self.is_unproven() => {
                let how = "--verify, or --passes 2 or more";
                return Some(format!("run the same command again, with {how}"));
            }
            _ => {}
        }
        match self.last_error() {
            Some(error)
                if error.status().is_none() && error.message().contains("UnknownIssuer") =>
            {
                Some(
                    "give the certificate of the authority that signed it with --ca-file"
                        .to_owned(),
                )
            }
            Some(error) => error.advice(self.target).map(Into::into),
            None if self.reading_help().is_some() => self.reading_help().map(str::to_owned),
            None if matches!(self.stopped, Some(Stopped::BadLine(_))) => {
                let how = if self.output_files.can_be_resumed() {
                    "to continue, run the same command again"
                } else {
                    "correct it, or try again"
                };
                Some(format!("{how} {SKIP}"))
            }
            None => {
                if self.index.is_some() {
                    return Some("to continue, run the same command again".to_owned());
                }
                let again = "send them again: deleting a key twice is harmless";
                self.output_files
                    .advice(self.input_complete)
                    .or_else(|| (self.report.unconfirmed > 0).then(|| again.to_owned()))
            }
        }
    }
}
