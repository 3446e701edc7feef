use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Stops runs and listings from elsewhere: from another thread or task, from an
/// [`Observer`](super::Observer), from a signal handler. Clones stop the same runs.
///
/// A call stops the runs that have the handle at that moment: each [`Run`](super::Run) from its
/// [`stop_handle`](super::Run::stop_handle) on, started or not. A run that gets the handle later is
/// not stopped. So create the run first, and then the caller of the handle, such as a signal
/// handler.
///
/// A source that fails, such as a file with a read error, calls [`stop`](Self::stop) before it
/// ends. Then keys that were read and not sent yet are not sent.
///
/// ```
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event, StopReason};
/// use oss_delete_vectors::TransportError;
/// use oss_delete_vectors::transports::{Run, RunErrorKind, StopHandle};
/// # use oss_delete_vectors::{Credentials, Deleted, Target};
/// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
/// #     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let send = |_request| Ok::<_, TransportError>(Deleted::new("some id").to_response());
///
/// let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
/// let stop = StopHandle::new();
/// let endless = (0..).map(|number| format!("doc-{number}"));
/// let run = Run::new(&mut bulk).stop_handle(&stop).on_event(|_| stop.stop());
/// let stopped = run.run_blocking(endless, send).unwrap_err();
/// assert!(matches!(stopped.kind(), RunErrorKind::Stopped(StopReason::Requested)));
/// assert_eq!(stopped.report().pending(), 0);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "cancel")]
#[doc(alias = "cancellation")]
#[derive(Clone, Default)]
pub struct StopHandle {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// The runs that have the handle, by number.
    runs: BTreeMap<u64, Listening>,
    next: u64,
}

#[derive(Default)]
struct Listening {
    order: Order,
    waker: Option<Waker>,
}

/// What a run has to do. It can only become stricter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    #[default]
    GoOn,
    Stop,
    Abort,
}

impl StopHandle {
    /// Creates a handle for any number of runs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends nothing more and waits for the requests in flight; then the run returns.
    pub fn stop(&self) {
        self.order(Order::Stop);
    }

    /// Sends nothing more and waits for nothing: keys in flight become *unconfirmed*, and the run
    /// returns.
    pub fn abort(&self) {
        self.order(Order::Abort);
    }

    fn order(&self, order: Order) {
        // No waker is cloned, woken or dropped while the lock is held: it may use this handle.
        let wakers: Vec<Waker> = {
            let mut shared = self.lock();
            // Taken, not cloned: each run registers again when it looks.
            let obey = |run: &mut Listening| {
                run.order = run.order.max(order);
                run.waker.take()
            };
            shared.runs.values_mut().filter_map(obey).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Registers a run, until the listener is dropped.
    pub(crate) fn listen(&self) -> Listener {
        let mut shared = self.lock();
        shared.next += 1;
        let number = shared.next;
        shared.runs.insert(number, Listening::default());
        Listener { number, handle: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle").field("runs", &self.lock().runs.len()).finish_non_exhaustive()
    }
}

/// A run's side of a handle.
pub(crate) struct Listener {
    handle: StopHandle,
    number: u64,
}

impl Listener {
    /// The order so far. `waker` is woken by the next one.
    pub(crate) fn poll(&self, waker: &Waker) -> Order {
        let waker = waker.clone();
        let mut shared = self.handle.lock();
        let run = shared.runs.entry(self.number).or_default();
        let order = run.order;
        let old = run.waker.replace(waker);
        drop(shared);
        drop(old);
        order
    }

    /// Whether the run is to stop.
    pub(crate) fn has_order(&self) -> bool {
        let shared = self.handle.lock();
        shared.runs.get(&self.number).is_some_and(|run| run.order != Order::GoOn)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let run = self.handle.lock().runs.remove(&self.number);
        drop(run);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_run_has_its_own_order_until_it_ends() {
        let handle = StopHandle::new();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let (first, second) = (handle.listen(), handle.listen());
        assert_eq!((first.poll(&waker), second.poll(&waker)), (Order::GoOn, Order::GoOn));
        handle.stop();
        assert_eq!(count.0.load(Ordering::Relaxed), 2, "both are woken");
        assert_eq!(first.poll(&waker), Order::Stop);
        assert!(first.has_order() && second.has_order());

        // A later run is not stopped, and neither takes the place of another.
        drop(first);
        let third = handle.listen();
        assert_eq!((second.poll(&waker), third.poll(&waker)), (Order::Stop, Order::GoOn));
        assert!(second.has_order() && !third.has_order());
        handle.abort();
        handle.stop();
        assert_eq!(count.0.load(Ordering::Relaxed), 4);
        assert_eq!((second.poll(&waker), third.poll(&waker)), (Order::Abort, Order::Abort));
        assert_eq!(format!("{handle:?}"), "StopHandle { runs: 2, .. }");

        // Nothing is kept of runs that have ended.
        drop((second, third));
        handle.stop();
        assert_eq!(count.0.load(Ordering::Relaxed), 4);
        assert_eq!(format!("{handle:?}"), "StopHandle { runs: 0, .. }");
        assert_eq!(Arc::strong_count(&count), 2, "the waker of this test alone");
    }
}
