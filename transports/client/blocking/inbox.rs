use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::Duration;

use crate::bulk::TransmitId;
use crate::transports::BoxError;
use crate::{Credentials, KeyBatch, TransportError};

/// The most keys that are read ahead: eight batches, so that the reader rarely waits.
const KEYS_AHEAD: usize = 8 * KeyBatch::MAX_KEYS;

/// How long the run pauses after it looked at responses. Threads that send need it only for events
/// and for keys; if they are fast, waking it for each response would cost as much as sending.
const PAUSE: Duration = Duration::from_micros(500);

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
    /// Responses were handed in. Stays set until the run has looked, and can wait for its pause.
    has_news: bool,
    /// The run looked at news just now, and pauses in its next wait.
    pauses_next: bool,
    is_pausing: bool,
    /// How many keys the run waits for, or [`NO_KEYS`].
    keys_awaited: usize,
    reader_waits: bool,
    /// The run is over.
    is_closed: bool,
}

pub(in super::super) enum Message {
    /// There was no thread for it.
    NotSent(TransmitId, TransportError),
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
            has_news: false,
            pauses_next: false,
            is_pausing: false,
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
        let pause = if state.pauses_next { PAUSE.min(longest) } else { Duration::ZERO };
        state.is_pausing = true;
        let paused = self.filled.wait_timeout_while(state, pause, |state| !state.is_called);
        let (mut state, _) = paused.unwrap_or_else(PoisonError::into_inner);
        state.is_pausing = false;
        let longest = longest.saturating_sub(pause);
        let is_quiet = |state: &mut State<K>| !state.is_called && !state.has_news;
        let waited = self.filled.wait_timeout_while(state, longest, is_quiet);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_called = false;
        state.pauses_next = std::mem::take(&mut state.has_news);
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

    /// A response was handed in. `is_urgent`: no request was taken in its place.
    pub(super) fn has_news(&self, is_urgent: bool) {
        let mut state = self.lock();
        let is_first = !std::mem::replace(&mut state.has_news, true);
        if is_urgent {
            self.call(state);
        } else if is_first && !state.is_pausing && !state.is_called {
            drop(state);
            self.filled.notify_one();
        }
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

#[cfg(test)]
#[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a run and its reader")]
mod tests {
    use std::sync::mpsc;
    use std::task::Waker;
    use std::thread;

    use super::*;

    /// Far longer than any test may take.
    const MINUTE: Duration = Duration::from_secs(60);

    fn take(inbox: &Inbox<u32>, wanted: KeysWanted, longest: Duration) -> (VecDeque<u32>, bool) {
        let (mut keys, mut has_more_keys) = (VecDeque::new(), true);
        inbox.wait(wanted, longest, &mut keys, &mut has_more_keys);
        (keys, has_more_keys)
    }

    /// A thread that waits for keys, and what it sends when it goes on.
    fn wait_for_keys(inbox: &Arc<Inbox<u32>>) -> (thread::JoinHandle<()>, mpsc::Receiver<()>) {
        let ((done, ends), inbox) = (mpsc::channel(), Arc::clone(inbox));
        let run = thread::spawn(move || {
            take(&inbox, KeysWanted::Any, 60 * MINUTE);
            done.send(()).unwrap();
        });
        (run, ends)
    }

    fn credentials() -> Message {
        Message::Credentials(Credentials::new("id", "secret").map_err(BoxError::from))
    }

    #[test]
    fn keys_are_there_until_they_are_taken() {
        let inbox = Inbox::new();
        assert!(!inbox.has_keys());
        assert!(inbox.put_key(1) && inbox.put_key(2) && inbox.has_keys());
        assert_eq!(take(&inbox, KeysWanted::None, Duration::ZERO), (VecDeque::new(), true));
        assert!(inbox.has_keys());
        assert_eq!(take(&inbox, KeysWanted::Any, MINUTE), (VecDeque::from([1, 2]), true));
        assert!(!inbox.has_keys());
        inbox.end_source();
        assert!(inbox.has_keys(), "the end of the source is news");
        assert_eq!(take(&inbox, KeysWanted::Many, MINUTE), (VecDeque::new(), false));
        let nothing = VecDeque::new();
        assert_eq!(
            (inbox.close(), inbox.put_key(3), inbox.close()),
            (nothing.clone(), false, nothing)
        );
    }

    #[test]
    fn news_waits_for_the_pause_unless_it_is_urgent() {
        let inbox = Inbox::new();
        for pauses_next in [false, true, true] {
            assert_eq!(inbox.lock().pauses_next, pauses_next);
            inbox.has_news(false);
            take(&inbox, KeysWanted::None, MINUTE);
            let state = inbox.lock();
            assert!(!state.has_news && !state.is_pausing, "it has looked");
        }
        inbox.has_news(true);
        assert!(inbox.lock().is_called, "there is nothing to pause for");
        take(&inbox, KeysWanted::None, MINUTE);
        assert!(!inbox.lock().is_called, "it has looked");
        take(&inbox, KeysWanted::None, Duration::ZERO);
        assert!(!inbox.lock().pauses_next, "nothing came");
    }

    #[test]
    fn the_run_is_called_for_what_it_waits_for() {
        let is_called = |wanted, put: &dyn Fn(&Arc<Inbox<u32>>)| {
            let inbox = Arc::new(Inbox::new());
            inbox.lock().keys_awaited = wanted;
            put(&inbox);
            std::mem::take(&mut inbox.lock().is_called)
        };
        let keys = |count| {
            move |inbox: &Arc<Inbox<u32>>| assert!((0..count).all(|key| inbox.put_key(key)))
        };
        for (wanted, count, expected) in [
            (NO_KEYS, 600, false),
            (1, 0, false),
            (1, 1, true),
            (KeyBatch::MAX_KEYS, 499, false),
            (KeyBatch::MAX_KEYS, 500, true),
        ] {
            assert_eq!(is_called(wanted, &keys(count)), expected, "{wanted} {count}");
        }
        assert!(is_called(NO_KEYS, &|inbox| inbox.put(credentials())));
        assert!(is_called(NO_KEYS, &|inbox| inbox.end_source()));
        assert!(is_called(NO_KEYS, &|inbox| Waker::from(Arc::clone(inbox)).wake()));
    }

    #[test]
    fn a_waiting_run_is_woken_by_all_that_comes_in() {
        let puts: [fn(&Arc<Inbox<u32>>); 6] = [
            |inbox| inbox.put(credentials()),
            |inbox| assert!(inbox.put_key(1)),
            |inbox| inbox.end_source(),
            |inbox| inbox.has_news(false),
            |inbox| inbox.has_news(true),
            |inbox| Waker::from(Arc::clone(inbox)).wake(),
        ];
        for put in puts {
            let inbox = Arc::new(Inbox::new());
            let (run, ends) = wait_for_keys(&inbox);
            while inbox.lock().keys_awaited == NO_KEYS {
                thread::yield_now();
            }
            put(&inbox);
            ends.recv_timeout(MINUTE).expect("the run is woken");
            run.join().unwrap();
        }
    }

    #[test]
    fn run_does_not_wait_for_what_is_there() {
        let puts: [fn(&Arc<Inbox<u32>>); 2] =
            [|inbox| assert!(inbox.put_key(1)), |inbox| inbox.end_source()];
        for put in puts {
            let inbox = Arc::new(Inbox::new());
            put(&inbox);
            // A look without interest in keys takes the call, and leaves the keys.
            take(&inbox, KeysWanted::None, Duration::ZERO);
            let (run, ends) = wait_for_keys(&inbox);
            ends.recv_timeout(MINUTE).expect("the run goes on");
            run.join().unwrap();
        }
    }

    #[test]
    fn a_reader_waits_for_room_and_ends_with_the_run() {
        let inbox = Arc::new(Inbox::new());
        let close = inbox.close_on_drop();
        let (done, ends) = mpsc::channel();
        let reading = Arc::clone(&inbox);
        let reader = thread::spawn(move || {
            let put = (0..).take_while(|&key| reading.put_key(key)).count();
            done.send(put).unwrap();
        });
        let mut keys = VecDeque::new();
        while keys.len() < 3 * KEYS_AHEAD {
            let (mut taken, has_more_keys) = take(&inbox, KeysWanted::Any, MINUTE);
            assert!(has_more_keys && taken.len() <= KEYS_AHEAD);
            keys.append(&mut taken);
        }
        assert!(keys.iter().copied().eq(0..u32::try_from(keys.len()).unwrap()));
        while !inbox.lock().reader_waits {
            thread::yield_now();
        }
        drop(close);
        let put = ends.recv_timeout(MINUTE).expect("the reader ends");
        assert!(put >= keys.len() - 1, "the last key is put, and then no more are wanted");
        reader.join().unwrap();
    }
}
