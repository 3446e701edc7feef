use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

use crate::bulk::TransmitId;
use crate::transports::BoxError;
use crate::{Credentials, KeyBatch, TransportError};

/// The most keys that are read ahead: two batches.
const KEYS_AHEAD: usize = 2 * KeyBatch::MAX_KEYS;

/// More keys than there can be: the run waits for none, or does not wait.
const NO_KEYS: usize = usize::MAX;

/// Everything that comes in, in one place, so that the run has one thing to wait for.
///
/// Not a channel: keys wait for the run only if it wants some, and wake it once per batch. A wakeup
/// per key would cost more than the key.
pub(in super::super) struct Inbox<K> {
    state: Mutex<State<K>>,
    /// Wakes the run.
    filled: Condvar,
    /// Wakes the reader of keys.
    has_room: Condvar,
}

struct State<K> {
    keys: VecDeque<K>,
    source_has_ended: bool,
    messages: Vec<Message>,
    /// There is something for the run. Stays set until the run has looked.
    is_called: bool,
    /// How many keys the run waits for, or [`NO_KEYS`].
    keys_awaited: usize,
    reader_waits: bool,
    /// The run is over.
    is_closed: bool,
}

pub(in super::super) enum Message {
    Response {
        id: TransmitId,
        response: Result<Response<Bytes>, TransportError>,
        /// The thread that it comes from, if there was one.
        worker: Option<usize>,
    },
    Credentials(Result<Credentials, BoxError>),
    /// A thread panicked with this.
    Panicked(Box<dyn Any + Send>),
}

/// How many keys wake the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum KeysWanted {
    None,
    Any,
    /// A batch, or the end of the source.
    Many,
}

impl<K> Inbox<K> {
    pub(in super::super) fn new() -> Self {
        let state = State {
            keys: VecDeque::new(),
            source_has_ended: false,
            messages: Vec::new(),
            is_called: false,
            keys_awaited: NO_KEYS,
            reader_waits: false,
            is_closed: false,
        };
        Self { state: Mutex::new(state), filled: Condvar::new(), has_room: Condvar::new() }
    }

    /// Waits until there is something, for at most `longest`. Keys go to `keys` if they are wanted.
    pub(in super::super) fn wait(
        &self,
        wanted: KeysWanted,
        longest: Duration,
        keys: &mut VecDeque<K>,
        has_more_keys: &mut bool,
    ) -> Vec<Message> {
        let mut state = self.lock();
        state.keys_awaited = match wanted {
            KeysWanted::None => NO_KEYS,
            KeysWanted::Any => 1,
            KeysWanted::Many => KeyBatch::MAX_KEYS,
        };
        let is_ended = wanted != KeysWanted::None && state.source_has_ended;
        state.is_called |= is_ended || state.keys.len() >= state.keys_awaited;
        let waited = self.filled.wait_timeout_while(state, longest, |state| !state.is_called);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_called = false;
        state.keys_awaited = NO_KEYS;
        if wanted != KeysWanted::None {
            std::mem::swap(&mut state.keys, keys);
            *has_more_keys = !state.source_has_ended;
            if std::mem::take(&mut state.reader_waits) {
                self.has_room.notify_one();
            }
        }
        std::mem::take(&mut state.messages)
    }

    /// Whether there are keys that were not taken yet, or the source has ended.
    pub(in super::super) fn has_keys(&self) -> bool {
        let state = self.lock();
        !state.keys.is_empty() || state.source_has_ended
    }

    /// Adds a key, and waits until there is room for another. `false` if no more are wanted.
    pub(in super::super) fn put_key(&self, key: K) -> bool {
        let mut state = self.lock();
        if state.is_closed {
            return false;
        }
        // Before the wait: a run that ends meanwhile counts the key.
        state.keys.push_back(key);
        while state.keys.len() >= KEYS_AHEAD && !state.is_closed {
            state.reader_waits = true;
            state = self.has_room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let is_closed = state.is_closed;
        if state.keys.len() >= state.keys_awaited {
            self.call(state);
        }
        !is_closed
    }

    /// Takes no more keys. Returns those that the run did not take.
    pub(in super::super) fn close(&self) -> VecDeque<K> {
        let mut state = self.lock();
        state.is_closed = true;
        self.has_room.notify_one();
        std::mem::take(&mut state.keys)
    }

    pub(in super::super) fn end_source(&self) {
        let mut state = self.lock();
        state.source_has_ended = true;
        self.call(state);
    }

    pub(in super::super) fn put(&self, message: Message) {
        let mut state = self.lock();
        state.messages.push(message);
        self.call(state);
    }

    /// Ends the reader, once the run is over or unwinds.
    pub(in super::super) fn close_on_drop(self: &Arc<Self>) -> impl Drop + use<K> {
        struct Close<K>(Arc<Inbox<K>>);
        impl<K> Drop for Close<K> {
            fn drop(&mut self) {
                self.0.close();
            }
        }
        Close(Arc::clone(self))
    }

    fn call(&self, mut state: MutexGuard<'_, State<K>>) {
        if !std::mem::replace(&mut state.is_called, true) {
            drop(state);
            self.filled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the stop handle wakes.
impl<K: Send> Wake for Inbox<K> {
    fn wake(self: Arc<Self>) {
        self.call(self.lock());
    }
}
