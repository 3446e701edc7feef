use std::collections::BTreeMap;
use std::ops::Range;

use super::CallId;

/// Maps positions to the keys of calls while they are unsettled.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// By the first position.
    segments: BTreeMap<u64, Segment>,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    /// The end of the positions.
    end: u64,
    call: CallId,
    /// The key of `call` at the first position.
    key: usize,
}

impl Segments {
    /// Key number `key` of `call` was pushed at `position`, which is above all previous ones.
    pub(super) fn add(&mut self, position: u64, call: CallId, key: usize) {
        if let Some(mut last) = self.segments.last_entry() {
            let (start, last) = (*last.key(), last.get_mut());
            if last.call == call && last.end == position && last.key_at(start, position) == key {
                last.end += 1;
                return;
            }
        }
        self.segments.insert(position, Segment { end: position + 1, call, key });
    }

    /// Removes the positions in `range`, and passes the call and keys of each part.
    pub(super) fn take(&mut self, range: &Range<u64>, mut each: impl FnMut(CallId, Range<usize>)) {
        let mut next = self.first_of(range);
        while let Some((&start, _)) = self.segments.range(next..range.end).next() {
            let segment = self.segments.remove(&start).expect("an unsettled segment");
            let part = start.max(range.start)..segment.end.min(range.end);
            if start < part.start {
                self.segments.insert(start, Segment { end: part.start, ..segment });
            }
            if part.end < segment.end {
                let key = segment.key_at(start, part.end);
                self.segments.insert(part.end, Segment { key, ..segment });
            }
            next = part.end;
            each(segment.call, segment.key_at(start, part.start)..segment.key_at(start, part.end));
        }
    }

    /// The unsettled parts of `range`: calls with their keys.
    pub(super) fn overlapping(
        &self,
        range: &Range<u64>,
    ) -> impl Iterator<Item = (CallId, Range<usize>)> + use<'_> {
        let (first, end) = (self.first_of(range), range.end);
        let from = range.start;
        self.segments.range(first..end).map(move |(&start, segment)| {
            let part = start.max(from)..segment.end.min(end);
            (segment.call, segment.key_at(start, part.start)..segment.key_at(start, part.end))
        })
    }

    /// The position from which to search for the first segment that overlaps `range`.
    fn first_of(&self, range: &Range<u64>) -> u64 {
        let before = self.segments.range(..=range.start).next_back();
        before
            .filter(|(_, segment)| segment.end > range.start)
            .map_or(range.start, |(&start, _)| start)
    }
}

impl Segment {
    /// The key at `position`, in the segment that begins at `start`.
    fn key_at(&self, start: u64, position: u64) -> usize {
        self.key + usize::try_from(position - start).expect("a call has its keys in memory")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_taken_in_any_order() {
        let (a, b) = (CallId(1), CallId(2));
        let mut segments = Segments::default();
        for key in 0..10 {
            segments.add(key as u64, a, key);
        }
        for key in 0..5 {
            segments.add(10 + key as u64, b, key);
        }
        segments.add(15, a, 10);
        assert_eq!(segments.segments.len(), 3, "consecutive keys must be one segment");
        let mut apart = Segments::default();
        let parts = [(0, a, 0), (1, b, 1), (2, b, 3), (4, b, 5)];
        parts.into_iter().for_each(|(position, call, key)| apart.add(position, call, key));
        assert_eq!(apart.segments.len(), parts.len(), "another call, key or position");
        let take = |segments: &mut Segments, range| {
            let mut taken = Vec::new();
            segments.take(&range, |call, keys| taken.push((call, keys)));
            taken
        };
        assert_eq!(take(&mut segments, 3..5), [(a, 3..5)]);
        assert_eq!(take(&mut segments, 8..12), [(a, 8..10), (b, 0..2)]);
        assert_eq!(take(&mut segments, 3..5), []);
        let left: Vec<_> = segments.overlapping(&(1..100)).collect();
        assert_eq!(left, [(a, 1..3), (a, 5..8), (b, 2..5), (a, 10..11)]);
        assert_eq!(take(&mut segments, 0..16), [(a, 0..3), (a, 5..8), (b, 2..5), (a, 10..11)]);
        assert!(segments.segments.is_empty());
    }
}
