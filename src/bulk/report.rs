use std::collections::BTreeMap;
use std::ops::Range;

use super::{Batch, BulkDelete, Event, FailedKeys, KeyOutcome, Phase};

/// How many keys have which outcome. At any time,
/// `deleted + rejected + unconfirmed + not_attempted + duplicates + pending = pushed`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use = "a run that ends well may have deleted only a part: see `is_all_deleted`"]
#[non_exhaustive]
pub struct Report {
    /// Keys pushed, duplicates among them.
    pub pushed: u64,
    /// Keys that the service confirmed, whether or not they existed.
    pub deleted: u64,
    /// See [`KeyOutcome::Rejected`](super::KeyOutcome::Rejected).
    pub rejected: u64,
    /// See [`KeyOutcome::Unconfirmed`](super::KeyOutcome::Unconfirmed).
    pub unconfirmed: u64,
    /// See [`KeyOutcome::NotAttempted`](super::KeyOutcome::NotAttempted).
    pub not_attempted: u64,
    /// Keys dropped because their batch had them already.
    pub duplicates: u64,
    /// Requests handed out.
    pub requests: u64,
    /// Requests that were throttled.
    pub throttled: u64,
    /// Batches queued again after a failed attempt.
    pub retries: u64,
    /// Whether every key of the input was pushed: [`finish`](super::BulkDelete::finish) was called
    /// before the run stopped.
    pub input_complete: bool,
}

impl Report {
    /// Keys that have no outcome yet.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.pushed
            - self.deleted
            - self.rejected
            - self.unconfirmed
            - self.not_attempted
            - self.duplicates
    }

    /// Whether every key of the input is deleted. `false` while more keys may come, and if the run
    /// stopped before the end of its input: the rest was never pushed.
    #[must_use]
    pub fn is_all_deleted(&self) -> bool {
        self.input_complete && self.deleted + self.duplicates == self.pushed
    }
}

/// The positions whose keys are settled. A run that resumes this one skips them.
///
/// A position is settled once its key is deleted or has failed for good. Keys that the end of the
/// run interrupted are not settled. A duplicate has the outcome of the same key in its batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    prefix: u64,
    /// Start to end. No range touches another one or the prefix.
    ranges: BTreeMap<u64, u64>,
}

impl Settled {
    /// All positions before this one are settled.
    #[must_use]
    pub fn prefix(&self) -> u64 {
        self.prefix
    }

    /// The settled positions after the prefix, in ascending order, as ranges with gaps between
    /// them.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        self.ranges.iter().map(|(&start, &end)| start..end)
    }

    /// Whether this position is settled.
    #[must_use]
    pub fn contains(&self, position: u64) -> bool {
        position < self.prefix
            || self.ranges.range(..=position).next_back().is_some_and(|(_, &end)| position < end)
    }

    /// The number of settled positions.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a count, not a container")]
    pub fn len(&self) -> u64 {
        self.ranges().fold(self.prefix, |len, range| len + (range.end - range.start))
    }

    pub(super) fn insert_all(&mut self, other: &Self) {
        std::iter::once(0..other.prefix).chain(other.ranges()).for_each(|range| self.insert(range));
    }

    pub(super) fn insert(&mut self, range: Range<u64>) {
        let Range { mut start, mut end } = range;
        if start >= end {
            return;
        }
        if let Some((&before, &touching)) = self.ranges.range(..=start).next_back()
            && touching >= start
        {
            (start, end) = (before, end.max(touching));
            self.ranges.remove(&before);
        }
        while let Some((&after, &its_end)) = self.ranges.range(start..=end).next() {
            end = end.max(its_end);
            self.ranges.remove(&after);
        }
        if start <= self.prefix {
            self.prefix = self.prefix.max(end);
        } else {
            self.ranges.insert(start, end);
        }
    }
}

impl BulkDelete {
    pub(super) fn settle_deleted(&mut self, batch: Batch, request_id: Option<String>) {
        self.report.deleted += batch.keys().len() as u64;
        let positions = batch.positions();
        positions.ranges().for_each(|range| self.settled.insert(range));
        if !matches!(self.phase, Phase::Stopped(_)) {
            self.settle_unproven();
        }
        let (keys, batch) = (batch.keys().len(), batch.into_keys());
        self.events.push_back(Event::Deleted { keys, batch, positions, request_id });
    }

    /// Takes keys that were rejected before the first success as settled.
    pub(super) fn settle_unproven(&mut self) {
        let (rejected, keys) = std::mem::take(&mut self.unproven);
        self.settled.insert_all(&rejected);
        self.failed_for_good[0] += keys;
    }

    pub(super) fn settle_failed(&mut self, mut batch: Batch) {
        let (outcome, positions) = (batch.outcome(), batch.positions());
        let (count, failed_for_good) = match outcome {
            KeyOutcome::Rejected => (&mut self.report.rejected, 0),
            KeyOutcome::Unconfirmed => (&mut self.report.unconfirmed, 1),
            KeyOutcome::NotAttempted => (&mut self.report.not_attempted, 2),
        };
        *count += batch.keys().len() as u64;
        // Two kinds of failed keys are not settled, so that a resumed run sends them again: those
        // that the end of the run interrupts, and those rejected before the first success. With a
        // wrong target every key is rejected. A later success settles the second kind.
        let is_unproven = outcome == KeyOutcome::Rejected && !self.history.had_success;
        let (settled, settled_keys) = match &mut self.unproven {
            _ if matches!(self.phase, Phase::Stopped(_)) => {
                (&mut self.interrupted.0, &mut self.interrupted.1[failed_for_good])
            }
            (unproven, keys) if is_unproven => (unproven, keys),
            _ => (&mut self.settled, &mut self.failed_for_good[failed_for_good]),
        };
        positions.ranges().for_each(|range| settled.insert(range));
        *settled_keys += batch.keys().len() as u64;
        let (requests, error) = (batch.requests, batch.last_error.take());
        let keys = batch.into_keys();
        self.events.push_back(Event::Failed(FailedKeys {
            keys,
            positions,
            outcome,
            error,
            requests,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_deleted_only_if_every_key_is_deleted() {
        let all = Report {
            pushed: 7,
            deleted: 5,
            duplicates: 2,
            input_complete: true,
            ..Report::default()
        };
        assert!(
            all.is_all_deleted()
                && Report { input_complete: true, ..Report::default() }.is_all_deleted()
        );
        for other in [
            Report { pushed: 8, ..all },
            Report { input_complete: false, ..all },
            Report { pushed: 8, rejected: 1, ..all },
            Report { pushed: 8, unconfirmed: 1, ..all },
            Report { pushed: 8, not_attempted: 1, ..all },
        ] {
            assert!(!other.is_all_deleted(), "{other:?}");
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn it_is_stored_by_its_members() {
        let report = Report {
            pushed: 7,
            deleted: 5,
            duplicates: 2,
            requests: 1,
            input_complete: true,
            ..Report::default()
        };
        let text = serde_json::to_string(&report).unwrap();
        assert!(text.starts_with(r#"{"pushed":7,"deleted":5,"rejected":0,"#), "{text}");
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }

    #[test]
    fn ranges_join_in_any_order() {
        let parts = [0..2, 2..3, 3..7, 8..9, 9..12, 12..13];
        for rotation in 0..parts.len() {
            let mut settled = Settled::default();
            for step in 0..parts.len() {
                settled.insert(parts[(rotation + step * 5) % parts.len()].clone());
            }
            assert_eq!(settled.prefix(), 7, "{rotation}");
            assert!(settled.ranges().eq(std::iter::once(8..13)), "{rotation}: {settled:?}");
            assert!(
                settled.contains(6)
                    && !settled.contains(7)
                    && settled.contains(12)
                    && !settled.contains(13)
            );
            settled.insert(7..8);
            assert_eq!((settled.prefix(), settled.ranges().count()), (13, 0));
        }
    }
}
