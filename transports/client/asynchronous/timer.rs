use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// One sleep at a time, set to the earliest deadline.
pub(super) struct Timer<Z, Sleep> {
    sleep: Z,
    set: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl<Z: Fn(Duration) -> Sleep, Sleep: Future> Timer<Z, Sleep> {
    pub(super) fn new(sleep: Z) -> Self {
        Self { sleep, set: None }
    }

    /// Whether `wait` is over or a sleep has ended. If neither, the task is woken in time.
    ///
    /// A sleep that ends before the deadline goes on: a spurious wakeup costs less than a new sleep
    /// each time that the deadline moves away.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, now: Duration, wait: Duration) -> bool {
        if wait.is_zero() {
            return true;
        }
        let deadline = now.saturating_add(wait);
        let (_, sleep) = match &mut self.set {
            Some(set) if set.0 <= deadline => set,
            set => set.insert((deadline, Box::pin((self.sleep)(wait)))),
        };
        let has_ended = matches!(sleep.as_mut().poll(context), Poll::Ready(_));
        if has_ended {
            self.set = None;
        }
        has_ended
    }
}
