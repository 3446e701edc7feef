//! Runs a `BulkDelete` on threads, over any transport that blocks.

mod inbox;
mod threads;

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use self::inbox::{Inbox, KeysWanted, Message};
use self::threads::{Reader, Renewer, Workers};
use super::{BlockingProvider, Run, RunError, RunErrorKind, Steps};
use crate::Now;
use crate::bulk::{BulkDelete, Event, Failure, Report};

/// How soon a thread is asked for again where there was none, unless one becomes free before.
const THREAD_PAUSE: Duration = Duration::from_millis(100);

impl<E, P, C, M> Run<'_, E, P, C, M>
where
    E: FnMut(Event),
    P: BlockingProvider,
    C: Fn() -> Now,
    M: FnMut(&BulkDelete),
{
    /// Deletes the keys of an iterator, to its end, and blocks the thread until then.
    ///
    /// `send` carries a request and gives its answer, or an error that is a [`Failure`] or can be made one, as
    /// [`TransportError`](crate::transports::TransportError) can. It is called by as many threads as there are requests in flight, each
    /// started when it is first needed; make it end well before the
    /// [`answer_timeout`](crate::bulk::BulkOptions::answer_timeout). A thread whose call timed out cannot
    /// be cancelled: there are up to 64 of these beside the others. Where no more threads can be had,
    /// requests are made when one is free; where all hang, they fail as *surely not sent*.
    ///
    /// The iterator is read on its own thread, at most 1,000 keys ahead, so that a slow one holds up
    /// neither responses nor timers. When the run stops, keys that were read ahead count as
    /// [not attempted](crate::bulk::KeyOutcome::NotAttempted), up to one that is invalid. A key that
    /// the iterator gives later is not part of the run. The report's
    /// [`pushed`](crate::bulk::Report::pushed) says how far it read.
    ///
    /// # What may outlive the run
    ///
    /// A run that stops does not wait for an iterator that gives no next key, such as the lines of a terminal, nor after
    /// [`abort`](super::StopHandle::abort) for requests, nor for a provider of credentials: their threads end once the call
    /// that they are in returns. This is why iterator, `send` and provider must be `'static`: give them clones. A run that ends with
    /// `Ok` leaves no thread behind, unless it is in a request that was given up, or in the provider.
    ///
    /// # Errors
    ///
    /// [`RunError`]: why the run stopped before its end, with its report.
    ///
    /// # Panics
    ///
    /// With the panic of the iterator, of `send`, or of the provider, whichever thread it was on.
    pub fn run_blocking<K, F, X>(self, keys: K, send: F) -> Result<Report, RunError>
    where
        K: IntoIterator<Item: AsRef<str> + Send + 'static, IntoIter: Send + 'static>,
        F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
        X: Into<Failure>,
    {
        let (mut steps, provider) = Steps::new(self);
        let inbox = Arc::new(Inbox::new());
        let _closed_at_the_end = inbox.close_on_drop();
        let mut reader = Reader::new(keys.into_iter());
        let mut renewer = Renewer::new(provider);
        let mut workers = Workers::new(send, Arc::clone(&inbox));
        let waker = Waker::from(Arc::clone(&inbox));
        let mut keys = VecDeque::new();
        let mut has_more_keys = true;

        loop {
            steps.obey(&waker);
            while steps.can_push()
                && let Some(key) = keys.pop_front()
            {
                steps.push(AsRef::as_ref(&key));
            }
            if keys.is_empty() && !has_more_keys {
                steps.finish();
            }
            if steps.drain(&mut workers) {
                renewer.ask(&inbox);
            }
            if steps.is_finished() {
                steps.push_unsent(keys.drain(..).chain(inbox.close()));
                workers.join_idle();
                return steps.end();
            }

            let wants_keys = has_more_keys && keys.is_empty() && steps.can_push();
            if wants_keys && let Err(error) = reader.start(&inbox) {
                steps.stop_over(RunErrorKind::Thread(error));
                continue;
            }
            if steps.flush_in_pause(wants_keys && !inbox.has_keys()) {
                continue;
            }
            let wanted = match wants_keys {
                false => KeysWanted::None,
                true if steps.is_gathering() => KeysWanted::Many,
                true => KeysWanted::Any,
            };
            let longest = match steps.longest_wait() {
                // A request is due that has no thread: the state machine's time for it is now.
                longest if workers.are_short() => longest.max(THREAD_PAUSE),
                longest => longest,
            };
            for message in inbox.wait(wanted, longest, &mut keys, &mut has_more_keys) {
                match message {
                    Message::Answer { id, answer, worker } => {
                        if let Some(worker) = worker {
                            workers.has_answered(worker);
                        }
                        steps.handle_answer(id, answer);
                    }
                    Message::Credentials(credentials) => {
                        renewer.has_answered();
                        steps.handle_credentials(credentials);
                    }
                    Message::Panicked(payload) => resume_unwind(payload),
                }
            }
            steps.handle_timeout();
        }
    }
}
