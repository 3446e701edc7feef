use std::fmt;
use std::iter::FusedIterator;
use std::ops::Range;

use super::{Key, KeyBatch};

/// The keys of a [`KeyBatch`]; see [`KeyBatch::iter`].
#[derive(Clone)]
pub struct Keys<'a> {
    pub(super) batch: &'a KeyBatch,
    pub(super) left: Range<usize>,
}

impl<'a> Iterator for Keys<'a> {
    type Item = Key<'a>;

    fn next(&mut self) -> Option<Key<'a>> {
        self.left.next().map(|index| Key(self.batch.text_of(index)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }

    fn nth(&mut self, count: usize) -> Option<Key<'a>> {
        self.left.nth(count).map(|index| Key(self.batch.text_of(index)))
    }
}

impl DoubleEndedIterator for Keys<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left.next_back().map(|index| Key(self.batch.text_of(index)))
    }
}

impl ExactSizeIterator for Keys<'_> {}

impl FusedIterator for Keys<'_> {}

/// Prints the remaining keys.
impl fmt::Debug for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone().map(Key::as_str)).finish()
    }
}

impl<'a> IntoIterator for &'a KeyBatch {
    type Item = Key<'a>;
    type IntoIter = Keys<'a>;

    fn into_iter(self) -> Keys<'a> {
        self.iter()
    }
}
