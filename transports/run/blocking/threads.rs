//! The threads of a run. All are detached, for a run that stops waits for nobody.
#![expect(clippy::disallowed_types, reason = "an adapter whose concurrency is threads")]

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use bytes::Bytes;
use http::{Request, Response};

use super::inbox::{Inbox, Message};
use crate::bulk::{Failure, Transmit};
use crate::transports::run::BlockingProvider;

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

/// The threads that send: as many as were in flight at once.
pub(super) struct Workers<F, K> {
    send: Arc<F>,
    inbox: Arc<Inbox<K>>,
    workers: Vec<Worker>,
    /// Which of them wait for a request. The last one to answer is the next to send, for it is the one that is still warm.
    idle: Vec<usize>,
    /// Requests that wait for a thread, where the system gives no more.
    waiting: VecDeque<Transmit>,
}

/// A thread with a queue of its own: a request wakes one thread and no other.
struct Worker {
    queue: Sender<Transmit>,
    thread: JoinHandle<()>,
}

impl<F, K, X> Workers<F, K>
where
    F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
    X: Into<Failure>,
    K: Send + 'static,
{
    pub(super) fn new(send: F, inbox: Arc<Inbox<K>>) -> Self {
        Self { send: Arc::new(send), inbox, workers: Vec::new(), idle: Vec::new(), waiting: VecDeque::new() }
    }

    /// Sends a request on an idle thread, or on a new one.
    pub(super) fn send(&mut self, transmit: Transmit) {
        let worker = match self.idle.pop().map_or_else(|| self.start(), Ok) {
            Ok(worker) => worker,
            Err(error) if self.workers.is_empty() => {
                let failure = Failure::surely_not_sent(format!("no thread to send from: {error}"));
                return self.inbox.put(Message::Answer { id: transmit.id, answer: Err(failure), worker: None });
            }
            Err(_) => return self.waiting.push_back(transmit),
        };
        self.workers[worker].send(transmit);
    }

    fn start(&mut self) -> io::Result<usize> {
        let (worker, send) = (self.workers.len(), Arc::clone(&self.send));
        let (queue, queued) = channel();
        let thread = start("send", &self.inbox, move |inbox| {
            for Transmit { id, request, span, .. } in queued {
                let answer = span.in_scope(|| send(request)).map_err(Into::into);
                inbox.put(Message::Answer { id, answer, worker: Some(worker) });
            }
        })?;
        self.workers.push(Worker { queue, thread });
        Ok(worker)
    }

    /// `worker` has answered, and takes what waits.
    pub(super) fn has_answered(&mut self, worker: usize) {
        match self.waiting.pop_front() {
            Some(transmit) => self.workers[worker].send(transmit),
            None => self.idle.push(worker),
        }
    }

    /// Waits for threads to end, where none is in a call that may last.
    pub(super) fn join_idle(self) {
        if self.idle.len() == self.workers.len() {
            let threads: Vec<_> = self.workers.into_iter().map(|worker| worker.thread).collect();
            threads.into_iter().for_each(|thread| thread.join().expect("a panic was caught"));
        }
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
