//! The keys as the loops take them: those that are none end the run, or are passed over.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use oss_delete_vectors::transports::StopHandle;

use crate::args::OnBadKey;
use crate::console::Console;
use crate::source::{Source, Trouble};

/// How many bad lines are told one by one.
const BAD_LINES_TOLD: u64 = 20;

/// The iterator of keys.
pub(crate) struct Keys {
    source: Source,
    on_bad_key: OnBadKey,
    stop: StopHandle,
    console: Console,
    reading: Arc<Reading>,
    has_ended: bool,
}

/// How far reading is, and how it went.
#[derive(Default)]
pub(crate) struct Reading {
    keys: AtomicU64,
    bad_lines: AtomicU64,
    /// What ended it before the end of the input.
    trouble: Mutex<Option<Trouble>>,
    has_ended: AtomicBool,
}

impl Reading {
    /// How many keys were read.
    pub(crate) fn keys(&self) -> u64 {
        self.keys.load(Ordering::Acquire)
    }

    /// How many lines were passed over.
    pub(crate) fn bad_lines(&self) -> u64 {
        self.bad_lines.load(Ordering::Relaxed)
    }

    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether so many keys are all there are.
    pub(crate) fn is_complete(&self, taken: u64) -> bool {
        self.has_ended.load(Ordering::Acquire) && self.keys() == taken
    }
}

impl Keys {
    pub(crate) fn new(source: Source, on_bad_key: OnBadKey, stop: StopHandle, console: Console, reading: Arc<Reading>) -> Self {
        Self { source, on_bad_key, stop, console, reading, has_ended: false }
    }
}

impl Iterator for Keys {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        while !self.has_ended {
            match self.source.next() {
                Some(Ok(key)) => {
                    self.reading.keys.fetch_add(1, Ordering::Release);
                    return Some(key);
                }
                None => {
                    self.has_ended = true;
                    self.reading.has_ended.store(true, Ordering::Release);
                }
                Some(Err(trouble)) if trouble.can_go_on && self.on_bad_key == OnBadKey::Skip => {
                    let before = self.reading.bad_lines.fetch_add(1, Ordering::Relaxed);
                    if before < BAD_LINES_TOLD {
                        self.console.say(format_args!("warning: skipped: {}", trouble.text));
                    } else if before == BAD_LINES_TOLD {
                        self.console.say("warning: further lines that are skipped are counted, and not told");
                    }
                }
                Some(Err(trouble)) => {
                    *self.reading.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
                    // Before the end: then what waits is not sent.
                    self.stop.stop();
                    self.has_ended = true;
                }
            }
        }
        None
    }
}
