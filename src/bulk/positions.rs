use std::fmt;
use std::ops::Range;

/// The positions of the keys of a batch, in little memory.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Offsets count from here.
    base: u64,
    /// The first positions of the keys, in ascending order. Usually one run.
    runs: Vec<Run>,
    keys: u16,
    repeats: Vec<Repeat>,
}

/// Keys whose first positions are in a row, up to the first key of the next run.
#[derive(Debug, Clone, Copy)]
struct Run {
    key: u16,
    offset: u32,
}

impl Run {
    /// The offset of a key of this run.
    fn of(self, key: u16) -> u32 {
        self.offset + u32::from(key - self.key)
    }
}

/// Further positions of a key, one or several in a row.
#[derive(Debug, Clone, Copy)]
struct Repeat {
    offset: u32,
    count: u32,
    key: u16,
}

/// How far the positions of one batch may be apart. Duplicates and settled positions lie between.
const MOST_POSITIONS: u64 = 1 << 20;
/// How many entries for duplicates, 12 bytes each, one batch may have.
const MOST_REPEATS: usize = 1 << 13;

impl Places {
    pub(super) fn start(&self) -> u64 {
        self.base + u64::from(self.runs[0].offset)
    }

    /// Whether `position` cannot be added.
    pub(super) fn is_full_at(&self, position: u64) -> bool {
        position - self.base >= MOST_POSITIONS || self.repeats.len() >= MOST_REPEATS
    }

    /// Adds the first position of the next key.
    pub(super) fn add(&mut self, position: u64) {
        if self.runs.is_empty() {
            self.base = position;
        }
        let (key, offset) = (self.keys, self.offset(position));
        if self.runs.last().is_none_or(|run| run.of(key) != offset) {
            self.runs.push(Run { key, offset });
        }
        self.keys += 1;
    }

    /// Adds one more position of a key.
    pub(super) fn add_repeat(&mut self, position: u64, key: u16) {
        let offset = self.offset(position);
        match self.repeats.last_mut() {
            Some(last) if last.key == key && last.offset + last.count == offset => last.count += 1,
            _ => self.repeats.push(Repeat { offset, count: 1, key }),
        }
    }

    fn offset(&self, position: u64) -> u32 {
        u32::try_from(position - self.base).expect("a batch spans no more positions")
    }

    /// Takes the positions of the keys from `half` on.
    pub(super) fn split_off(&mut self, half: usize) -> Self {
        let half = u16::try_from(half).expect("a batch has at most 500 keys");
        let mut runs = self.runs.split_off(self.runs.partition_point(|run| run.key < half));
        if runs.first().is_none_or(|run| run.key > half)
            && let Some(last) = self.runs.last()
        {
            runs.insert(0, Run { key: half, offset: last.of(half) });
        }
        runs.iter_mut().for_each(|run| run.key -= half);
        let (first, second) =
            self.repeats.iter().partition::<Vec<_>, _>(|repeat| repeat.key < half);
        self.repeats = first;
        let repeats = second.into_iter().map(|repeat| Repeat { key: repeat.key - half, ..repeat });
        let keys = std::mem::replace(&mut self.keys, half) - half;
        Self { base: self.base, runs, keys, repeats: repeats.collect() }
    }

    pub(super) fn positions(&self) -> Positions {
        let ends = self.runs.iter().skip(1).map(|run| run.key).chain([self.keys]);
        let firsts = self.runs.iter().zip(ends).map(|(run, end)| run.offset..run.of(end));
        let repeats = self.repeats.iter().map(|repeat| repeat.offset..repeat.offset + repeat.count);
        let (mut firsts, mut repeats) = (firsts.peekable(), repeats.peekable());
        let merged = std::iter::from_fn(|| match (firsts.peek(), repeats.peek()) {
            (Some(first), Some(repeat)) if repeat.start < first.start => repeats.next(),
            (None, _) => repeats.next(),
            _ => firsts.next(),
        });
        let absolute = |offset: u32| self.base + u64::from(offset);
        Positions::collect(merged.map(|range| absolute(range.start)..absolute(range.end)))
    }
}

/// The positions of some keys in the input, counted from 0, including their duplicates. Never
/// empty.
///
/// Usually one range. There are gaps if a batch with duplicates was split, or if an earlier run had
/// settled some keys. The positions in a gap belong to keys with another outcome.
///
/// ```
/// # #[cfg(feature = "emulator")] {
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
/// use oss_delete_vectors::emulator::Emulator;
/// # use std::time::{Duration, UNIX_EPOCH};
/// # use oss_delete_vectors::{Credentials, Key, Now, Target};
/// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
/// #     .bucket("examplebucket").index_name("vectorindex1").build()?;
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
///     bulk.handle_response(now, transmit.id, &emulator.handle(now, &transmit.to_request()));
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
    /// Joins ranges that come in ascending order.
    pub(super) fn collect(ranges: impl IntoIterator<Item = Range<u64>>) -> Self {
        let mut ranges = ranges.into_iter();
        let mut last = ranges.next().expect("there is a position");
        let mut all = Vec::new();
        for range in ranges {
            if range.start == last.end {
                last.end = range.end;
            } else {
                all.push(std::mem::replace(&mut last, range));
            }
        }
        if all.is_empty() {
            return Self(Ranges::One(last));
        }
        all.push(last);
        Self(Ranges::Many(all))
    }

    /// The first position.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.as_slice()[0].start
    }

    /// The ranges, in ascending order, with gaps between them.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.as_slice().iter().cloned()
    }

    /// All positions, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.ranges().flatten()
    }

    /// Whether `position` is one of them.
    #[must_use]
    pub fn contains(&self, position: u64) -> bool {
        let ranges = self.as_slice();
        let after = ranges.partition_point(|range| range.end <= position);
        ranges.get(after).is_some_and(|range| range.start <= position)
    }

    /// The number of positions.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
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

/// A list of ranges.
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
        let positions = Positions::collect([3..4, 4..5, 7..10, 20..21]);
        assert_eq!(positions.ranges().collect::<Vec<_>>(), [3..5, 7..10, 20..21]);
        assert_eq!(
            (positions.first(), positions.len(), format!("{positions:?}").as_str()),
            (3, 6, "[3..5, 7..10, 20..21]")
        );
        let inside: Vec<u64> = (0..30).filter(|&position| positions.contains(position)).collect();
        assert_eq!(inside, positions.iter().collect::<Vec<_>>());
        let joined = Positions::collect([5..8, 8..9]);
        assert_eq!(joined, Positions::collect(std::iter::once(5..9)));
        assert!(joined == (5..9) && joined != (5..10));
    }

    #[test]
    fn a_batch_spans_a_bounded_number_of_positions_and_repeats() {
        let mut places = Places::default();
        places.add(7);
        let end = 7 + MOST_POSITIONS;
        assert!(!places.is_full_at(end - 1) && places.is_full_at(end));
        // Repeats of a key in a row take one entry.
        (8..30_000).for_each(|position| places.add_repeat(position, 0));
        assert_eq!(
            (places.repeats.len(), places.positions()),
            (1, Positions::collect(std::iter::once(7..30_000)))
        );
        places.add(30_000);
        for position in 30_001.. {
            if places.is_full_at(position) {
                break;
            }
            places.add_repeat(position, u16::from(position % 2 == 0));
        }
        assert_eq!(places.repeats.len(), MOST_REPEATS);
    }

    #[test]
    fn positions_of_keys_and_repeats_are_merged() {
        for (keys, repeats, expected) in [
            (&[0, 1, 3][..], &[][..], "[0..2, 3..4]"),
            (&[3, 4, 8], &[5], "[3..6, 8..9]"),
            (&[3, 4, 8], &[5, 9, 12], "[3..6, 8..10, 12..13]"),
            (&[7, 8], &[9, 10], "[7..11]"),
        ] {
            let mut places = Places::default();
            keys.iter().for_each(|&position| places.add(position));
            repeats.iter().for_each(|&position| places.add_repeat(position, 0));
            assert_eq!(format!("{:?}", places.positions()), expected);
        }
    }
}
