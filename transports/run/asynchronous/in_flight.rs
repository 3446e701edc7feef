use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::bulk::{Span, TransmitId};

/// Requests in flight. Each has a waker of its own, so that an answer costs one poll and not one of all that are in flight.
pub(super) struct InFlight<F> {
    slots: Vec<Slot<F>>,
    free: Vec<usize>,
    woken: Arc<Woken>,
    /// Kept for its memory.
    due: Vec<usize>,
}

struct Slot<F> {
    waker: Arc<SlotWaker>,
    occupant: Option<Occupant<F>>,
}

struct Occupant<F> {
    id: TransmitId,
    span: Span,
    future: Pin<Box<F>>,
}

impl<F: Future> InFlight<F> {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), woken: Arc::default(), due: Vec::new() }
    }

    /// Takes a request in. It is sent by the next [`poll`](Self::poll).
    pub(super) fn insert(&mut self, id: TransmitId, span: Span, future: F) {
        let index = self.free.pop().unwrap_or_else(|| {
            let index = self.slots.len();
            let waker = SlotWaker { index, is_queued: AtomicBool::new(false), woken: Arc::clone(&self.woken) };
            self.slots.push(Slot { waker: Arc::new(waker), occupant: None });
            index
        });
        self.slots[index].occupant = Some(Occupant { id, span, future: Box::pin(future) });
        self.slots[index].waker.enqueue();
    }

    /// Polls those that were woken, each once and in that order, and tells `answered` which have come to their end. Whether any
    /// has; if not, `task` is woken when there is one to poll.
    pub(super) fn poll(&mut self, task: &Waker, mut answered: impl FnMut(TransmitId, F::Output)) -> bool {
        {
            let mut queue = self.woken.lock();
            match &mut queue.task {
                Some(known) => known.clone_from(task),
                unknown => *unknown = Some(task.clone()),
            }
            std::mem::swap(&mut queue.slots, &mut self.due);
        }
        let mut has_answer = false;
        for index in self.due.drain(..) {
            let Slot { waker, occupant } = &mut self.slots[index];
            // Before the poll, for who is woken during it wants another one; swapped, to see what was done before the wake.
            waker.is_queued.swap(false, Ordering::AcqRel);
            // A waker may outlive its request; then it wakes nobody, or one that was not to be.
            let Some(Occupant { id, span, future }) = occupant else { continue };
            let waker = Waker::from(Arc::clone(waker));
            let poll = span.in_scope(|| future.as_mut().poll(&mut Context::from_waker(&waker)));
            if let Poll::Ready(answer) = poll {
                let id = *id;
                *occupant = None;
                self.free.push(index);
                answered(id, answer);
                has_answer = true;
            }
        }
        has_answer
    }
}

/// Slots to be polled.
#[derive(Default)]
struct Woken {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    slots: Vec<usize>,
    /// Whom to wake for the first of them; it was woken where it is gone.
    task: Option<Waker>,
}

impl Woken {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct SlotWaker {
    index: usize,
    is_queued: AtomicBool,
    woken: Arc<Woken>,
}

impl SlotWaker {
    /// Has the slot polled. Gives back the task where it is to be woken.
    fn enqueue(&self) -> Option<Waker> {
        if self.is_queued.swap(true, Ordering::AcqRel) {
            return None;
        }
        let mut queue = self.woken.lock();
        queue.slots.push(self.index);
        queue.task.take()
    }
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Not under the lock: what a waker does is its own affair.
        if let Some(task) = self.enqueue() {
            task.wake();
        }
    }
}
