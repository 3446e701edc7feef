use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

/// The keys of an iterator as a stream that never pauses. The same as `futures::stream::iter`,
/// without the dependency.
pub fn stream_iter<I: IntoIterator>(keys: I) -> StreamIter<I::IntoIter> {
    StreamIter { keys: keys.into_iter() }
}

/// See [`stream_iter`].
#[derive(Debug, Clone)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct StreamIter<I> {
    keys: I,
}

// Nothing in it is ever pinned.
impl<I> Unpin for StreamIter<I> {}

impl<I: Iterator> Stream for StreamIter<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.keys.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.keys.size_hint()
    }
}
