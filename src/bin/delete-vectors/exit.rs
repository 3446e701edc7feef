//! The exit codes. Scripts decide by them what to do next. They equal those of ossutil.

use std::process::ExitCode;

use oss_delete_vectors::bulk::StopReason;
use oss_delete_vectors::credentials::{SourceError, SourceErrorKind};
use oss_delete_vectors::{AttemptError, ListError};

use crate::output_files::BoxError;

/// The reason why the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Usage = 1,
    Rejected = 2,
    Unreachable = 3,
    Incomplete = 4,
    Interrupted = 5,
}

/// The one table: for `--help`, the man page and README.
pub(crate) const CODES: &[(&str, &str)] = &[
    ("0", "all vectors are deleted or did not exist"),
    ("1", "a parameter, the configuration or a local file is wrong"),
    ("2", "the service rejected the request, and nothing was deleted"),
    ("3", "nothing was deleted: the service was not reached, or the response is not from it"),
    ("4", "some vectors are not deleted, or the deletion was not confirmed"),
    ("5", "interrupted, or not confirmed at the prompt"),
];

impl Exit {
    /// The code of a run that stopped, or deleted nothing, because of `error`.
    pub(crate) fn because_of(error: &AttemptError) -> Self {
        match error {
            AttemptError::Service(error) if error.is_from_oss() => Self::Rejected,
            AttemptError::Service(_) | AttemptError::Transport(_) => Self::Unreachable,
        }
    }

    /// The code of a listing that stopped, or returned nothing.
    pub(crate) fn because_listing_stopped(error: &ListError) -> Self {
        match error.reason() {
            StopReason::FilterIgnored => Self::Usage,
            _ => error.attempt_error().map_or(Self::Incomplete, Self::because_of),
        }
    }

    /// The code of an error before the first request. A credentials service may have rejected its
    /// request, or be unreachable.
    pub(crate) fn without_run(error: &BoxError) -> Self {
        match error.downcast_ref::<SourceError>().map(SourceError::kind) {
            Some(SourceErrorKind::Rejected { .. }) => Self::Rejected,
            Some(SourceErrorKind::Unreachable(_) | SourceErrorKind::Unexpected { .. }) => {
                Self::Unreachable
            }
            _ => Self::Usage,
        }
    }

    /// Ends the program at once.
    pub(crate) fn now(self) -> ! {
        std::process::exit(self as i32)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_help_man_page_and_readme() {
        let exits = [
            Exit::Done,
            Exit::Usage,
            Exit::Rejected,
            Exit::Unreachable,
            Exit::Incomplete,
            Exit::Interrupted,
        ];
        assert_eq!(exits.map(|exit| (exit as u8).to_string()).as_slice(), codes());
        let readme = include_str!("../../../README.md");
        let chinese = include_str!("../../../README.zh-CN.md");
        let help = <crate::args::Args as clap::CommandFactory>::command();
        let help = help.get_after_help().unwrap().to_string();
        for (code, text) in CODES {
            assert!(readme.contains(&format!("\n| {code} | {text} |")), "README.md: {code}");
            assert!(chinese.contains(&format!("\n| {code} | ")), "README.zh-CN.md: {code}");
            assert!(help.contains(&format!("\n  {code}  {text}")), "--help: {code}");
        }
        let sections = crate::manual::MANUAL.sections;
        assert!(sections.contains(&("EXIT STATUS", CODES)));
    }

    fn codes() -> Vec<&'static str> {
        CODES.iter().map(|(code, _)| *code).collect()
    }
}
