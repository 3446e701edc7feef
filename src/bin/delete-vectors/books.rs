//! What is written down during a run: keys that failed, why, and how far it is.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event, FailedKeys, Report};
use oss_delete_vectors::{Credentials, Invalid, Target};

use crate::args::BookPaths;
use crate::checkpoint::{CheckpointFile, Saved};
use crate::errors::Errors;
use crate::failed_keys::FailedKeysFile;
use crate::source::{Identity, Source};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How often the checkpoint is written: every second, which is how often it is asked for, and no two clocks read the same.
const INTERVAL: Duration = Duration::from_millis(900);

pub(crate) struct Books {
    checkpoint: Option<CheckpointFile>,
    resumed: Option<Saved>,
    failed_keys: Option<FailedKeysFile>,
    failed_keys_path: Option<PathBuf>,
    identities: Box<dyn Fn() -> Vec<Identity> + Send>,
    /// Of keys that are settled.
    errors: Errors,
    /// What the end of the run cut short: told last, and not covered by the checkpoint, so that it is sent when the run is resumed.
    cut_short: Vec<FailedKeys>,
    has_stopped: bool,
    request_id: Option<String>,
    begun: Instant,
    saved_at: Option<Instant>,
}

impl Books {
    /// Reads the checkpoint, where there is one, and checks that it is of this target and of these keys. Writes nothing yet.
    pub(crate) fn open(paths: &BookPaths, target: &Target, source: &mut Source) -> Result<Self, BoxError> {
        let checkpoint = paths.checkpoint.as_deref().map(CheckpointFile::new);
        let resumed = checkpoint.as_ref().map(CheckpointFile::load).transpose()?.flatten();
        if let (Some(file), Some(saved)) = (&checkpoint, &resumed) {
            let refused = |reason: &dyn std::fmt::Display| format!("--checkpoint {}: {reason}", file.path().display());
            let of_another = |reason: &dyn std::fmt::Display| refused(&format_args!("{reason}; to begin anew, remove this file"));
            saved.run.check_target(target).map_err(|invalid| of_another(&invalid))?;
            source.check(&saved.inputs).map_err(|error| of_another(&error))?;
            if saved.failed_keys.is_some_and(|bytes| bytes > 0) && paths.failed_keys.is_none() {
                return Err(refused(&"its run wrote failed keys to a file: name it with --failed-keys").into());
            }
        }
        Ok(Self {
            checkpoint,
            failed_keys: None,
            failed_keys_path: paths.failed_keys.clone(),
            identities: Box::new(source.identities()),
            errors: resumed.as_ref().map(|saved| saved.errors.clone()).unwrap_or_default(),
            resumed,
            cut_short: Vec::new(),
            has_stopped: false,
            request_id: None,
            begun: Instant::now(),
            saved_at: None,
        })
    }

    /// How far an earlier run came that this one goes on with.
    pub(crate) fn resumed(&self) -> Option<Report> {
        self.resumed.as_ref().map(|saved| saved.run.report())
    }

    pub(crate) fn new_run(&self, target: &Target, credentials: Credentials, options: BulkOptions) -> Result<BulkDelete, Invalid> {
        match &self.resumed {
            Some(saved) => BulkDelete::resume(target, credentials, options, &saved.run),
            None => BulkDelete::new(target, credentials, options),
        }
    }

    /// Opens what is written to, and writes the first checkpoint: a disk that is full is found out before anything is sent.
    pub(crate) fn begin(&mut self, bulk: &BulkDelete) -> Result<(), BoxError> {
        if let Some(path) = &self.failed_keys_path {
            let covered = self.resumed.as_ref().and_then(|saved| saved.failed_keys);
            self.failed_keys = Some(match covered {
                Some(bytes) => FailedKeysFile::reopen(path, bytes)?,
                None => FailedKeysFile::create(path)?,
            });
        }
        self.begun = Instant::now();
        self.save(bulk)
    }

    pub(crate) fn take(&mut self, event: Event) -> Result<(), BoxError> {
        match event {
            Event::Deleted { request_id, .. } => self.request_id = request_id,
            Event::Stopped(_) => self.has_stopped = true,
            Event::Failed(failed) if self.has_stopped => self.cut_short.push(failed),
            Event::Failed(failed) => {
                if let Some(error) = &failed.error {
                    self.errors.add(error, failed.keys.len());
                }
                if let Some(file) = &mut self.failed_keys {
                    file.write(&failed)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes the checkpoint where it is time to.
    pub(crate) fn keep(&mut self, bulk: &BulkDelete) -> Result<(), BoxError> {
        if self.saved_at.is_none_or(|at| at.elapsed() >= INTERVAL) { self.save(bulk) } else { Ok(()) }
    }

    /// Closes the books: the keys that were cut short come last, and the checkpoint goes if there is nothing left to do.
    pub(crate) fn end(&mut self, bulk: &BulkDelete, is_all_deleted: bool) -> Result<(), BoxError> {
        if !is_all_deleted {
            self.save(bulk)?;
        }
        for failed in std::mem::take(&mut self.cut_short) {
            if let Some(error) = &failed.error {
                self.errors.add(error, failed.keys.len());
            }
            if let Some(file) = &mut self.failed_keys {
                file.write(&failed)?;
            }
        }
        if let Some(file) = &mut self.failed_keys {
            file.sync()?;
        }
        if let Some(file) = self.checkpoint.as_ref().filter(|_| is_all_deleted) {
            file.remove()?;
        }
        Ok(())
    }

    /// Whether the same command goes on where this run ended.
    pub(crate) fn can_be_resumed(&self) -> bool {
        self.checkpoint.is_some() && self.saved_at.is_some()
    }

    pub(crate) fn errors(&self) -> &Errors {
        &self.errors
    }

    /// The service's id of the latest request that deleted.
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Since the beginning, that of the run that was resumed included.
    pub(crate) fn elapsed(&self) -> Duration {
        self.resumed.as_ref().map_or(Duration::ZERO, |saved| saved.elapsed) + self.begun.elapsed()
    }

    /// Failed keys first: the checkpoint says that they are written.
    fn save(&mut self, bulk: &BulkDelete) -> Result<(), BoxError> {
        let elapsed = self.elapsed();
        let Some(file) = &mut self.checkpoint else { return Ok(()) };
        self.saved_at = Some(Instant::now());
        let failed_keys = self.failed_keys.as_mut().map(FailedKeysFile::sync).transpose()?;
        let (run, inputs, errors) = (bulk.checkpoint(), (self.identities)(), self.errors.clone());
        file.save(&Saved { run, inputs, failed_keys, errors, elapsed })?;
        Ok(())
    }
}
