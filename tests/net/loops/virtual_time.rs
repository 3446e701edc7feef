//! An executor whose time advances only when nothing else can run. Its tests are exact, and take no
//! time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use oss_delete_vectors::Now;
use oss_delete_vectors::transports::Timer;

#[derive(Clone, Default)]
pub(crate) struct VirtualTime(Rc<State>);

#[derive(Default)]
struct State {
    now: Cell<Duration>,
    sleepers: RefCell<BTreeMap<(Duration, u64), Waker>>,
    next: Cell<u64>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl VirtualTime {
    pub(crate) fn now(&self) -> Now {
        crate::calls::now(self.0.now.get())
    }

    pub(crate) fn sleep(&self, duration: Duration) -> Sleep {
        let number = self.0.next.get();
        self.0.next.set(number + 1);
        Sleep { time: self.clone(), until: (self.0.now.get() + duration, number) }
    }

    /// # Panics
    ///
    /// When no future can ever continue, or too many steps are needed.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        for _ in 0..1_000_000 {
            while woken.0.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker))
                {
                    return output;
                }
            }
            let next = self.0.sleepers.borrow_mut().pop_first();
            let ((due, _), sleeper) = next.expect("the run waits for something");
            self.0.now.set(due.max(self.0.now.get()));
            sleeper.wake();
        }
        panic!("the run does not end");
    }
}

impl Timer for VirtualTime {
    type Sleep = Sleep;

    fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep(duration)
    }

    fn now(&self) -> Now {
        self.now()
    }
}

pub(crate) struct Sleep {
    time: VirtualTime,
    until: (Duration, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.until.0 <= self.time.0.now.get() {
            return Poll::Ready(());
        }
        self.time.0.sleepers.borrow_mut().insert(self.until, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.time.0.sleepers.borrow_mut().remove(&self.until);
    }
}
