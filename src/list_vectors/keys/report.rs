use std::time::Duration;

use crate::{AttemptError, ListError};

/// An event of a listing.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ListEvent {
    /// The service throttles. The page is requested again, after a back-off.
    Throttled,
    /// A page will be requested again.
    #[non_exhaustive]
    Retrying {
        /// The error.
        error: AttemptError,
    },
    /// The service no longer accepts the token of a segment, which is listed from its beginning.
    #[non_exhaustive]
    Restarted {
        /// The error response of the service.
        error: AttemptError,
    },
    /// The service's clock differs from this one. Requests are dated by it from now on.
    ClockCorrected,
    /// Credentials have expired, are about to, or were rejected: pass new ones to
    /// [`handle_credentials`](crate::KeyLister::handle_credentials). Repeated every 10 seconds.
    CredentialsNeeded,
    /// No page arrived for a minute, while attempts failed or were throttled.
    #[non_exhaustive]
    OutageBegan {
        /// The last error.
        error: AttemptError,
        /// Time since the first failure.
        lasted: Duration,
    },
    /// A page arrived again.
    #[non_exhaustive]
    OutageEnded {
        /// Time since the first failure of the outage.
        lasted: Duration,
    },
    /// No more requests will be sent.
    Stopped(ListError),
}

/// The counts of a listing so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListReport {
    /// The keys in all pages, including those without the prefix.
    pub listed: u64,
    /// The keys looked up. A duplicate in one request counts once.
    pub looked_up: u64,
    /// The selected keys. A key that was listed twice counts twice.
    pub selected: u64,
    /// The pages received.
    pub pages: u64,
    /// The requests sent. With a filter, one of them checks that the endpoint applies filters.
    pub requests: u64,
    /// The throttled requests.
    pub throttled: u64,
    /// The pages requested again after a failed attempt.
    pub retries: u64,
    /// The segments listed again from their beginning.
    pub restarts: u64,
}
