//! Keys as a stream, read on a thread.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{io, thread, vec};

use futures_core::Stream;
use oss_delete_vectors::KeyBatch;
use tokio::sync::mpsc::{Receiver, channel};

/// The number of keys read ahead: two batches.
const KEYS_AHEAD: usize = 2 * KeyBatch::MAX_KEYS;

/// A panic of the reader is a separate item, because a closed channel looks like the end.
type Item = Result<String, Box<dyn Any + Send>>;

/// The keys of an iterator that may block. Each is returned as soon as it is available.
pub(crate) struct KeyStream {
    receiver: Receiver<Item>,
    received: vec::IntoIter<Item>,
}

impl KeyStream {
    pub(crate) fn read(keys: impl Iterator<Item = String> + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = channel(KEYS_AHEAD);
        let thread = thread::Builder::new().name("keys".to_owned()).spawn(move || {
            let send = |item| sender.blocking_send(item).is_ok();
            let read = AssertUnwindSafe(|| _ = { keys }.all(|key| send(Ok(key))));
            if let Err(panic) = catch_unwind(read) {
                send(Err(panic));
            }
        });
        thread.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot start a thread to read keys: {error}"))
        })?;
        Ok(Self { receiver, received: Vec::new().into_iter() })
    }

    /// Stops reading. Returns the keys that were read but not taken.
    pub(crate) fn close(mut self) -> Vec<String> {
        self.receiver.close();
        let rest = std::iter::from_fn(|| self.receiver.try_recv().ok());
        self.received.by_ref().chain(rest).flatten().collect()
    }
}

impl Stream for KeyStream {
    type Item = String;

    /// # Panics
    ///
    /// With the panic of the iterator.
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<String>> {
        if self.received.len() == 0 {
            let mut received = Vec::with_capacity(KeyBatch::MAX_KEYS);
            ready!(self.receiver.poll_recv_many(context, &mut received, KeyBatch::MAX_KEYS));
            self.received = received.into_iter();
        }
        Poll::Ready(
            self.received.next().map(|item| item.unwrap_or_else(|panic| resume_unwind(panic))),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::mpsc::sync_channel;

    use super::*;

    async fn next(keys: &mut KeyStream) -> Option<String> {
        poll_fn(|context| Pin::new(&mut *keys).poll_next(context)).await
    }

    #[tokio::test]
    async fn a_key_does_not_wait_for_the_next() {
        let (feed, fed) = sync_channel(0);
        let mut keys = KeyStream::read(fed.into_iter()).unwrap();
        for key in ["a", "b", "c"] {
            feed.send(key.to_owned()).unwrap();
            assert_eq!(next(&mut keys).await.as_deref(), Some(key));
        }
        drop(feed);
        assert_eq!(next(&mut keys).await, None);
    }

    #[tokio::test]
    #[should_panic(expected = "the reader")]
    async fn a_panic_is_not_the_end() {
        let mut keys = KeyStream::read(
            (0..2).map(|number| if number == 1 { panic!("the reader") } else { "a".into() }),
        )
        .unwrap();
        assert_eq!(next(&mut keys).await.as_deref(), Some("a"));
        next(&mut keys).await;
    }

    #[tokio::test]
    async fn keys_that_were_not_taken_are_returned() {
        let (feed, fed) = sync_channel(0);
        let mut keys = KeyStream::read(fed.into_iter()).unwrap();
        (0..700).for_each(|number: u32| feed.send(number.to_string()).unwrap());
        assert_eq!(next(&mut keys).await.as_deref(), Some("0"));
        // The failed send shows that the previous one was received.
        feed.send("700".to_owned()).unwrap();
        let rest = keys.close();
        assert_eq!(rest[..699], (1..700).map(|number: u32| number.to_string()).collect::<Vec<_>>());
    }
}
