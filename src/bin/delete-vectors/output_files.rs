//! The output files of a run: failed keys with their errors, deleted keys, and the progress.

use std::mem;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event, FailedKeys, KeyOutcome, Report};
use oss_delete_vectors::{Credentials, Target};

use crate::args::{OutputPaths, What};
use crate::checkpoint::{CheckpointFile, Covered, Saved};
use crate::console::complain;
use crate::errors::Errors;
use crate::failed_keys::FailedKeysFile;
use crate::fingerprint::end_of;
use crate::keys::{Keys, Reading};
use crate::lock::Lock;
use crate::text::{count, grouped};
use crate::verify::merged;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The minimum time between two writes. It is a little less than the second between two calls of
/// `keep`, so that each call writes.
const INTERVAL: Duration = Duration::from_millis(900);

/// From this number on, reading keys takes so long that it is reported.
const MANY: u64 = 1_000_000;

pub(crate) struct OutputFiles {
    checkpoint: Option<CheckpointFile>,
    resumed: Option<Saved>,
    failed_keys: Option<FailedKeysFile>,
    failed_keys_path: Option<PathBuf>,
    /// The receipt.
    deleted_keys: Option<FailedKeysFile>,
    deleted_keys_path: Option<PathBuf>,
    /// The positions of failed keys for `--verify`: unconfirmed ones, and others.
    failed_positions: Option<[Vec<Range<u64>>; 2]>,
    reading: Arc<Reading>,
    /// The options that give the keys.
    options: String,
    /// The errors of the keys in the file of failed keys.
    errors: Errors,
    /// Failed keys that are not in the file yet. Unsettled ones are written last, because the
    /// checkpoint does not cover them, and a resumed run sends them again.
    failed: Vec<FailedKeys>,
    request_id: Option<String>,
    begun: Instant,
    saved_at: Option<Instant>,
    /// Everything is written, and every key that was read has its final outcome.
    is_settled: bool,
    _locks: Vec<Lock>,
}

impl OutputFiles {
    /// Locks the files, and reads the checkpoint if there is one. Writes nothing yet.
    ///
    /// # Errors
    ///
    /// If another run uses one of the files, or the checkpoint cannot be read.
    pub(crate) fn open(
        paths: &OutputPaths,
        what: &What,
        reading: Arc<Reading>,
    ) -> Result<Self, BoxError> {
        let written = [
            ("--checkpoint", &paths.checkpoint),
            ("--failed-keys", &paths.failed_keys),
            ("--deleted-keys", &paths.deleted_keys),
        ];
        let written =
            written.into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?)));
        let locks =
            written.map(|(option, path)| Lock::take(option, path)).filter_map(Result::transpose);
        let locks = locks.collect::<Result<_, _>>()?;

        let checkpoint = paths.checkpoint.as_deref().map(CheckpointFile::new);
        let mut resumed = checkpoint.as_ref().map(CheckpointFile::load).transpose()?.flatten();
        if let Some(Saved { run, failed_keys, .. }) = &resumed
            && run.settled().len() == 0
        {
            // Ignored, because nothing settled can contradict another target or other keys. Not if
            // lines would be truncated.
            let path = paths.failed_keys.as_ref().filter(|_| failed_keys.is_some());
            if path.and_then(|path| path.metadata().ok()).is_none_or(|metadata| metadata.len() == 0)
            {
                resumed = None;
            }
        }
        if let (
            Some(file),
            Some(Saved { failed_keys: Some(Covered { bytes: 1.., .. }), .. }),
            None,
        ) = (&checkpoint, &resumed, &paths.failed_keys)
        {
            let path = file.path().display();
            let reason =
                "its run wrote failed keys to a file\nhelp: name that file with --failed-keys";
            return Err(format!("--checkpoint {path}: {reason}").into());
        }
        if let (
            Some(file),
            Some(Saved { deleted_keys: Some(Covered { bytes: 1.., .. }), .. }),
            None,
        ) = (&checkpoint, &resumed, &paths.deleted_keys)
        {
            let path = file.path().display();
            let reason = "its run wrote a receipt\nhelp: name that file with --deleted-keys";
            return Err(format!("--checkpoint {path}: {reason}").into());
        }
        if checkpoint.is_some() {
            reading.fingerprint.start();
        }
        Ok(Self {
            checkpoint,
            failed_keys: None,
            failed_keys_path: paths.failed_keys.clone(),
            deleted_keys: None,
            deleted_keys_path: paths.deleted_keys.clone(),
            failed_positions: None,
            reading,
            options: what.to_options(),
            errors: resumed.as_ref().map(|saved| saved.errors.clone()).unwrap_or_default(),
            resumed,
            failed: Vec::new(),
            request_id: None,
            begun: Instant::now(),
            saved_at: None,
            is_settled: false,
            _locks: locks,
        })
    }

    /// The report of the resumed run.
    pub(crate) fn resumed(&self) -> Option<Report> {
        self.resumed.as_ref().map(|saved| saved.run.report())
    }

    /// Creates a new run, or resumes the run of the checkpoint.
    ///
    /// # Errors
    ///
    /// If an option is invalid, or the checkpoint has another target.
    pub(crate) fn new_run(
        &self,
        target: &Target,
        credentials: Credentials,
        options: BulkOptions,
    ) -> Result<BulkDelete, BoxError> {
        let Some(Saved { run, .. }) = &self.resumed else {
            return Ok(BulkDelete::new(target, credentials, options)?);
        };
        if run.check_target(target).is_err() {
            let this = BulkDelete::new(target, credentials, options)?.checkpoint();
            let (saved, this) = (run.target().escape_debug(), this.target().escape_debug());
            return Err(self.rejected(format_args!(
                "the checkpoint is of {saved}, and this run deletes from {this}"
            )));
        }
        Ok(BulkDelete::resume(target, credentials, options, run)?)
    }

    /// Reads the keys again up to the last settled one, and compares them with those of the
    /// checkpoint's run.
    ///
    /// # Errors
    ///
    /// If they differ, or cannot be read.
    pub(crate) fn check_keys(&self, keys: &mut Keys) -> Result<(), BoxError> {
        let Some(Saved { run, keys: mark, options, .. }) = &self.resumed else { return Ok(()) };
        if mark.position >= MANY {
            let count = grouped(mark.position);
            complain(format_args!(
                "note: reading {count} keys, to compare them with those of the checkpoint"
            ));
        }
        if keys.check(mark, run.settled()).map_err(|error| error.to_string())? {
            return Ok(());
        }
        let (position, options) = (grouped(mark.position), options.escape_debug());
        Err(self
            .rejected(format_args!("the keys differ from those of its run before position {position} (that run had {options})")))
    }

    fn rejected(&self, reason: impl std::fmt::Display) -> BoxError {
        let path = self
            .checkpoint
            .as_ref()
            .map(|file| file.path().display().to_string())
            .unwrap_or_default();
        let help = "give the options and the keys of that run; or, to start over, remove this file";
        format!("--checkpoint {path}: {reason}\nhelp: {help}").into()
    }

    /// Opens the output files and writes the first checkpoint, so that a full disk is detected
    /// before the first request.
    pub(crate) fn begin(&mut self, bulk: &BulkDelete) -> Result<(), BoxError> {
        if let Some(path) = &self.failed_keys_path {
            let covered = self.resumed.as_ref().and_then(|saved| saved.failed_keys.as_ref());
            self.failed_keys = Some(match covered {
                Some(covered) => FailedKeysFile::reopen("--failed-keys", path, covered)?,
                None => FailedKeysFile::create("--failed-keys", path)?,
            });
            let Report { rejected, unconfirmed, not_attempted, .. } =
                self.resumed().unwrap_or_default();
            let failed = rejected + unconfirmed + not_attempted;
            if covered.is_none() && failed > 0 {
                complain(format_args!(
                    "warning: --failed-keys {}: {} that failed before this run was resumed are in no file: \
                     {} rejected, {} unconfirmed, {} not attempted",
                    path.display(),
                    count(failed, "key"),
                    grouped(rejected),
                    grouped(unconfirmed),
                    grouped(not_attempted),
                ));
            }
        }
        if let Some(path) = &self.deleted_keys_path {
            let covered = self.resumed.as_ref().and_then(|saved| saved.deleted_keys.as_ref());
            let deleted = self.resumed().map_or(0, |report| report.deleted);
            self.deleted_keys = Some(match covered {
                Some(covered) => FailedKeysFile::reopen("--deleted-keys", path, covered)?,
                None => FailedKeysFile::create("--deleted-keys", path)?,
            });
            if covered.is_none() && deleted > 0 {
                complain(format_args!(
                    "warning: --deleted-keys {}: {} that were deleted before this run was resumed are \
                     in no receipt",
                    path.display(),
                    count(deleted, "key"),
                ));
            }
        }
        self.begun = Instant::now();
        self.save(bulk).inspect_err(|_| {
            let files = [self.failed_keys.take(), self.deleted_keys.take()];
            files.into_iter().flatten().for_each(FailedKeysFile::remove_if_unused);
        })
    }

    pub(crate) fn take(&mut self, event: Event) {
        match event {
            Event::Deleted { batch, request_id, .. } => {
                if let Some(file) = &mut self.deleted_keys {
                    // The error is kept until the next save.
                    let _ = file.write_deleted(&batch, request_id.as_deref(), SystemTime::now());
                }
                self.request_id = request_id;
            }
            Event::Failed(failed) => {
                if let Some([unconfirmed, others]) = &mut self.failed_positions {
                    let is_unconfirmed = failed.outcome == KeyOutcome::Unconfirmed;
                    let ranges = if is_unconfirmed { unconfirmed } else { others };
                    ranges.extend(failed.positions.ranges());
                }
                self.failed.push(failed);
            }
            _ => {}
        }
    }

    /// Records the positions of failed keys from now on, for
    /// [`failed_positions`](Self::failed_positions).
    pub(crate) fn remember_failed_positions(&mut self) {
        self.failed_positions = Some(Default::default());
    }

    /// The positions of unconfirmed keys, and of all other failed keys.
    pub(crate) fn failed_positions(&mut self) -> [Vec<Range<u64>>; 2] {
        self.failed_positions.take().unwrap_or_default().map(merged)
    }

    /// Writes a key that still exists after the run.
    pub(crate) fn write_present(&mut self, key: &str) -> Result<(), BoxError> {
        // After the failed keys of the run.
        let failed = mem::take(&mut self.failed);
        self.write(failed)?;
        match &mut self.failed_keys {
            Some(file) => Ok(file.write_present(key)?),
            None => Ok(()),
        }
    }

    /// Removes unconfirmed keys from the file of failed keys, after all of them were looked up.
    pub(crate) fn drop_unconfirmed(&mut self) -> Result<(), BoxError> {
        let failed = mem::take(&mut self.failed);
        self.write(failed)?;
        match &mut self.failed_keys {
            Some(file) => Ok(file.drop_unconfirmed()?),
            None => Ok(()),
        }
    }

    /// Writes the files if the last write is old enough.
    pub(crate) fn keep(&mut self, bulk: &BulkDelete) -> Result<(), BoxError> {
        if self.saved_at.is_none_or(|at| at.elapsed() >= INTERVAL) {
            self.save(bulk)
        } else {
            Ok(())
        }
    }

    /// Closes the files. Unsettled keys are written last, and a checkpoint that is no longer needed
    /// is removed.
    pub(crate) fn end(&mut self, bulk: &BulkDelete, is_all_deleted: bool) -> Result<(), BoxError> {
        if !is_all_deleted {
            self.save(bulk)?;
        }
        let failed = mem::take(&mut self.failed);
        self.write(failed)?;
        let is_for_nothing = bulk.settled().len() == 0
            && self.failed_keys.as_ref().is_none_or(FailedKeysFile::is_empty);
        for file in [&mut self.failed_keys, &mut self.deleted_keys].into_iter().flatten() {
            file.sync()?;
        }
        if let Some(file) = self.deleted_keys.take_if(|file| file.is_empty()) {
            file.remove_if_unused();
        }
        if is_for_nothing {
            self.failed_keys.take().into_iter().for_each(FailedKeysFile::remove_if_unused);
        }
        if let Some(file) = self.checkpoint.as_ref().filter(|_| is_all_deleted || is_for_nothing) {
            file.remove()?;
        }
        self.is_settled = self.checkpoint.is_none() || bulk.settled().len() == bulk.position();
        Ok(())
    }

    /// The advice for keys that were not deleted; `None` if these files do not help.
    pub(crate) fn advice(&self, is_input_complete: bool) -> Option<String> {
        let again = "deleting a key twice is harmless";
        let checkpoint = self.checkpoint.as_ref().filter(|_| self.saved_at.is_some());
        let failed_keys =
            self.failed_keys.as_ref().filter(|file| self.is_settled && !file.is_empty());
        match (checkpoint, failed_keys) {
            (Some(_), _) if !self.is_settled || !is_input_complete => {
                Some("to continue, run the same command again".to_owned())
            }
            (_, Some(file)) => {
                let (path, others) = (
                    file.path().display(),
                    if checkpoint.is_some() { " and --checkpoint" } else { "" },
                );
                Some(format!(
                    "to try these keys again: --keys-from {path}, with another --failed-keys{others}; {again}"
                ))
            }
            (Some(file), None) => {
                let path = file.path().display();
                Some(format!(
                    "to try all keys again, remove {path} and add --failed-keys PATH; {again}"
                ))
            }
            (None, None) => None,
        }
    }

    /// Whether the same command resumes this run.
    pub(crate) fn can_be_resumed(&self) -> bool {
        self.checkpoint.is_some() && self.saved_at.is_some()
    }

    pub(crate) fn errors(&self) -> &Errors {
        &self.errors
    }

    /// The request id of the latest deletion.
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The duration of this run and of the runs that it resumed.
    pub(crate) fn elapsed(&self) -> Duration {
        self.resumed.as_ref().map_or(Duration::ZERO, |saved| saved.elapsed) + self.begun.elapsed()
    }

    /// Writes failed keys first, because the checkpoint covers them.
    fn save(&mut self, bulk: &BulkDelete) -> Result<(), BoxError> {
        self.saved_at = Some(Instant::now());
        // Without a checkpoint no run resumes this one and sends the other keys again.
        let is_final = |failed: &FailedKeys| {
            self.checkpoint.is_none() || bulk.settled().contains(failed.positions.first())
        };
        let (settled, others) = mem::take(&mut self.failed).into_iter().partition(is_final);
        self.failed = others;
        self.write(settled)?;
        for file in [&mut self.failed_keys, &mut self.deleted_keys].into_iter().flatten() {
            file.sync()?;
        }
        let elapsed = self.elapsed();
        let Some(file) = &mut self.checkpoint else { return Ok(()) };
        file.save(&Saved {
            run: bulk.checkpoint(),
            keys: self.reading.fingerprint.mark(end_of(bulk.settled())),
            options: self.options.clone(),
            failed_keys: self.failed_keys.as_ref().map(FailedKeysFile::covered),
            deleted_keys: self.deleted_keys.as_ref().map(FailedKeysFile::covered),
            errors: self.errors.clone(),
            elapsed,
        })?;
        Ok(())
    }

    fn write(&mut self, failed: Vec<FailedKeys>) -> Result<(), BoxError> {
        for failed in failed {
            if let Some(error) = &failed.error {
                self.errors.add(error, failed.keys.len());
            }
            if let Some(file) = &mut self.failed_keys {
                file.write(&failed)?;
            }
        }
        Ok(())
    }
}
