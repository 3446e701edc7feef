use std::collections::BTreeMap;
use std::ops::Range;

/// Which of the pushed keys are settled, by position of push: what a run that is resumed leaves out.
///
/// A position is settled once its key is deleted or given up; keys that were cut short by the end of the run are not. A
/// duplicate's position settles with the keys around it; the key itself settles with its first position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    prefix: u64,
    /// Start to end, none touching another or the prefix.
    ranges: BTreeMap<u64, u64>,
}

impl Settled {
    /// All positions before this one are settled.
    #[must_use]
    pub fn prefix(&self) -> u64 {
        self.prefix
    }

    /// The settled positions past the prefix, in order, none touching the next.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        self.ranges.iter().map(|(&start, &end)| start..end)
    }

    /// Whether this position is settled.
    #[must_use]
    pub fn contains(&self, position: u64) -> bool {
        position < self.prefix
            || self.ranges.range(..=position).next_back().is_some_and(|(_, &end)| position < end)
    }

    /// How many positions are settled.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a count; nobody asks whether there is none")]
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

#[cfg(test)]
mod tests {
    use super::*;

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
