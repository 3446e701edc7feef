use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::calls::{Call, CallId, DeleteError, Metrics};
use crate::transports::clock::system_now;

/// What the handles of a client and its driver share. The lock is held for a few instructions only:
/// neither side waits while the other builds or signs a request.
pub(super) struct Shared {
    state: Mutex<State>,
    /// The process that has the driver. The child of a fork has no driver.
    process: AtomicU32,
}

struct State {
    orders: Vec<Order>,
    /// Wakes the driver.
    driver: Option<Waker>,
    handles: usize,
    /// No calls are taken.
    is_closed: bool,
    has_ended: bool,
    /// Those that wait for the end.
    closers: Vec<Waker>,
    /// And when they were published.
    metrics: (Metrics, Duration),
}

/// What the driver is to do.
pub(super) enum Order {
    Begin(Call, Arc<Slot>),
    Abandon(Arc<Slot>),
}

/// Where a call's result is put.
#[derive(Default)]
pub(super) struct Slot {
    state: Mutex<SlotState>,
}

#[derive(Default)]
struct SlotState {
    /// Once the driver has begun the call.
    id: Option<CallId>,
    result: Option<Result<(), DeleteError>>,
    caller: Option<Waker>,
}

impl Slot {
    pub(super) fn id(&self) -> Option<CallId> {
        lock(&self.state).id
    }

    pub(super) fn set_id(&self, id: CallId) {
        lock(&self.state).id = Some(id);
    }

    pub(super) fn put(&self, result: Result<(), DeleteError>) {
        let mut state = lock(&self.state);
        state.result = Some(result);
        let caller = state.caller.take();
        drop(state);
        // Not under the lock: a waker may do anything.
        caller.into_iter().for_each(Waker::wake);
    }

    /// The result, once.
    pub(super) fn poll(&self, waker: &Waker) -> Poll<Result<(), DeleteError>> {
        let mut state = lock(&self.state);
        if let Some(result) = state.result.take() {
            return Poll::Ready(result);
        }
        let is_new = state.caller.as_ref().is_none_or(|caller| !caller.will_wake(waker));
        let old = is_new.then(|| state.caller.replace(waker.clone())).flatten();
        drop(state);
        drop(old);
        Poll::Pending
    }
}

/// One of the handles: the last one that is dropped closes the client.
pub(super) struct Handle(Arc<Shared>);

impl Handle {
    pub(super) fn new() -> Self {
        let state = State {
            orders: Vec::new(),
            driver: None,
            handles: 1,
            is_closed: false,
            has_ended: false,
            closers: Vec::new(),
            metrics: (Metrics::default(), Duration::ZERO),
        };
        Self(Arc::new(Shared { state: Mutex::new(state), process: AtomicU32::new(process()) }))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// Whether this process is a fork of the one that has the driver. To be asked before the lock
    /// is taken: some thread that is not here may have held it.
    fn is_forked(&self) -> bool {
        self.0.process.load(Ordering::Relaxed) != process()
    }

    /// As in the child of a fork.
    #[cfg(all(test, feature = "async"))]
    pub(super) fn fork(&self) {
        self.0.process.store(0, Ordering::Relaxed);
    }

    /// Hands a call to the driver.
    pub(super) fn begin(&self, call: Call) -> Result<Arc<Slot>, DeleteError> {
        if self.is_forked() {
            return Err(DeleteError::closed(call));
        }
        let state = self.0.lock();
        if state.is_closed {
            drop(state);
            return Err(DeleteError::closed(call));
        }
        let slot = Arc::new(Slot::default());
        Shared::order(state, Order::Begin(call, Arc::clone(&slot)));
        Ok(slot)
    }

    /// The caller no longer waits for the result.
    #[cfg_attr(
        not(feature = "async"),
        expect(dead_code, reason = "blocking calls are not dropped")
    )]
    pub(super) fn abandon(&self, slot: Arc<Slot>) {
        if self.is_forked() || lock(&slot.state).result.is_some() {
            return;
        }
        let state = self.0.lock();
        if !state.has_ended {
            Shared::order(state, Order::Abandon(slot));
        }
    }

    /// Takes no more calls, for all handles.
    pub(super) fn close(&self) {
        if !self.is_forked() {
            self.0.close();
        }
    }

    /// Whether the driver has ended. If not, `waker` is woken when it does.
    pub(super) fn poll_end(&self, waker: &Waker) -> Poll<()> {
        if self.is_forked() {
            return Poll::Ready(());
        }
        let mut state = self.0.lock();
        if state.has_ended {
            return Poll::Ready(());
        }
        if !state.closers.iter().any(|closer| closer.will_wake(waker)) {
            state.closers.push(waker.clone());
        }
        Poll::Pending
    }

    pub(super) fn metrics(&self) -> Metrics {
        if self.is_forked() {
            return Metrics::default();
        }
        let (mut metrics, at) = self.0.lock().metrics;
        if let Some(oldest) = &mut metrics.oldest_call {
            *oldest += system_now().monotonic.saturating_sub(at);
        }
        metrics
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        if !self.is_forked() {
            self.0.lock().handles += 1;
        }
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.is_forked() {
            return;
        }
        let mut state = self.0.lock();
        state.handles -= 1;
        let is_last = state.handles == 0;
        drop(state);
        if is_last {
            self.0.close();
        }
    }
}

impl Shared {
    /// All orders so far, and whether no more calls come. `waker` is woken by the next one.
    pub(super) fn take_orders(&self, waker: &Waker, orders: &mut Vec<Order>) -> bool {
        let mut state = self.lock();
        std::mem::swap(&mut state.orders, orders);
        let is_new = state.driver.as_ref().is_none_or(|driver| !driver.will_wake(waker));
        let old = is_new.then(|| state.driver.replace(waker.clone())).flatten();
        let is_closed = state.is_closed;
        drop(state);
        drop(old);
        is_closed
    }

    pub(super) fn publish(&self, metrics: Metrics) {
        // The system's clock, not the driver's: handles have no other one, and the oldest call goes
        // on to wait while the driver sleeps.
        let at = system_now().monotonic;
        self.lock().metrics = (metrics, at);
    }

    /// The driver is gone. Returns the calls that it did not take.
    pub(super) fn end(&self) -> Vec<Order> {
        let mut state = self.lock();
        state.is_closed = true;
        state.has_ended = true;
        let (orders, closers) =
            (std::mem::take(&mut state.orders), std::mem::take(&mut state.closers));
        let driver = state.driver.take();
        drop(state);
        drop(driver);
        closers.into_iter().for_each(Waker::wake);
        orders
    }

    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        Self::wake(state);
    }

    /// Adds an order. The first one wakes the driver, which then takes all.
    fn order(mut state: MutexGuard<'_, State>, order: Order) {
        state.orders.push(order);
        if state.orders.len() == 1 {
            Self::wake(state);
        }
    }

    fn wake(state: MutexGuard<'_, State>) {
        // Cloned, not taken: the driver need not register again in each round.
        let driver = state.driver.clone();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "an adapter that has to notice a fork")]
fn process() -> u32 {
    std::process::id()
}
