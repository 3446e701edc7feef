use std::fmt;
use std::ops::Range;

/// Where keys were pushed, counted from 0: each of their positions, duplicates among them, and no others. At least one.
///
/// Mostly one range. Where a batch that holds duplicates is split, or where an earlier run had settled keys in between, there are
/// gaps: those positions belong to other keys, with an outcome of their own.
///
/// ```
/// # #[cfg(feature = "emulator")] {
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
/// use oss_delete_vectors::emulator::Emulator;
/// # use std::time::{Duration, UNIX_EPOCH};
/// # use oss_delete_vectors::{Credentials, Key, Now, Target};
/// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1").build()?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let now = Now::new(Duration::ZERO, UNIX_EPOCH + Duration::from_secs(1_702_743_657));
///
/// // A service that rejects "bad", which is pushed twice.
/// let mut emulator = Emulator::with_vectors(&target, credentials.clone(), ["a", "bad", "b"])?;
/// emulator.reject_keys(["bad"]);
/// let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
/// for key in ["a", "bad", "b", "bad"] {
///     bulk.push(Key::new(key)?)?;
/// }
/// bulk.finish();
/// while let Some(transmit) = bulk.poll_transmit(now) {
///     bulk.handle_response(now, transmit.id, &emulator.handle(now, &transmit.request));
/// }
/// let failed = std::iter::from_fn(|| bulk.poll_event())
///     .find_map(|event| if let Event::Failed(failed) = event { Some(failed) } else { None });
/// assert_eq!(failed.unwrap().positions.iter().collect::<Vec<_>>(), [1, 3]);
/// # }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Positions(Ranges);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Ranges {
    /// The common case, without an allocation.
    One(Range<u64>),
    Many(Vec<Range<u64>>),
}

impl Positions {
    pub(super) fn one(range: Range<u64>) -> Self {
        Self(Ranges::One(range))
    }

    /// Positions in rising order.
    pub(super) fn collect(positions: impl Iterator<Item = u64>) -> Self {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for position in positions {
            match ranges.last_mut() {
                Some(last) if last.end == position => last.end += 1,
                _ => ranges.push(position..position + 1),
            }
        }
        Self(if let [range] = &ranges[..] {
            Ranges::One(range.clone())
        } else {
            Ranges::Many(ranges)
        })
    }

    /// The first of them.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.as_slice()[0].start
    }

    /// Ranges without a gap, in rising order, none touching the next.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.as_slice().iter().cloned()
    }

    /// Each of them, in rising order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.ranges().flatten()
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn contains(&self, position: u64) -> bool {
        let ranges = self.as_slice();
        let after = ranges.partition_point(|range| range.end <= position);
        ranges.get(after).is_some_and(|range| range.start <= position)
    }

    /// How many there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> u64 {
        self.ranges().map(|range| range.end - range.start).sum()
    }

    fn as_slice(&self) -> &[Range<u64>] {
        match &self.0 {
            Ranges::One(range) => std::slice::from_ref(range),
            Ranges::Many(ranges) => ranges,
        }
    }
}

impl PartialEq<Range<u64>> for Positions {
    fn eq(&self, range: &Range<u64>) -> bool {
        self.as_slice() == std::slice::from_ref(range)
    }
}

/// As a list of ranges.
impl fmt::Debug for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_left_out() {
        let positions = Positions::collect([3, 4, 7, 8, 9, 20].into_iter());
        assert_eq!(positions.ranges().collect::<Vec<_>>(), [3..5, 7..10, 20..21]);
        assert_eq!(
            (positions.first(), positions.len(), format!("{positions:?}").as_str()),
            (3, 6, "[3..5, 7..10, 20..21]")
        );
        let inside: Vec<u64> = (0..30).filter(|&position| positions.contains(position)).collect();
        assert_eq!(inside, positions.iter().collect::<Vec<_>>());
        assert_eq!(Positions::collect(5..9), 5..9);
        assert_eq!(Positions::collect(5..9), Positions::one(5..9));
    }
}
