use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Stops runs from elsewhere: from another thread or task, from the event closure, from a signal handler's thread. Clones stop
/// the same runs.
///
/// What it said holds for runs that begin later, too. A source that cannot go on, such as a file that breaks off, says stop before
/// it ends: then what was read of it and waits is not sent.
///
/// ```
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event, Failure, StopReason};
/// use oss_delete_vectors::transports::{Run, RunErrorKind, StopHandle};
/// # use oss_delete_vectors::{Credentials, Deleted, Target};
/// # let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").build()?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let send = |_request| Ok::<_, Failure>(Deleted::new("some id").to_response());
///
/// let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
/// let stop = StopHandle::new();
/// let endless = (0..).map(|number| format!("doc-{number}"));
/// let stopped = Run::new(&mut bulk).stop_handle(&stop).on_event(|_| stop.stop()).run_blocking(endless, send).unwrap_err();
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
    order: Order,
    /// Runs that are to be woken, by their number.
    wakers: BTreeMap<u64, Waker>,
    next: u64,
}

/// What runs are to do; it only ever gets stricter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    #[default]
    GoOn,
    Stop,
    Abort,
}

impl StopHandle {
    /// A handle to give to runs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends nothing more and awaits what is in flight; then the run returns.
    pub fn stop(&self) {
        self.order(Order::Stop);
    }

    /// Sends nothing more and awaits nothing: keys in flight become *unconfirmed*, and the run returns.
    pub fn abort(&self) {
        self.order(Order::Abort);
    }

    fn order(&self, order: Order) {
        // Wakers are foreign code. No waker is cloned, woken or dropped while the lock is held: it may
        // use this handle.
        let wakers: Vec<Waker> = {
            let mut shared = self.lock();
            shared.order = shared.order.max(order);
            // Taken, not cloned: each run registers again when it looks.
            std::mem::take(&mut shared.wakers).into_values().collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Makes a run known, to be woken.
    pub(super) fn listen(&self) -> Listener {
        let mut shared = self.lock();
        shared.next += 1;
        Listener { number: shared.next, handle: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle").field("order", &self.lock().order).finish_non_exhaustive()
    }
}

/// A run that listens to a handle until it is dropped.
pub(super) struct Listener {
    handle: StopHandle,
    number: u64,
}

impl Listener {
    /// The order so far; `waker` is woken by the next one.
    pub(super) fn poll(&self, waker: &Waker) -> Order {
        let waker = waker.clone();
        let mut shared = self.handle.lock();
        let order = shared.order;
        let old = shared.wakers.insert(self.number, waker);
        drop(shared);
        drop(old);
        order
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let waker = self.handle.lock().wakers.remove(&self.number);
        drop(waker);
    }
}
