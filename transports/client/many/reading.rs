use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::stream::FuturesUnordered;

use super::taken::{MOST_CALLS, Taken};
use super::{Client, Deleting};
use crate::calls::DeleteError;

/// The keys of a stream, on their way in calls of up to 500 keys. What the stream has at a time is
/// one call; the client merges them.
pub(super) struct Reading<'a> {
    client: &'a Client,
    keys: Taken,
    calls: FuturesUnordered<Deleting>,
    has_more: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(client: &'a Client) -> Self {
        Self { client, keys: Taken::new(), calls: FuturesUnordered::new(), has_more: true }
    }

    pub(super) fn poll<S: Stream<Item: AsRef<str>>>(
        &mut self,
        mut keys: Pin<&mut S>,
        context: &mut Context<'_>,
    ) -> Poll<Result<u64, DeleteError>> {
        loop {
            let is_dry = self.take_keys(keys.as_mut(), context);
            match Pin::new(&mut self.calls).poll_next(context) {
                Poll::Ready(Some(result)) => self.has_more &= self.keys.merge(result),
                Poll::Ready(None) if !self.has_more => return Poll::Ready(self.keys.result()),
                Poll::Ready(None) | Poll::Pending if is_dry || !self.wants_keys() => {
                    return Poll::Pending;
                }
                Poll::Ready(None) | Poll::Pending => {}
            }
        }
    }

    fn wants_keys(&self) -> bool {
        self.has_more && self.calls.len() < MOST_CALLS
    }

    /// Begins a call with what the stream has. Whether it has nothing now, and may have later.
    fn take_keys<S: Stream<Item: AsRef<str>>>(
        &mut self,
        mut keys: Pin<&mut S>,
        context: &mut Context<'_>,
    ) -> bool {
        while self.wants_keys() {
            let next = keys.as_mut().poll_next(context);
            let is_dry = next.is_pending();
            let call = match next.map(|key| key.map(|key| self.keys.push(key.as_ref()))) {
                Poll::Ready(Some(Ok(None))) => continue,
                Poll::Ready(Some(Ok(call))) => call,
                Poll::Ready(None | Some(Err(()))) => {
                    self.has_more = false;
                    self.keys.flush()
                }
                Poll::Pending => self.keys.flush(),
            };
            self.calls.extend(call.map(|call| self.client.begin(Ok(call))));
            return is_dry;
        }
        false
    }
}
