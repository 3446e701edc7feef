/// Where every pushed key is: at any time,
/// `deleted + rejected + unconfirmed + not_attempted + duplicates + pending = pushed`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Keys pushed, duplicates among them.
    pub pushed: u64,
    /// Keys that the service confirmed, whether they were there before or not.
    pub deleted: u64,
    /// See [`KeyOutcome::Rejected`](super::KeyOutcome::Rejected).
    pub rejected: u64,
    /// See [`KeyOutcome::Unconfirmed`](super::KeyOutcome::Unconfirmed).
    pub unconfirmed: u64,
    /// See [`KeyOutcome::NotAttempted`](super::KeyOutcome::NotAttempted).
    pub not_attempted: u64,
    /// Keys dropped because their batch held them already.
    pub duplicates: u64,
    /// Requests handed out.
    pub requests: u64,
    /// Requests that were throttled.
    pub throttled: u64,
    /// Batches that were to be sent again because an attempt failed.
    pub retries: u64,
}

impl Report {
    /// Keys that have no outcome yet.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.pushed - self.deleted - self.rejected - self.unconfirmed - self.not_attempted - self.duplicates
    }
}
