//! Runs a `BulkDelete` on threads, over any transport that blocks.

mod inbox;
mod machine;
mod threads;

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

pub(super) use self::inbox::{Inbox, KeysWanted, Message};
use self::machine::Running;
pub(super) use self::machine::{Machine, Shared};
use self::threads::Reader;
pub(super) use self::threads::{Renewer, Workers};
use super::{BlockingProvider, Observer, Run, RunError, RunErrorKind, Steps};
use crate::bulk::Report;
use crate::transports::clock::system_now;
use crate::{Now, TransportError};

/// Keys that are pushed before the threads that send may have the state machine.
const KEYS_IN_A_ROW: usize = 128;

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
    /// The iterator is read on its own thread, at most 8,000 keys ahead, so that a slow one delays
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
    pub fn run_blocking_with_clock<K, F, X, C>(
        self,
        keys: K,
        send: F,
        clock: C,
    ) -> Result<Report, RunError>
    where
        C: Fn() -> Now + Clone + Send + 'static,
        K: IntoIterator<Item: AsRef<str> + Send + 'static, IntoIter: Send + 'static>,
        F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
        X: Into<TransportError>,
    {
        let (mut steps, bulk, provider) = Steps::new(self);
        let shared = Shared::new(Running { bulk: bulk.take_out(), stop: steps.listener() });
        let _given_back = shared.when_over(|running| *bulk = running.bulk);
        let inbox = Arc::new(Inbox::new());
        let _closed_at_the_end = inbox.close_on_drop();
        let mut reader = Reader::new(keys.into_iter());
        let mut renewer = Renewer::new(provider);
        let mut workers = Workers::new(send, clock.clone(), &shared, &inbox);
        let waker = Waker::from(Arc::clone(&inbox));
        let mut keys = VecDeque::new();
        let mut has_more_keys = true;

        loop {
            let mut state = shared.lock();
            let (Running { bulk, .. }, idle) = state.parts();
            steps.obey(bulk, &waker);
            for _ in 0..KEYS_IN_A_ROW {
                if bulk.can_push()
                    && let Some(key) = keys.pop_front()
                {
                    steps.push(bulk, AsRef::as_ref(&key));
                }
            }
            if keys.is_empty() && !has_more_keys {
                bulk.finish();
            }
            if steps.drain(bulk, &clock, &mut workers.with(idle)) {
                renewer.ask(&inbox);
            }
            if bulk.is_finished() {
                steps.push_unsent(bulk, keys.drain(..).chain(inbox.close()));
                let ended = steps.end(bulk);
                drop(state);
                workers.join_idle();
                return ended;
            }
            if !keys.is_empty() && bulk.can_push() {
                continue;
            }

            let wants_keys = has_more_keys && keys.is_empty() && bulk.can_push();
            if wants_keys && let Err(error) = reader.start(&inbox) {
                steps.stop_over(bulk, RunErrorKind::Thread(error));
                continue;
            }
            if steps.flush_in_pause(bulk, clock().monotonic, wants_keys && !inbox.has_keys()) {
                continue;
            }
            let wanted = match wants_keys {
                false => KeysWanted::None,
                true if steps.is_gathering() => KeysWanted::Many,
                true => KeysWanted::Any,
            };
            let longest = match steps.longest_wait(bulk, clock().monotonic) {
                // A request is due that has no thread, so the wait is 0.
                longest if workers.are_short() => longest.max(THREAD_PAUSE),
                longest => longest,
            };
            drop(state);
            let messages = inbox.wait(wanted, longest, &mut keys, &mut has_more_keys);
            let mut state = shared.lock();
            let (Running { bulk, .. }, _) = state.parts();
            for message in messages {
                match message {
                    Message::NotSent(id, error) => bulk.handle_failure(clock(), id, error),
                    Message::Credentials(credentials) => {
                        renewer.has_ended();
                        steps.handle_credentials(bulk, clock(), credentials);
                    }
                    Message::Panicked(payload) => resume_unwind(payload),
                }
            }
            bulk.handle_timeout(clock());
        }
    }
}
