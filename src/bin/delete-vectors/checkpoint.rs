//! `--checkpoint`: the progress of a run, in a file that survives crashes of the run and of the
//! system.

mod disk;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{error, fmt, fs};

use oss_delete_vectors::bulk::Checkpoint;
use serde_json::{Value, json};

use self::disk::Disk;
pub(crate) use self::disk::{FileSystem, sync_folder_of};
use crate::errors::Errors;
use crate::fingerprint::{Mark, end_of};

/// The content of a checkpoint file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Saved {
    pub(crate) run: Checkpoint,
    /// At or after the last settled key. A run must have the same keys up to here to resume this
    /// one.
    pub(crate) keys: Mark,
    /// The options that gave the keys, for messages.
    pub(crate) options: String,
    /// The file of failed keys; `None` if the run has none.
    pub(crate) failed_keys: Option<Covered>,
    /// The receipt; `None` if the run has none.
    pub(crate) deleted_keys: Option<Covered>,
    /// Why settled keys were not deleted.
    pub(crate) errors: Errors,
    pub(crate) elapsed: Duration,
}

/// The part of a file of failed keys that a checkpoint covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Covered {
    /// Which run wrote the file.
    pub(crate) run: String,
    /// The bytes with settled keys.
    pub(crate) bytes: u64,
}

/// The version of the format. It changes whenever the meaning of a file changes.
const VERSION: u64 = 2;

/// The maximum of `elapsed`, so that adding to it cannot overflow. No run lasts this long.
const LONGEST: Duration = Duration::from_secs(1 << 32);

impl Saved {
    /// Parses the text of a checkpoint file.
    ///
    /// # Errors
    ///
    /// The reason why it is invalid.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let value: Option<Value> = serde_json::from_str(text).ok();
        let version = value.as_ref().and_then(|value| value.get("version")?.as_u64());
        match version {
            Some(version) if version != VERSION => Err(format!(
                "is a checkpoint of version {version}, and this program reads version {VERSION}"
            )),
            _ => value
                .as_ref()
                .and_then(Self::from_json)
                .ok_or_else(|| "is not a checkpoint of this program".to_owned()),
        }
    }

    pub(crate) fn to_text(&self) -> String {
        let covered = |file: &Option<Covered>| {
            file.as_ref().map(|Covered { run, bytes }| json!({ "run": run, "bytes": bytes }))
        };
        let text = json!({
            "version": VERSION,
            "keys": self.keys.to_json(),
            "options": self.options,
            "failed_keys": covered(&self.failed_keys),
            "deleted_keys": covered(&self.deleted_keys),
            "errors": self.errors.to_json(),
            "elapsed_seconds": self.elapsed.as_secs_f64(),
            "run": serde_json::from_str::<Value>(&self.run.to_string()).expect("a checkpoint is JSON"),
        });
        format!("{text}\n")
    }

    fn from_json(value: &Value) -> Option<Self> {
        value.get("version")?;
        let covered = |file: &Value| match file {
            Value::Null => Some(None),
            file => Some(Some(Covered {
                run: file.get("run")?.as_str()?.to_owned(),
                bytes: file.get("bytes")?.as_u64()?,
            })),
        };
        let saved = Self {
            run: value.get("run")?.to_string().parse().ok()?,
            keys: Mark::from_json(value.get("keys")?)?,
            options: value.get("options")?.as_str()?.to_owned(),
            failed_keys: covered(value.get("failed_keys")?)?,
            // Checkpoints of 0.1.0 do not have it.
            deleted_keys: covered(value.get("deleted_keys").unwrap_or(&Value::Null))?,
            errors: Errors::from_json(value.get("errors")?)?,
            elapsed: Duration::try_from_secs_f64(value.get("elapsed_seconds")?.as_f64()?)
                .ok()
                .filter(|&time| time <= LONGEST)?,
        };
        // Otherwise keys would count as settled that were not compared.
        (end_of(saved.run.settled()) <= saved.keys.position).then_some(saved)
    }
}

/// The checkpoint file. Each write replaces the old content atomically.
pub(crate) struct CheckpointFile<D = FileSystem> {
    /// The path as the user gave it.
    path: PathBuf,
    /// The path with symbolic links resolved, so that a link is not replaced by a file.
    place: PathBuf,
    disk: D,
}

impl CheckpointFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            place: fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
            disk: FileSystem,
        }
    }

    /// Reads what an earlier run saved. `None` if there is no such file, or an empty one, as
    /// `mktemp` creates it.
    pub(crate) fn load(&self) -> Result<Option<Saved>, CheckpointError> {
        // Reading a pipe could block forever, and a device would be replaced by a file.
        if fs::metadata(&self.place).is_ok_and(|place| !place.is_file() && !place.is_dir()) {
            return Err(self.failed("cannot be used", "it is a device or a pipe; expected a file"));
        }
        let text = match fs::read_to_string(&self.place) {
            Ok(text) if text.trim().is_empty() => return Ok(None),
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("cannot be read", error)),
        };
        Saved::parse(&text).map(Some).map_err(|reason| {
            let help = "to start over, remove this file or name another one";
            CheckpointError { path: self.path.clone(), reason: format!("{reason}\nhelp: {help}") }
        })
    }

    pub(crate) fn save(&mut self, saved: &Saved) -> Result<(), CheckpointError> {
        self.replace(saved.to_text().as_bytes()).map_err(|error| {
            let _ = fs::remove_file(temporary(&self.place));
            self.not_written(&error)
        })
    }

    fn not_written(&self, error: &io::Error) -> CheckpointError {
        if error.kind() != io::ErrorKind::ResourceBusy {
            return self.failed("cannot be written", error);
        }
        let help = "help: if this file is mounted by itself, mount its folder instead";
        self.failed("cannot be replaced by a new file", format_args!("{error}\n{help}"))
    }

    pub(crate) fn remove(&self) -> Result<(), CheckpointError> {
        match fs::remove_file(&self.place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("cannot be removed", error))
            }
            _ => Ok(()),
        }
    }
}

impl<D: Disk> CheckpointFile<D> {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The old file stays unchanged until the rename. The new file is complete on disk before it
    /// gets the name.
    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        let temporary = temporary(&self.place);
        let mut file = self.disk.create(&temporary)?;
        file.write_all(bytes)?;
        self.disk.sync(&mut file)?;
        drop(file);
        self.disk.rename(&temporary, &self.place)?;
        self.disk.sync_folder_of(&self.place)
    }

    fn failed(&self, what: &'static str, reason: impl fmt::Display) -> CheckpointError {
        CheckpointError { path: self.path.clone(), reason: format!("{what}: {reason}") }
    }
}

/// The path where a checkpoint is written before it gets its name: in the same folder, with a
/// unique name.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(".delete-vectors-tmp");
    name.into()
}

/// An error of the file.
#[derive(Debug)]
pub(crate) struct CheckpointError {
    path: PathBuf,
    reason: String,
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--checkpoint {}: {}", self.path.display(), self.reason)
    }
}

impl error::Error for CheckpointError {}

#[cfg(test)]
mod tests {
    use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
    use oss_delete_vectors::{Credentials, Target};

    use super::disk::simulated::{Crash, SimulatedDisk};
    use super::*;
    use crate::fingerprint::Fingerprint;

    const OLD: &[u8] = b"old checkpoint";
    const NEW: &[u8] = b"a new and longer checkpoint";

    /// A file that contains `OLD`, on a disk where operation `at` from now on fails.
    fn file(at: usize, is_fatal: bool) -> CheckpointFile<SimulatedDisk> {
        let mut file = CheckpointFile {
            path: "c".into(),
            place: "/runs/checkpoint".into(),
            disk: SimulatedDisk::default(),
        };
        file.replace(OLD).unwrap();
        file.disk.fail_after(at, is_fatal);
        file
    }

    /// Whether writing succeeds without a failing operation, and the number of operations.
    fn operations() -> usize {
        let mut file = file(usize::MAX, false);
        file.replace(NEW).unwrap();
        file.disk.operations()
    }

    #[test]
    fn elapsed_time_over_the_limit_is_rejected() {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("i")
            .build()
            .unwrap();
        let bulk = BulkDelete::new(
            &target,
            Credentials::new("id", "yourAccessKeySecretForTests0001").unwrap(),
            BulkOptions::new(),
        )
        .unwrap();
        let fingerprint = Fingerprint::default();
        fingerprint.start();
        let saved = Saved {
            run: bulk.checkpoint(),
            keys: fingerprint.mark(0),
            options: "--keys-from -".to_owned(),
            failed_keys: Some(Covered { run: "1f".to_owned(), bytes: 7 }),
            deleted_keys: Some(Covered { run: "2e".to_owned(), bytes: 9 }),
            errors: Errors::default(),
            elapsed: Duration::from_secs(1),
        };
        let text = saved.to_text();
        assert_eq!(Saved::parse(&text), Ok(saved));
        for time in ["-1.0", "4294967297.0", "1e19", "1e300"] {
            let other =
                text.replace(r#""elapsed_seconds":1.0"#, &format!(r#""elapsed_seconds":{time}"#));
            assert_ne!(other, text);
            assert!(Saved::parse(&other).is_err(), "{time}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_replaced_is_reported() {
        let error = io::Error::from_raw_os_error(if cfg!(windows) { 170 } else { 16 });
        let text = CheckpointFile::new(Path::new("c")).not_written(&error).to_string();
        assert!(text.starts_with("--checkpoint c: cannot be replaced by a new file: "), "{text}");
        assert!(
            text.ends_with("\nhelp: if this file is mounted by itself, mount its folder instead"),
            "{text}"
        );
    }

    #[test]
    fn failure_leaves_the_old_or_the_new_checkpoint() {
        let operations = operations();
        assert!(operations >= 5, "{operations}");
        for at in 0..operations {
            let mut file = file(at, false);
            assert!(file.replace(NEW).is_err(), "{at}");
            let content = file.disk.read("/runs/checkpoint");
            // Only the last step, which makes the new name durable, follows the rename.
            assert_eq!(
                content,
                Some(if at + 1 == operations { NEW } else { OLD }.to_vec()),
                "{at}"
            );
            // Its leftover files do not prevent the next save.
            file.replace(NEW).unwrap();
            assert_eq!(file.disk.read("/runs/checkpoint"), Some(NEW.to_vec()), "{at}");
        }
    }

    #[test]
    fn crash_leaves_the_old_or_the_new_checkpoint() {
        let operations = operations();
        for at in 0..=operations {
            for crash in Crash::all() {
                let mut file = file(at, true);
                let is_done = file.replace(NEW).is_ok();
                assert_eq!(is_done, at == operations);
                let content =
                    file.disk.after(crash, "/runs/checkpoint").expect("the old or the new file");
                assert!(
                    content == NEW || (content == OLD && !is_done),
                    "{at} {crash:?}: {content:?}"
                );
            }
        }
    }

    #[test]
    fn a_full_disk_leaves_the_old_checkpoint() {
        for room in 0..NEW.len() {
            let mut file = file(usize::MAX, false);
            file.disk.set_room(room);
            assert!(file.replace(NEW).is_err(), "{room}");
            assert_eq!(file.disk.read("/runs/checkpoint"), Some(OLD.to_vec()), "{room}");
        }
    }
}
