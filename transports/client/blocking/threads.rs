//! The threads of a run. All are detached, for a run that stops waits for nobody.
#![expect(clippy::disallowed_types, reason = "an adapter whose concurrency is threads")]

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{Builder, JoinHandle};

use bytes::Bytes;
use http::{Request, Response};

use super::inbox::{Inbox, Message};
use crate::bulk::{Failure, Transmit};
use crate::transports::client::BlockingProvider;
use crate::transports::client::steps::Sender;

/// How many threads may be in calls of `send` that timed out: a thread cannot be cancelled.
const MOST_HANGING: usize = 64;

/// Starts a thread that does `work` and brings a panic of it to the inbox, to go on in the thread of the run.
fn start<K: Send + 'static>(
    name: &str,
    inbox: &Arc<Inbox<K>>,
    work: impl FnOnce(&Inbox<K>) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let inbox = Arc::clone(inbox);
    Builder::new().name(name.to_owned()).spawn(move || {
        // Whatever the panic broke is never looked at again, except by other calls of `send`, as with any thread of a program.
        let done: Result<(), Box<dyn Any + Send>> = catch_unwind(AssertUnwindSafe(|| work(&inbox)));
        if let Err(payload) = done {
            inbox.put(Message::Panicked(payload));
        }
    })
}

/// The thread that reads the source.
pub(super) struct Reader<I> {
    /// Until it is started.
    source: Option<I>,
}

impl<I> Reader<I>
where
    I: Iterator<Item: Send> + Send + 'static,
{
    pub(super) fn new(source: I) -> Self {
        Self { source: Some(source) }
    }

    /// Starts reading, the first time.
    pub(super) fn start(&mut self, inbox: &Arc<Inbox<I::Item>>) -> io::Result<()> {
        let Some(mut source) = self.source.take() else { return Ok(()) };
        let read = move |inbox: &Inbox<I::Item>| {
            let has_ended = source.all(|key| inbox.put_key(key));
            // Before its end is known, for then the run may return.
            drop(source);
            if has_ended {
                inbox.end_source();
            }
        };
        start("keys", inbox, read).map(drop)
    }
}

/// The threads that send: as many as were in flight at once, and those that hang.
pub(super) struct Workers<F, K> {
    send: Arc<F>,
    inbox: Arc<Inbox<K>>,
    workers: Vec<Worker>,
    /// Which of them wait for a request. The last one to answer is the next to send: its caches are warm.
    idle: Vec<usize>,
    /// Why there was no thread for the latest request.
    shortage: Option<Shortage>,
}

/// A thread with a queue of its own: a request wakes one thread and no other.
struct Worker {
    queue: mpsc::Sender<Transmit>,
    thread: JoinHandle<()>,
}

/// Why there is no thread.
enum Shortage {
    System(io::Error),
    AllHang(usize),
}

impl<F, K, X> Workers<F, K>
where
    F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
    X: Into<Failure>,
    K: Send + 'static,
{
    pub(super) fn new(send: F, inbox: Arc<Inbox<K>>) -> Self {
        Self { send: Arc::new(send), inbox, workers: Vec::new(), idle: Vec::new(), shortage: None }
    }

    /// Whether the latest request could not be sent for want of a thread. A thread may be had later.
    pub(super) fn are_short(&self) -> bool {
        self.shortage.is_some()
    }

    fn start(&mut self, in_flight: usize) -> Result<usize, Shortage> {
        // No thread is idle: each is in a call, and of these calls `in_flight` are still awaited.
        let worker = self.workers.len();
        let hanging = worker.saturating_sub(in_flight);
        if hanging >= MOST_HANGING {
            return Err(Shortage::AllHang(hanging));
        }
        let send = Arc::clone(&self.send);
        let (queue, queued) = mpsc::channel();
        let work = move |inbox: &Inbox<K>| {
            for Transmit { id, request, span, .. } in queued {
                let answer = span.in_scope(|| send(request)).map_err(Into::into);
                inbox.put(Message::Answer { id, answer, worker: Some(worker) });
            }
        };
        let thread = start("send", &self.inbox, work).map_err(Shortage::System)?;
        self.workers.push(Worker { queue, thread });
        Ok(worker)
    }

    /// `worker` has answered and is free.
    pub(super) fn has_answered(&mut self, worker: usize) {
        self.idle.push(worker);
    }

    /// Waits for threads to end, unless one is in a call that may last.
    pub(super) fn join_idle(self) {
        if self.idle.len() == self.workers.len() {
            let threads: Vec<_> = self.workers.into_iter().map(|worker| worker.thread).collect();
            threads.into_iter().for_each(|thread| thread.join().expect("a panic was caught"));
        }
    }
}

/// No request is taken out of the state machine before there is a thread for it: it would wait
/// unsent, while its timeout runs, and leave after a stop.
impl<F, K, X> Sender for Workers<F, K>
where
    F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
    X: Into<Failure>,
    K: Send + 'static,
{
    fn is_ready(&mut self, in_flight: usize) -> bool {
        self.shortage = None;
        if self.idle.is_empty() {
            match self.start(in_flight) {
                Ok(worker) => self.idle.push(worker),
                Err(shortage) => self.shortage = Some(shortage),
            }
        }
        // With nothing in flight no thread will be free: the request fails, rather than wait in silence.
        self.shortage.is_none() || in_flight == 0
    }

    fn send(&mut self, transmit: Transmit) {
        let failure = match (self.idle.pop(), self.shortage.take()) {
            (Some(worker), _) => return self.workers[worker].send(transmit),
            (None, Some(Shortage::AllHang(threads))) => {
                format!("no thread to send from: {threads} threads are in calls that timed out and do not return")
            }
            (None, Some(Shortage::System(error))) => format!("no thread to send from: {error}"),
            (None, None) => unreachable!("is_ready comes first"),
        };
        let answer = Err(Failure::surely_not_sent(failure));
        self.inbox.put(Message::Answer { id: transmit.id, answer, worker: None });
    }
}

impl Worker {
    fn send(&self, transmit: Transmit) {
        self.queue.send(transmit).expect("a thread that is idle waits for requests");
    }
}

/// The provider of credentials, and the thread that it is asked on.
pub(super) struct Renewer<P> {
    provider: Arc<Mutex<P>>,
    is_asked: bool,
}

impl<P: BlockingProvider> Renewer<P> {
    pub(super) fn new(provider: P) -> Self {
        Self { provider: Arc::new(Mutex::new(provider)), is_asked: false }
    }

    /// Asks for credentials, unless the last question is still open.
    pub(super) fn ask<K: Send + 'static>(&mut self, inbox: &Arc<Inbox<K>>) {
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

    pub(super) fn has_answered(&mut self) {
        self.is_asked = false;
    }
}
