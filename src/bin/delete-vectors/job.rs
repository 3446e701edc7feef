//! Drives the run with the chosen HTTP client.

use std::io;
use std::pin::Pin;

use oss_delete_vectors::bulk::{BulkDelete, Event, Report};
use oss_delete_vectors::transports::{
    AsyncProvider, BlockingProvider, HyperTransport, Observer, Run, RunError, StopHandle,
    TransportOptions, UreqTransport,
};
use oss_delete_vectors::{Credentials, Key};
use tokio::runtime::Builder;
use tokio::task::spawn_blocking;

use crate::args::Client;
use crate::config::CredentialSource;
use crate::interrupt::Interrupts;
use crate::key_stream::KeyStream;
use crate::keys::Keys;
use crate::log::Pace;
use crate::matching::{self, Index};
use crate::outage_lines::OutageLines;
use crate::output_files::{BoxError, OutputFiles};
use crate::progress::Progress;

/// The parts of a run.
pub(crate) struct Job<'a> {
    pub(crate) client: Client,
    pub(crate) options: &'a TransportOptions,
    pub(crate) bulk: &'a mut BulkDelete,
    pub(crate) keys: JobKeys,
    pub(crate) credentials: CredentialSource,
    pub(crate) output_files: &'a mut OutputFiles,
    pub(crate) progress: &'a mut Progress,
    pub(crate) stop: StopHandle,
    pub(crate) interrupts: &'a Interrupts,
}

/// Where the keys come from.
pub(crate) enum JobKeys {
    Given(Box<Keys>),
    Listed(Box<Index>),
}

type Outcome = Result<Report, RunError>;

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    /// Why the output files could not be written.
    pub(crate) unwritten: Option<BoxError>,
    pub(crate) was_interrupted: bool,
}

impl Job<'_> {
    /// Runs to the end, or until Ctrl-C, or until the output files cannot be written.
    pub(crate) fn run(self) -> Result<Ended, BoxError> {
        let Self {
            client,
            options,
            bulk,
            keys,
            credentials,
            output_files,
            progress,
            stop,
            interrupts,
        } = self;
        let console = progress.console();
        let interval = progress.interval();
        let outage_lines = OutageLines::new(progress.console());
        let mut output = Output {
            output_files,
            progress,
            outage_lines,
            pace: Pace::default(),
            stop: stop.clone(),
            unwritten: None,
        };
        let renew = Provider::of(&credentials);
        // The run must have the handle first, because only later stops end it.
        let start = || interrupts.start_run(stop.clone(), console.clone());
        let (outcome, unsent) = match keys {
            JobKeys::Given(keys) => {
                let run = Run::new(&mut *bulk).observer(&mut output).progress_every(interval);
                let run = run.stop_handle(&stop);
                start();
                match renew {
                    None => drive(run, client, options, *keys)?,
                    Some(renew) => drive(run.credentials_provider(renew), client, options, *keys)?,
                }
            }
            JobKeys::Listed(index) => {
                let observer = index.matching.observer(&mut output);
                let run = Run::new(&mut *bulk).observer(observer).progress_every(interval);
                let run = run.stop_handle(&stop);
                start();
                let transport = (client, options);
                let outcome = match renew.clone() {
                    None => matching::drive(run, transport, *index, renew, console.clone())?,
                    Some(first) => {
                        let run = run.credentials_provider(first);
                        matching::drive(run, transport, *index, renew, console.clone())?
                    }
                };
                // Each key that was listed was pushed, or is listed again by the next run.
                (outcome, Vec::new())
            }
        };
        output.progress.end();
        output.pace.log_last(bulk);
        take_unsent(bulk, &unsent, output.output_files);
        Ok(Ended { outcome, unwritten: output.unwritten, was_interrupted: interrupts.any() })
    }
}

/// Everything that is shown or written during the run.
struct Output<'a> {
    output_files: &'a mut OutputFiles,
    progress: &'a mut Progress,
    outage_lines: OutageLines,
    pace: Pace,
    stop: StopHandle,
    unwritten: Option<BoxError>,
}

impl Observer for Output<'_> {
    fn event(&mut self, event: Event) {
        self.outage_lines.take(&event);
        self.output_files.take(event);
    }

    /// Stops the run if the files cannot be written: later deletions would not be recorded.
    fn progress(&mut self, bulk: &BulkDelete) {
        self.progress.show(bulk);
        self.outage_lines.show();
        self.pace.log(bulk);
        if self.unwritten.is_none()
            && let Err(error) = self.output_files.keep(bulk)
        {
            self.unwritten = Some(error);
            self.stop.stop();
        }
    }
}

/// Counts keys that were read before the run stopped, and not pushed: they are not attempted.
fn take_unsent(bulk: &mut BulkDelete, unsent: &[String], output_files: &mut OutputFiles) {
    for key in unsent {
        let key = Key::new(key).expect("the source checked it");
        // A run that did not stop took all keys.
        if bulk.push_unsent(key).is_err() {
            break;
        }
    }
    bulk.finish();
    while let Some(event) = bulk.poll_event() {
        output_files.take(event);
    }
}

/// Runs to the end. Also returns the keys that were read and not pushed.
fn drive<O, P>(
    run: Run<'_, O, P>,
    client: Client,
    options: &TransportOptions,
    keys: Keys,
) -> io::Result<(Outcome, Vec<String>)>
where
    O: Observer,
    P: AsyncProvider + BlockingProvider,
{
    Ok(match client {
        Client::Hyper => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let transport = HyperTransport::new(options);
            let mut keys = KeyStream::read(keys)?;
            let outcome = runtime.block_on(run.run_async(
                &mut keys,
                |request| transport.send(request),
                tokio::time::sleep,
            ));
            // The run no longer needs a credential process that is still running.
            runtime.shutdown_background();
            (outcome, keys.close())
        }
        Client::Ureq => {
            let transport = UreqTransport::new(options);
            // `run_blocking` counts such keys itself.
            (run.run_blocking(keys, move |request| transport.send(request)), Vec::new())
        }
    })
}

/// Requests credentials again, for either loop.
#[derive(Clone)]
pub(crate) struct Provider(CredentialSource);

impl Provider {
    /// `None` if the credentials stay the same.
    pub(crate) fn of(source: &CredentialSource) -> Option<Self> {
        source.is_renewable().then(|| Self(source.clone()))
    }
}

impl BlockingProvider for Provider {
    type Error = BoxError;

    fn provide(&mut self) -> Result<Credentials, BoxError> {
        self.0.credentials()
    }
}

impl AsyncProvider for Provider {
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Credentials, BoxError>>>>;

    fn provide(&mut self) -> Self::Future {
        let source = self.0.clone();
        Box::pin(async move { spawn_blocking(move || source.credentials()).await? })
    }
}
