//! The run itself, over the HTTP client that was asked for.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;

use oss_delete_vectors::bulk::{BulkDelete, Event, Report};
use oss_delete_vectors::transports::{
    AsyncProvider, BlockingProvider, HyperTransport, Run, RunError, StopHandle, TransportOptions, UreqTransport,
};
use oss_delete_vectors::{Credentials, Key, Now};
use tokio::runtime::Builder;
use tokio::task::spawn_blocking;

use crate::args::Client;
use crate::books::{Books, BoxError};
use crate::config::{CredentialProcess, CredentialSource};
use crate::key_stream::KeyStream;
use crate::keys::Keys;
use crate::log::Pace;
use crate::outage_lines::OutageLines;
use crate::progress::Progress;

/// What a run is made of.
pub(crate) struct Job<'a> {
    pub(crate) client: Client,
    pub(crate) options: &'a TransportOptions,
    pub(crate) bulk: &'a mut BulkDelete,
    pub(crate) keys: Keys,
    pub(crate) credentials: CredentialSource,
    pub(crate) books: &'a mut Books,
    pub(crate) progress: &'a mut Progress,
    pub(crate) stop: StopHandle,
}

type Outcome = Result<Report, RunError>;

/// How a run ended, and what could not be written down in it.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) unwritten: Option<BoxError>,
}

impl Job<'_> {
    /// Runs to the end. Books that cannot be written stop the run: what is deleted past them could not be told.
    pub(crate) fn run(self) -> io::Result<Ended> {
        let Self { client, options, bulk, keys, credentials, books, progress, stop } = self;
        let interval = progress.interval();
        let mut pace = Pace::default();
        let notes = RefCell::new((books, None));
        let outage_lines = RefCell::new(OutageLines::new(progress.console()));
        let note = |written: Result<(), BoxError>, unwritten: &mut Option<_>| {
            if let Err(error) = written {
                unwritten.get_or_insert(error);
                stop.stop();
            }
        };
        let on_event = |event: Event| {
            outage_lines.borrow_mut().take(&event);
            notes.borrow_mut().0.take(event);
        };
        let on_progress = |bulk: &BulkDelete| {
            progress.show(bulk);
            outage_lines.borrow_mut().show();
            pace.log(bulk);
            let (books, unwritten) = &mut *notes.borrow_mut();
            if unwritten.is_none() {
                note(books.keep(bulk), unwritten);
            }
        };
        let run = Run::new(&mut *bulk).on_event(on_event).on_progress(interval, on_progress).stop_handle(&stop);
        let outcome = match credentials {
            CredentialSource::Fixed(_) => drive(run, client, options, keys),
            CredentialSource::Process(process) => drive(run.credentials(Provider(process)), client, options, keys),
        };
        progress.end();
        pace.log_last(bulk);
        let (outcome, unsent) = outcome?;
        let (books, unwritten) = notes.into_inner();
        take_unsent(bulk, &unsent, books);
        Ok(Ended { outcome, unwritten })
    }
}

/// Counts keys that were read when the run stopped, and not pushed: they are not attempted.
fn take_unsent(bulk: &mut BulkDelete, unsent: &[String], books: &mut Books) {
    for key in unsent {
        let key = Key::new(key).expect("the source checked it");
        // A run that did not stop took all keys.
        if bulk.push_unsent(key).is_err() {
            break;
        }
    }
    bulk.finish();
    while let Some(event) = bulk.poll_event() {
        books.take(event);
    }
}

/// Runs to the end. Also the keys that were read and not pushed.
fn drive<E, P, M>(
    run: Run<'_, E, P, fn() -> Now, M>,
    client: Client,
    options: &TransportOptions,
    keys: Keys,
) -> io::Result<(Outcome, Vec<String>)>
where
    E: FnMut(Event),
    P: AsyncProvider + BlockingProvider,
    M: FnMut(&BulkDelete),
{
    Ok(match client {
        Client::Hyper => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let transport = HyperTransport::new(options);
            let mut keys = KeyStream::read(keys)?;
            let outcome = runtime.block_on(run.run_async(&mut keys, |request| transport.send(request), tokio::time::sleep));
            // A credential process that is still asked has nothing to say any more.
            runtime.shutdown_background();
            (outcome, keys.close())
        }
        Client::Ureq => {
            let transport = UreqTransport::new(options);
            // It counts such keys by itself.
            (run.run_blocking(keys, move |request| transport.send(request)), Vec::new())
        }
    })
}

/// Runs the credential process again, for either loop.
struct Provider(CredentialProcess);

impl BlockingProvider for Provider {
    type Error = BoxError;

    fn provide(&mut self) -> Result<Credentials, BoxError> {
        Ok(self.0.run()?)
    }
}

impl AsyncProvider for Provider {
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Credentials, BoxError>>>>;

    fn provide(&mut self) -> Self::Future {
        let process = self.0.clone();
        Box::pin(async move { Ok(spawn_blocking(move || process.run()).await??) })
    }
}
