//! Each future is dropped after each of its polls, on each runtime.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::stream;
use oss_delete_vectors::bulk::KeyOutcome;
use oss_delete_vectors::calls::DeleteErrorKind;

use super::*;
use crate::calls::{BUCKET, INDEX};
use crate::service::key;

/// Polls at most this many times. Returns `None` and drops the future if that was not enough.
struct AtMost<F>(Option<F>, usize);

impl<F: Future + Unpin> Future for AtMost<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.1 == 0 {
            self.0 = None;
            return Poll::Ready(None);
        }
        self.1 -= 1;
        let future = self.0.as_mut().expect("a future that was not dropped");
        match Pin::new(future).poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.1 == 0 => {
                self.0 = None;
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

fn at_most<F: Future + Unpin>(polls: usize, future: F) -> AtMost<F> {
    AtMost(Some(future), polls)
}

const MAX_POLLS: usize = 1000;

#[test]
fn keys_of_a_dropped_call_are_deleted() {
    on_each_runtime(async |spawn| {
        for polls in 0..MAX_POLLS {
            let service = Service::with_keys(1300);
            let (client, driver) = client(&service);
            spawn(driver);
            let ended = at_most(polls, client.delete((0..1200).map(key))).await;
            let other = client.delete(["doc-1250"]).await;
            client.close().await;
            assert_eq!(other, Ok(()));
            let deleted = if polls == 0 { 1 } else { 1201 };
            assert_eq!(service.gone(), deleted, "after {polls} polls");
            if let Some(result) = ended {
                assert_eq!(result, Ok(()));
                return;
            }
        }
        panic!("the call does not end");
    });
}

#[test]
fn a_dropped_driver_gives_every_call_a_result() {
    on_each_runtime(async |_| {
        for polls in 0..MAX_POLLS {
            let service = Service::with_keys(1300);
            let (client, driver) = client(&service);
            let calls = [
                client.delete((0..1200).map(key)),
                client.delete((1200..1250).map(key)),
                client.delete(["doc-1260"]),
            ];
            let calls: Vec<_> = calls.into_iter().map(Box::pin).collect();
            let begun = async {
                let mut results = Vec::new();
                for call in calls {
                    results.push(call.await);
                }
                client.close().await;
                results
            };
            let (ended, results) = futures_lite::future::zip(at_most(polls, driver), begun).await;
            assert_eq!(results.len(), 3);
            for error in results.into_iter().filter_map(Result::err) {
                assert_eq!(*error.kind(), DeleteErrorKind::Closed);
                for key in error.not_deleted() {
                    let is_gone = !service.emulator().contains(BUCKET, INDEX, key.key);
                    assert!(key.outcome == KeyOutcome::Unconfirmed || !is_gone, "{key:?}");
                }
            }
            if ended.is_some() {
                return;
            }
        }
        panic!("the call does not end");
    });
}

#[test]
fn keys_taken_from_a_dropped_stream_are_deleted() {
    on_each_runtime(async |spawn| {
        for polls in 0..MAX_POLLS {
            let service = Service::with_keys(3000);
            let (client, driver) = client(&service);
            spawn(driver);
            let taken = std::sync::atomic::AtomicUsize::new(0);
            let keys = (0..3000).map(|number| {
                taken.store(number + 1, std::sync::atomic::Ordering::SeqCst);
                key(number)
            });
            let ended = at_most(polls, Box::pin(client.delete_stream(stream::iter(keys)))).await;
            client.close().await;
            let taken = taken.into_inner() as u64;
            // Keys of a call that has not begun are not deleted.
            assert!((taken.saturating_sub(499)..=taken).contains(&service.gone()), "{polls} polls");
            if let Some(result) = ended {
                assert_eq!((result, service.gone()), (Ok(3000), 3000));
                return;
            }
        }
        panic!("the stream does not end");
    });
}

#[test]
fn a_dropped_close_still_closes() {
    on_each_runtime(async |spawn| {
        for polls in 1..MAX_POLLS {
            let service = Service::with_keys(1300);
            let (client, driver) = client(&service);
            spawn(driver);
            let call = client.delete((0..1200).map(key));
            let closed = async {
                let is_closed = at_most(polls, Box::pin(client.close())).await.is_some();
                (is_closed, client.delete(["doc-1250"]).await)
            };
            let (result, (is_closed, late)) = futures_lite::future::zip(call, closed).await;
            assert_eq!(*late.unwrap_err().kind(), DeleteErrorKind::Closed);
            assert_eq!(result, Ok(()));
            if is_closed {
                return;
            }
        }
        panic!("close does not end");
    });
}
