use std::time::Duration;

/// Decides how often to list while the listed keys are deleted: until a pass finds nothing.
///
/// The service does not document whether a listing sees concurrent deletes and puts. So an index is
/// listed again when every key of a pass has an outcome. The passes end:
///
/// - after a pass without a key: [`is_clear`](Self::is_clear);
/// - after a pass without a deleted key;
/// - after the maximum, 10 by default.
///
/// The second pass starts at once. Later ones wait, first 1 second and then twice as long each time
/// up to 30 seconds, in case the listing is stale.
///
/// A pure value: report what happens, and call [`next_pass`](Self::next_pass) at the end of each
/// listing.
///
/// ```
/// use std::time::Duration;
/// use oss_delete_vectors::{NextPass, Passes};
///
/// let mut passes = Passes::new(10);
/// passes.listed(500);
/// assert_eq!(passes.next_pass(), NextPass::Wait, "the keys have no outcome yet");
/// passes.settled(500, 500);
/// assert_eq!(passes.next_pass(), NextPass::Again(Duration::ZERO));
/// assert_eq!(passes.next_pass(), NextPass::End, "the second pass found nothing");
/// assert!(passes.is_clear());
/// ```
#[derive(Debug, Clone)]
pub struct Passes {
    most: u32,
    /// The current pass, from 1.
    pass: u32,
    found: u64,
    deleted: u64,
    /// Keys of all passes without an outcome.
    pending: u64,
    is_clear: bool,
}

/// Whether to list again, at the end of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextPass {
    /// Call again when more keys have an outcome.
    Wait,
    /// List again, after this time.
    Again(Duration),
    /// The listing is complete.
    End,
}

/// The maximum time between two passes.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl Passes {
    /// At most this many passes. 0 counts as 1.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self { most: most.max(1), pass: 1, found: 0, deleted: 0, pending: 0, is_clear: false }
    }

    /// The current pass found this many more keys.
    pub fn listed(&mut self, keys: u64) {
        self.found += keys;
        self.pending += keys;
    }

    /// `keys` more of the listed keys have an outcome, and `deleted` of these were deleted.
    /// Duplicates have the outcome of their key.
    pub fn settled(&mut self, keys: u64, deleted: u64) {
        self.pending = self.pending.saturating_sub(keys);
        self.deleted += deleted;
    }

    /// What to do when the listing of this pass has ended. [`NextPass::Again`] starts the next
    /// pass.
    #[must_use]
    pub fn next_pass(&mut self) -> NextPass {
        if self.pending > 0 {
            return NextPass::Wait;
        }
        self.is_clear = self.found == 0;
        if self.is_clear || self.deleted == 0 || self.pass >= self.most {
            return NextPass::End;
        }
        let doubled = self.pass.checked_sub(2).map_or(0, |double| 1 << double.min(16));
        self.pass += 1;
        (self.found, self.deleted) = (0, 0);
        NextPass::Again(Duration::from_secs(doubled).min(LONGEST_WAIT))
    }

    /// The current pass, or the last one, counted from 1.
    #[must_use]
    pub fn pass(&self) -> u32 {
        self.pass
    }

    /// Whether the last pass found no key, so that no selected vector is left.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.is_clear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_wait_increasingly_longer() {
        let mut passes = Passes::new(10);
        let mut waits = Vec::new();
        loop {
            passes.listed(3);
            assert_eq!(passes.next_pass(), NextPass::Wait);
            passes.settled(1, 1);
            assert_eq!(passes.next_pass(), NextPass::Wait);
            passes.settled(2, 1);
            match passes.next_pass() {
                NextPass::Again(wait) => waits.push(wait.as_secs()),
                next => {
                    assert_eq!(next, NextPass::End);
                    break;
                }
            }
        }
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!((passes.pass(), passes.is_clear()), (10, false));
    }

    #[test]
    fn a_pass_without_a_deletion_is_the_last() {
        let mut passes = Passes::new(10);
        passes.listed(2);
        passes.settled(2, 0);
        assert_eq!(
            (passes.next_pass(), passes.is_clear(), passes.pass()),
            (NextPass::End, false, 1)
        );
    }

    #[test]
    fn a_pass_without_a_key_ends_a_clear_index() {
        let mut passes = Passes::new(10);
        passes.listed(1);
        passes.settled(1, 1);
        assert_eq!(passes.next_pass(), NextPass::Again(Duration::ZERO));
        assert!(!passes.is_clear());
        assert_eq!(
            (passes.next_pass(), passes.is_clear(), passes.pass()),
            (NextPass::End, true, 2)
        );
    }
}
