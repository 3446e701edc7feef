//! The threads of a run. All are detached, because a run that stops does not wait for them.
#![expect(clippy::disallowed_types, reason = "an adapter whose concurrency is threads")]

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{Builder, JoinHandle};

use bytes::Bytes;
use http::{Request, Response};

use super::inbox::{Inbox, Message};
use super::machine::{Machine, Shared};
use crate::bulk::Transmit;
use crate::transports::client::BlockingProvider;
use crate::transports::client::steps::Sender;
use crate::{Now, TransportError};

/// The most threads that may be in calls of `send` that timed out: a thread cannot be cancelled.
const MOST_HANGING: usize = 64;

/// Starts a thread that does `work`. A panic of it goes on in the thread of the run.
fn start<K: Send + 'static>(
    name: &str,
    inbox: &Arc<Inbox<K>>,
    work: impl FnOnce(&Inbox<K>) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let inbox = Arc::clone(inbox);
    Builder::new().name(name.to_owned()).spawn(move || {
        // What the panic broke is used by nothing but other calls of `send`, as with any thread of
        // a program.
        let done: Result<(), Box<dyn Any + Send>> = catch_unwind(AssertUnwindSafe(|| work(&inbox)));
        if let Err(payload) = done {
            inbox.put(Message::Panicked(payload));
        }
    })
}

/// The thread that reads the source.
pub(in super::super) struct Reader<I> {
    /// Until it is started.
    source: Option<I>,
}

impl<I> Reader<I>
where
    I: Iterator<Item: Send> + Send + 'static,
{
    pub(in super::super) fn new(source: I) -> Self {
        Self { source: Some(source) }
    }

    /// Starts reading, on the first call.
    pub(in super::super) fn start(&mut self, inbox: &Arc<Inbox<I::Item>>) -> io::Result<()> {
        let Some(mut source) = self.source.take() else { return Ok(()) };
        let read = move |inbox: &Inbox<I::Item>| {
            let has_ended = source.all(|key| inbox.put_key(key));
            // Before the run learns of the end and may return.
            drop(source);
            if has_ended {
                inbox.end_source();
            }
        };
        start("keys", inbox, read).map(drop)
    }
}

/// The threads that send: as many as were in flight at once, and those that hang.
pub(in super::super) struct Workers<M, F, C, K> {
    send: Arc<F>,
    clock: C,
    machine: Arc<Shared<M>>,
    inbox: Arc<Inbox<K>>,
    workers: Vec<Worker>,
    /// Why there was no thread for the last request.
    shortage: Option<Shortage>,
}

/// A thread with a queue of its own: a request wakes one thread and no other.
struct Worker {
    queue: mpsc::Sender<Transmit>,
    thread: JoinHandle<()>,
}

/// Why no thread can be used.
enum Shortage {
    System(io::Error),
    AllHang(usize),
}

impl<M, F, C, K, X> Workers<M, F, C, K>
where
    M: Machine,
    F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
    C: Fn() -> Now + Clone + Send + 'static,
    X: Into<TransportError>,
    K: Send + 'static,
{
    pub(in super::super) fn new(
        send: F,
        clock: C,
        machine: &Arc<Shared<M>>,
        inbox: &Arc<Inbox<K>>,
    ) -> Self {
        let (machine, inbox) = (Arc::clone(machine), Arc::clone(inbox));
        Self { send: Arc::new(send), clock, machine, inbox, workers: Vec::new(), shortage: None }
    }

    /// Whether there was no thread for the last request. There may be one later.
    pub(in super::super) fn are_short(&self) -> bool {
        self.shortage.is_some()
    }

    /// Sends with these threads that are `idle`, and others that it starts.
    pub(in super::super) fn with<'a>(
        &'a mut self,
        idle: &'a mut Vec<usize>,
    ) -> Sending<'a, M, F, C, K> {
        Sending { workers: self, idle }
    }

    fn start(&mut self, in_flight: usize) -> Result<usize, Shortage> {
        // No thread is idle: each is in a call, and the run still waits for `in_flight` of these
        // calls.
        let worker = self.workers.len();
        let hanging = worker.saturating_sub(in_flight);
        if hanging >= MOST_HANGING {
            return Err(Shortage::AllHang(hanging));
        }
        let (send, clock) = (Arc::clone(&self.send), self.clock.clone());
        let machine = Arc::clone(&self.machine);
        let (queue, queued) = mpsc::channel::<Transmit>();
        let work = move |inbox: &Inbox<K>| {
            for first in queued {
                let mut next = Some(first);
                while let Some(transmit) = next {
                    // Built here, so that threads hash and sign side by side.
                    let send = || send(transmit.to_request());
                    let response = transmit.span.in_scope(send).map_err(Into::into);
                    let id = transmit.id;
                    // Before the response: it lets the run take the keys back without a copy.
                    drop(transmit);
                    next = machine.exchange(&clock, worker, id, response);
                    inbox.has_news(next.is_none());
                }
            }
        };
        let thread = start("send", &self.inbox, work).map_err(Shortage::System)?;
        self.workers.push(Worker { queue, thread });
        Ok(worker)
    }

    /// Waits for the threads to end, unless one is still in a call.
    pub(in super::super) fn join_idle(self) {
        if self.machine.lock().parts().1.len() == self.workers.len() {
            let threads: Vec<_> = self.workers.into_iter().map(|worker| worker.thread).collect();
            threads.into_iter().for_each(|thread| thread.join().expect("a panic was caught"));
        }
    }
}

/// See [`Workers::with`].
pub(in super::super) struct Sending<'a, M, F, C, K> {
    workers: &'a mut Workers<M, F, C, K>,
    idle: &'a mut Vec<usize>,
}

/// No request is taken out of the `BulkDelete` before there is a thread for it: it would wait
/// unsent while its timeout runs, and could leave after a stop.
impl<M, F, C, K, X> Sender for Sending<'_, M, F, C, K>
where
    M: Machine,
    F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
    C: Fn() -> Now + Clone + Send + 'static,
    X: Into<TransportError>,
    K: Send + 'static,
{
    fn is_ready(&mut self, in_flight: usize) -> bool {
        let Self { workers, idle } = self;
        workers.shortage = None;
        if idle.is_empty() {
            match workers.start(in_flight) {
                Ok(worker) => idle.push(worker),
                Err(shortage) => workers.shortage = Some(shortage),
            }
        }
        // With nothing in flight no thread will become free: the request fails instead of waiting
        // for ever.
        workers.shortage.is_none() || in_flight == 0
    }

    fn send(&mut self, transmit: Transmit) {
        let failure = match (self.idle.pop(), self.workers.shortage.take()) {
            (Some(worker), _) => return self.workers.workers[worker].send(transmit),
            (None, Some(Shortage::AllHang(threads))) => {
                format!("no thread to send from: {threads} calls timed out and do not return")
            }
            (None, Some(Shortage::System(error))) => format!("no thread to send from: {error}"),
            (None, None) => unreachable!("is_ready comes first"),
        };
        let error = TransportError::surely_not_sent(failure);
        self.workers.inbox.put(Message::NotSent(transmit.id, error));
    }
}

impl Worker {
    fn send(&self, transmit: Transmit) {
        self.queue.send(transmit).expect("an idle thread waits for requests");
    }
}

/// The provider of credentials, which is called on a thread of its own.
pub(in super::super) struct Renewer<P> {
    provider: Arc<Mutex<P>>,
    is_asked: bool,
}

impl<P: BlockingProvider> Renewer<P> {
    pub(in super::super) fn new(provider: P) -> Self {
        Self { provider: Arc::new(Mutex::new(provider)), is_asked: false }
    }

    /// Asks for credentials, unless a call is still running.
    pub(in super::super) fn ask<K: Send + 'static>(&mut self, inbox: &Arc<Inbox<K>>) {
        if std::mem::replace(&mut self.is_asked, true) {
            return;
        }
        let provider = Arc::clone(&self.provider);
        let started = start("credentials", inbox, move |inbox| {
            let credentials = provider.lock().unwrap_or_else(PoisonError::into_inner).provide();
            inbox.put(Message::Credentials(credentials.map_err(Into::into)));
        });
        if let Err(error) = started {
            inbox.put(Message::Credentials(Err(error.into())));
        }
    }

    pub(in super::super) fn has_ended(&mut self) {
        self.is_asked = false;
    }
}
