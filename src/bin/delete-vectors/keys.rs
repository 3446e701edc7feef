//! The iterator of keys for the run loops. A line without a key ends the run, or is skipped.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use oss_delete_vectors::bulk::Settled;
use oss_delete_vectors::transports::StopHandle;

use crate::args::OnBadKey;
use crate::console::Console;
use crate::fingerprint::{Fingerprint, Mark, ReadAhead};
use crate::source::{InputError, Source};

/// The number of bad lines that are reported one by one.
const BAD_LINES_REPORTED: u64 = 20;

/// The iterator of keys.
pub(crate) struct Keys {
    source: Source,
    on_bad_key: OnBadKey,
    stop: StopHandle,
    /// `None` with `--quiet`: skipped lines are only counted.
    console: Option<Console>,
    reading: Arc<Reading>,
    read_ahead: ReadAhead,
    has_ended: bool,
}

/// The progress and the result of reading.
#[derive(Default)]
pub(crate) struct Reading {
    keys: AtomicU64,
    bad_lines: AtomicU64,
    /// The error that ended reading early.
    error: Mutex<Option<InputError>>,
    has_ended: AtomicBool,
    pub(crate) fingerprint: Fingerprint,
}

impl Reading {
    /// The number of keys read.
    pub(crate) fn keys(&self) -> u64 {
        self.keys.load(Ordering::Acquire)
    }

    /// The number of skipped lines.
    pub(crate) fn bad_lines(&self) -> u64 {
        self.bad_lines.load(Ordering::Relaxed)
    }

    pub(crate) fn error(&self) -> Option<InputError> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the input has ended and has exactly this many keys.
    pub(crate) fn is_complete(&self, taken: u64) -> bool {
        self.has_ended.load(Ordering::Acquire) && self.keys() == taken
    }
}

impl Keys {
    pub(crate) fn new(
        source: Source,
        on_bad_key: OnBadKey,
        stop: StopHandle,
        console: Option<Console>,
        reading: Arc<Reading>,
    ) -> Self {
        Self {
            source,
            on_bad_key,
            stop,
            console,
            reading,
            read_ahead: ReadAhead::default(),
            has_ended: false,
        }
    }

    /// Reads up to `mark`, and returns whether the keys before it are the same. The run still gets
    /// these keys. Keys at `settled` positions are not kept.
    ///
    /// # Errors
    ///
    /// The error that ended the input before the mark.
    pub(crate) fn check(&mut self, mark: &Mark, settled: &Settled) -> Result<bool, InputError> {
        let mut read = ReadAhead::new(settled.clone());
        while read.end() < mark.position
            && let Some(key) = self.next()
        {
            read.push(key);
        }
        self.read_ahead = read;
        self.reading.error().map_or(Ok(self.reading.fingerprint.is_at(mark)), Err)
    }

    fn say(&self, line: impl Display) {
        if let Some(console) = &self.console {
            console.say(line);
        }
    }

    /// Counts a key, or reports the line without one.
    fn take(&mut self, read: Result<String, InputError>) -> Option<String> {
        match read {
            Ok(key) => {
                self.reading.fingerprint.add(&key);
                self.reading.keys.fetch_add(1, Ordering::Release);
                return Some(key);
            }
            Err(error) if error.can_go_on && self.on_bad_key == OnBadKey::Skip => {
                let before = self.reading.bad_lines.fetch_add(1, Ordering::Relaxed);
                if before < BAD_LINES_REPORTED {
                    self.say(format_args!("warning: skipped: {}", error.text));
                } else if before == BAD_LINES_REPORTED {
                    self.say("warning: further skipped lines are counted, and not reported");
                }
            }
            Err(error) => {
                *self.reading.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                // Stops before the iterator ends, so that waiting keys are not sent.
                self.stop.stop();
                self.has_ended = true;
            }
        }
        None
    }
}

impl Iterator for Keys {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if let Some(key) = self.read_ahead.pop() {
            return Some(key);
        }
        while !self.has_ended {
            let Some(read) = self.source.next() else {
                self.has_ended = true;
                for name in self.source.take_empty() {
                    self.say(format_args!("warning: {name} holds no keys"));
                }
                self.reading.has_ended.store(true, Ordering::Release);
                return None;
            };
            if let Some(key) = self.take(read) {
                return Some(key);
            }
        }
        None
    }
}
