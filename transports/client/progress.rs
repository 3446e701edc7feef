use std::time::Duration;

use crate::bulk::BulkDelete;

/// Who is shown the machine, and when next.
pub(super) struct Progress<M> {
    every: Duration,
    due: Option<Duration>,
    show: M,
}

impl<M: FnMut(&BulkDelete)> Progress<M> {
    pub(super) fn new(every: Duration, show: M) -> Self {
        // Below a millisecond the run would do nothing else.
        Self { every: every.max(Duration::from_millis(1)), due: None, show }
    }

    /// Shows it where that is due, the first time after one interval.
    pub(super) fn poll(&mut self, now: Duration, bulk: &BulkDelete) {
        if *self.due.get_or_insert(now.saturating_add(self.every)) <= now {
            self.due = Some(now.saturating_add(self.every));
            (self.show)(bulk);
        }
    }

    pub(super) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Shows the last of it.
    pub(super) fn end(mut self, bulk: &BulkDelete) {
        (self.show)(bulk);
    }
}
