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

pub(super) use self::inbox::{Inbox, KeysWanted, Message};
use self::threads::Reader;
pub(super) use self::threads::{Renewer, Workers};
use super::{BlockingProvider, Observer, Run, RunError, RunErrorKind, Steps};
use crate::bulk::Report;
use crate::transports::clock::system_now;
use crate::{Now, TransportError};

/// How soon to try again to start a thread, unless one becomes free before.
pub(super) const THREAD_PAUSE: Duration = Duration::from_millis(100);

impl<O: Observer, P: BlockingProvider> Run<'_, O, P> {
    /// Deletes the keys of an iterator until it ends, and blocks the thread until then.
    ///
    /// `send` carries a request and returns its response, or an error that is a [`TransportError`]
    /// or converts to one, as [`TransportError`](crate::TransportError) does. It is called by as
    /// many threads as there are requests in flight, each started when it is first needed. It
    /// should end well before the [`response_timeout`](crate::bulk::BulkOptions::response_timeout):
    /// a thread whose call timed out cannot be cancelled, and up to 64 of these are kept beside the
    /// others. If no more threads can be started, requests are sent when one is free; if all hang,
    /// they fail as *surely not sent*.
    ///
    /// The iterator is read on its own thread, at most 1,000 keys ahead, so that a slow one delays
    /// neither responses nor timers. When the run stops, keys that were read ahead count as [not
    /// attempted](crate::bulk::KeyOutcome::NotAttempted), up to one that is invalid. A key that the
    /// iterator gives later is not part of the run. The report's
    /// [`pushed`](crate::bulk::Report::pushed) says how many keys were read.
    ///
    /// # What may outlive the run
    ///
    /// A run that stops does not wait for an iterator that gives no next key, such as the lines of
    /// a terminal, nor after [`abort`](super::StopHandle::abort) for requests, nor for a provider
    /// of credentials: their threads end once the call that they are in returns. This is why
    /// iterator, `send` and provider must be `'static`: give them clones. A run that ends with `Ok`
    /// leaves no thread behind, unless it is in a request that timed out, or in the provider.
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
        X: Into<TransportError>,
    {
        self.run_blocking_with_clock(keys, send, system_now)
    }

    /// The same as [`run_blocking`](Self::run_blocking), with another clock than the system's: for
    /// a test, or for a time of day that is known better. Waits are in real time still. Monotonic
    /// time must go on from one run of a `BulkDelete` to its next.
    ///
    /// # Errors
    ///
    /// As [`run_blocking`](Self::run_blocking).
    ///
    /// # Panics
    ///
    /// As [`run_blocking`](Self::run_blocking), and with the panic of `clock`.
    pub fn run_blocking_with_clock<K, F, X>(
        self,
        keys: K,
        send: F,
        clock: impl Fn() -> Now,
    ) -> Result<Report, RunError>
    where
        K: IntoIterator<Item: AsRef<str> + Send + 'static, IntoIter: Send + 'static>,
        F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
        X: Into<TransportError>,
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
            if steps.drain(&clock, &mut workers) {
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
            if steps.flush_in_pause(clock().monotonic, wants_keys && !inbox.has_keys()) {
                continue;
            }
            let wanted = match wants_keys {
                false => KeysWanted::None,
                true if steps.is_gathering() => KeysWanted::Many,
                true => KeysWanted::Any,
            };
            let longest = match steps.longest_wait(clock().monotonic) {
                // A request is due that has no thread, so the wait is 0.
                longest if workers.are_short() => longest.max(THREAD_PAUSE),
                longest => longest,
            };
            for message in inbox.wait(wanted, longest, &mut keys, &mut has_more_keys) {
                match message {
                    Message::Response { id, response, worker } => {
                        if let Some(worker) = worker {
                            workers.is_free(worker);
                        }
                        steps.handle_response(clock(), id, response);
                    }
                    Message::Credentials(credentials) => {
                        renewer.has_ended();
                        steps.handle_credentials(clock(), credentials);
                    }
                    Message::Panicked(payload) => resume_unwind(payload),
                }
            }
            steps.handle_timeout(clock());
        }
    }
}
