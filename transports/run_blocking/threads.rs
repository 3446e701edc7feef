//! The threads of a run. All are detached, for a run that stops waits for nobody.
#![expect(clippy::disallowed_types, reason = "an adapter whose concurrency is threads")]

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
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
    queue: Sender<Transmit>,
    /// Shared by those that are idle: the one that holds it takes the next.
    queued: Arc<Mutex<Receiver<Transmit>>>,
    threads: Vec<JoinHandle<()>>,
    /// Requests that no thread has answered.
    unanswered: usize,
}

impl<F, K, X> Workers<F, K>
where
    F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
    X: Into<Failure>,
    K: Send + 'static,
{
    pub(super) fn new(send: F, inbox: Arc<Inbox<K>>) -> Self {
        let (queue, queued) = channel();
        Self { send: Arc::new(send), inbox, queue, queued: Arc::new(Mutex::new(queued)), threads: Vec::new(), unanswered: 0 }
    }

    /// Sends a request on an idle thread, or on a new one.
    pub(super) fn send(&mut self, transmit: Transmit) {
        if self.unanswered >= self.threads.len() {
            let (send, queued) = (Arc::clone(&self.send), Arc::clone(&self.queued));
            match start("send", &self.inbox, move |inbox| work(&*send, &queued, inbox)) {
                Ok(thread) => self.threads.push(thread),
                Err(error) if self.threads.is_empty() => {
                    self.unanswered += 1;
                    let failure = Failure::surely_not_sent(format!("no thread to send from: {error}"));
                    return self.inbox.put(Message::Answer(transmit.id, Err(failure)));
                }
                // It waits for one that there is.
                Err(_) => {}
            }
        }
        self.unanswered += 1;
        self.queue.send(transmit).expect("the receiver is ours");
    }

    /// One of the requests was answered, and its thread is idle.
    pub(super) fn has_answered(&mut self) {
        self.unanswered -= 1;
    }

    /// Waits for threads to end, where none is in a call that may last.
    pub(super) fn join_idle(self) {
        if self.unanswered == 0 {
            drop(self.queue);
            self.threads.into_iter().for_each(|thread| thread.join().expect("a panic was caught"));
        }
    }
}

fn work<K, X: Into<Failure>>(
    send: &impl Fn(Request<Bytes>) -> Result<Response<Bytes>, X>,
    queued: &Mutex<Receiver<Transmit>>,
    inbox: &Inbox<K>,
) {
    loop {
        // In a statement of its own, so that the lock is free while this one is sent.
        let next = queued.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Transmit { id, request, span, .. }) = next else { return };
        let answer = span.in_scope(|| send(request));
        inbox.put(Message::Answer(id, answer.map_err(Into::into)));
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
