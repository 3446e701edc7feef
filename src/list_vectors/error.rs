use std::fmt;

use crate::AttemptError;
use crate::bulk::StopReason;

/// A listing stopped before its end: keys may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListError {
    reason: StopReason,
}

impl ListError {
    pub(crate) fn new(reason: StopReason) -> Self {
        Self { reason }
    }

    /// The reason. It has the same meaning as for a run.
    #[must_use]
    pub fn reason(&self) -> &StopReason {
        &self.reason
    }

    /// The error of the request that stopped it, if there is one.
    #[must_use]
    pub fn attempt_error(&self) -> Option<&AttemptError> {
        self.reason.attempt_error()
    }
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the listing stopped: ")?;
        match &self.reason {
            StopReason::NoSuccess(error) => {
                write!(f, "no page came in a minute or ten attempts: {error}")
            }
            reason => reason.fmt(f),
        }
    }
}

/// Has no source, because its text contains everything.
impl std::error::Error for ListError {}
