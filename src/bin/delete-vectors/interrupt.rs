//! Ctrl-C, SIGTERM and SIGHUP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use oss_delete_vectors::transports::StopHandle;

use crate::console::Console;
use crate::exit::Exit;

/// Counts the signals.
#[derive(Clone, Default)]
pub(crate) struct Interrupts(Arc<AtomicU8>);

impl Interrupts {
    /// From now on the first Ctrl-C stops the run, the second aborts it, and the third exits at
    /// once.
    pub(crate) fn stop(&self, stop: StopHandle, console: Console) -> Result<(), ctrlc::Error> {
        let count = self.clone();
        ctrlc::set_handler(move || match count.0.fetch_add(1, Ordering::SeqCst) {
            0 => {
                stop.stop();
                console
                    .say("stopping: waiting for the requests in flight; once more to leave them");
            }
            1 => stop.abort(),
            _ => Exit::Interrupted.now(),
        })
    }

    pub(crate) fn any(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}
