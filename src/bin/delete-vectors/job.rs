//! The run itself, over the HTTP client that was asked for.

use std::cell::RefCell;
use std::io;

use oss_delete_vectors::bulk::{BulkDelete, Event, Report};
use oss_delete_vectors::transports::{HyperTransport, Run, RunError, StopHandle, TransportOptions, UreqTransport};

use crate::args::Client;
use crate::books::Books;
use crate::keys::Keys;
use crate::progress::Progress;

/// What a run is made of.
pub(crate) struct Job<'a> {
    pub(crate) client: Client,
    pub(crate) options: &'a TransportOptions,
    pub(crate) bulk: &'a mut BulkDelete,
    pub(crate) keys: Keys,
    pub(crate) books: &'a mut Books,
    pub(crate) progress: &'a mut Progress,
    pub(crate) stop: StopHandle,
}

/// How a run ended, and what could not be written down in it.
pub(crate) struct Ended {
    pub(crate) outcome: Result<Report, RunError>,
    pub(crate) unwritten: Option<Box<dyn std::error::Error>>,
}

impl Job<'_> {
    /// Runs to the end. Books that cannot be written stop the run: what is deleted past them could not be told.
    pub(crate) fn run(self) -> io::Result<Ended> {
        let Self { client, options, bulk, keys, books, progress, stop } = self;
        let interval = progress.interval();
        let notes = RefCell::new((books, None));
        let note = |written: Result<(), Box<dyn std::error::Error>>, unwritten: &mut Option<_>| {
            if let Err(error) = written {
                unwritten.get_or_insert(error);
                stop.stop();
            }
        };
        let on_event = |event: Event| {
            let (books, unwritten) = &mut *notes.borrow_mut();
            note(books.take(event), unwritten);
        };
        let on_progress = |bulk: &BulkDelete| {
            progress.show(bulk);
            let (books, unwritten) = &mut *notes.borrow_mut();
            if unwritten.is_none() {
                note(books.keep(bulk), unwritten);
            }
        };
        let run = Run::new(bulk).on_event(on_event).on_progress(interval, on_progress).stop_handle(&stop);
        let outcome = match client {
            Client::Hyper => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let transport = HyperTransport::new(options);
                let keys = keys.into_stream()?;
                runtime.block_on(run.run_async(keys, |request| transport.send(request), tokio::time::sleep))
            }
            Client::Ureq => {
                let transport = UreqTransport::new(options);
                run.run_blocking(keys, move |request| transport.send(request))
            }
        };
        progress.end();
        Ok(Ended { outcome, unwritten: notes.into_inner().1 })
    }
}
