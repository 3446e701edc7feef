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

    /// Whether `deadline` is past or a sleep has ended; if neither, the task is woken by then.
    ///
    /// A sleep that ends before the deadline goes on: to be woken once too often costs less than to set it anew each time that
    /// the deadline moves away.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, now: Duration, deadline: Duration) -> bool {
        if deadline <= now {
            return true;
        }
        let (_, sleep) = match &mut self.set {
            Some(set) if set.0 <= deadline => set,
            set => set.insert((deadline, Box::pin((self.sleep)(deadline - now)))),
        };
        let has_ended = matches!(sleep.as_mut().poll(context), Poll::Ready(_));
        if has_ended {
            self.set = None;
        }
        has_ended
    }
}
