use std::time::Duration;

use crate::{AttemptError, ListError};

/// What a listing reports.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ListEvent {
    /// The service wants fewer requests. The page is asked for again, after a back-off.
    Throttled,
    /// A page will be asked for again.
    #[non_exhaustive]
    Retrying {
        /// What went wrong.
        error: AttemptError,
    },
    /// The service no longer accepts the token of a segment, which is listed from its beginning.
    #[non_exhaustive]
    Restarted {
        /// What the service said.
        error: AttemptError,
    },
    /// The service's clock differs from this one; requests are dated by it from now on.
    ClockCorrected,
    /// Credentials have expired, are about to, or were rejected: hand others to
    /// [`handle_credentials`](crate::KeyLister::handle_credentials). Asked again every 10 seconds.
    CredentialsNeeded,
    /// No page has come for a minute, while attempts failed or were throttled.
    #[non_exhaustive]
    OutageBegan {
        /// The last error.
        error: AttemptError,
        /// Time since the first failure.
        lasted: Duration,
    },
    /// A page came again.
    #[non_exhaustive]
    OutageEnded {
        /// Time since the first failure of the outage.
        lasted: Duration,
    },
    /// No request will be sent any more.
    Stopped(ListError),
}

/// What a listing did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListReport {
    /// Keys in all pages, those without the prefix among them.
    pub listed: u64,
    /// Keys that were looked up. A key that is twice in one request counts once.
    pub looked_up: u64,
    /// Keys that the selection has. A key that came twice counts twice.
    pub selected: u64,
    /// Pages received.
    pub pages: u64,
    /// Requests handed out. With a filter, one of them checks that the endpoint applies filters.
    pub requests: u64,
    /// Requests that were throttled.
    pub throttled: u64,
    /// Pages that were asked for again because an attempt failed.
    pub retries: u64,
    /// Segments that were listed from their beginning again.
    pub restarts: u64,
}
