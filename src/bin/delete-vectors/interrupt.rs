//! Ctrl-C, SIGTERM and SIGHUP.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use oss_delete_vectors::transports::StopHandle;

use crate::console::{Console, complain};
use crate::exit::Exit;

/// ctrlc does not report why it failed. It needs a thread.
const NO_THREAD: &str =
    "cannot handle signals: no thread can be started\nhelp: raise the limit of threads, ulimit -u";

/// The signals so far, and the run that they stop.
#[derive(Clone, Default)]
pub(crate) struct Interrupts(Arc<State>);

#[derive(Default)]
struct State {
    count: AtomicU8,
    run: OnceLock<(StopHandle, Console)>,
}

impl Interrupts {
    /// Handles signals from now on. Before the run, the first one ends the program. During the run,
    /// the first one stops it, the second one aborts it, and the third one ends the program.
    pub(crate) fn handle() -> Result<Self, &'static str> {
        let interrupts = Self::default();
        let state = Arc::clone(&interrupts.0);
        let handler = move || match (state.run.get(), state.count.fetch_add(1, Ordering::SeqCst)) {
            (None, _) => {
                complain("error: interrupted\nnote: nothing was deleted");
                Exit::Interrupted.now();
            }
            (Some((stop, console)), 0) => {
                stop.stop();
                console.say("stopping: waiting for requests in flight; interrupt again to abort");
            }
            (Some((stop, _)), 1) => stop.abort(),
            _ => Exit::Interrupted.now(),
        };
        ctrlc::set_handler(handler).map_err(|_| NO_THREAD)?;
        Ok(interrupts)
    }

    /// Starts the run: from now on signals stop it.
    pub(crate) fn start_run(&self, stop: StopHandle, console: Console) {
        self.0.run.get_or_init(|| (stop, console));
    }

    pub(crate) fn any(&self) -> bool {
        self.0.count.load(Ordering::SeqCst) > 0
    }
}
