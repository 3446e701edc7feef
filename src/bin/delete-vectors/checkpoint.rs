//! `--checkpoint`: how far a run is, in a file that survives whatever happens to the run and to the machine.

mod disk;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{error, fmt, fs};

use oss_delete_vectors::bulk::Checkpoint;
use serde_json::{Value, json};

use self::disk::Disk;
pub(crate) use self::disk::FileSystem;
use crate::errors::Errors;
use crate::source::Identity;

/// What such a file says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Saved {
    pub(crate) run: Checkpoint,
    /// What the keys were read from.
    pub(crate) inputs: Vec<Identity>,
    /// Of the file with the failed keys, the bytes that tell of settled ones; `None` where there is no such file.
    pub(crate) failed_keys: Option<u64>,
    /// Why settled keys were not deleted.
    pub(crate) errors: Errors,
    pub(crate) elapsed: Duration,
}

/// A file that another version of this program may write anew must say so.
const VERSION: u64 = 1;

/// Longer than any run and all that resume it: to what is read, time is added.
const LONGEST: Duration = Duration::from_secs(1 << 32);

impl Saved {
    /// The text of such a file; `None` where no run wrote it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::from_json(&serde_json::from_str(text).ok()?)
    }

    pub(crate) fn to_text(&self) -> String {
        let text = json!({
            "version": VERSION,
            "inputs": self.inputs.iter().map(Identity::to_json).collect::<Vec<_>>(),
            "failed_keys": self.failed_keys,
            "errors": self.errors.to_json(),
            "elapsed_seconds": self.elapsed.as_secs_f64(),
            "run": serde_json::from_str::<Value>(&self.run.to_string()).expect("a checkpoint is JSON"),
        });
        format!("{text}\n")
    }

    fn from_json(value: &Value) -> Option<Self> {
        if value.get("version")?.as_u64()? != VERSION {
            return None;
        }
        let inputs = value.get("inputs")?.as_array()?.iter().map(Identity::from_json).collect::<Option<_>>()?;
        let failed_keys = match value.get("failed_keys")? {
            Value::Null => None,
            bytes => Some(bytes.as_u64()?),
        };
        Some(Self {
            run: value.get("run")?.to_string().parse().ok()?,
            inputs,
            failed_keys,
            errors: Errors::from_json(value.get("errors")?)?,
            elapsed: Duration::try_from_secs_f64(value.get("elapsed_seconds")?.as_f64()?).ok().filter(|&time| time <= LONGEST)?,
        })
    }
}

/// The file. What is written takes the place of what was there at once and as a whole, or not at all.
pub(crate) struct CheckpointFile<D = FileSystem> {
    path: PathBuf,
    disk: D,
}

impl CheckpointFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), disk: FileSystem }
    }

    /// What an earlier run saved; `None` where there is no such file.
    pub(crate) fn load(&self) -> Result<Option<Saved>, CheckpointError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("cannot be read", error)),
        };
        Saved::parse(&text).map(Some).ok_or_else(|| self.failed("not a checkpoint that this version of the program wrote", ""))
    }

    pub(crate) fn remove(&self) -> Result<(), CheckpointError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed("cannot be removed", error)),
            _ => Ok(()),
        }
    }
}

impl<D: Disk> CheckpointFile<D> {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn save(&mut self, saved: &Saved) -> Result<(), CheckpointError> {
        self.replace(saved.to_text().as_bytes()).map_err(|error| self.failed("cannot be written", error))
    }

    /// Until the rename the old file is as it was; the new one is complete on the disk before it has the name.
    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        let temporary = temporary(&self.path);
        let mut file = self.disk.create(&temporary)?;
        file.write_all(bytes)?;
        self.disk.sync(&mut file)?;
        drop(file);
        self.disk.rename(&temporary, &self.path)?;
        self.disk.sync_folder_of(&self.path)
    }

    fn failed(&self, what: &'static str, reason: impl fmt::Display) -> CheckpointError {
        CheckpointError { path: self.path.clone(), what, reason: reason.to_string() }
    }
}

/// Where a checkpoint is written before it gets its name: next to it, and under a name that nothing else has.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(".delete-vectors-tmp");
    name.into()
}

/// What is wrong with the file.
#[derive(Debug)]
pub(crate) struct CheckpointError {
    path: PathBuf,
    what: &'static str,
    reason: String,
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--checkpoint {}: {}", self.path.display(), self.what)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", self.reason) }
    }
}

impl error::Error for CheckpointError {}

#[cfg(test)]
mod tests {
    use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
    use oss_delete_vectors::{Credentials, Target};

    use super::disk::simulated::{Crash, SimulatedDisk};
    use super::*;

    const OLD: &[u8] = b"old checkpoint";
    const NEW: &[u8] = b"a new and longer checkpoint";

    /// A file that holds `OLD`, on a disk where the `at`th operation from now on goes wrong.
    fn file(at: usize, is_fatal: bool) -> CheckpointFile<SimulatedDisk> {
        let mut file = CheckpointFile { path: "/runs/checkpoint".into(), disk: SimulatedDisk::default() };
        file.replace(OLD).unwrap();
        file.disk.fail_after(at, is_fatal);
        file
    }

    /// Whether writing succeeds where no operation goes wrong, and how many there are.
    fn operations() -> usize {
        let mut file = file(usize::MAX, false);
        file.replace(NEW).unwrap();
        file.disk.operations()
    }

    #[test]
    fn a_time_that_no_run_lasts_is_refused() {
        let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("i").build().unwrap();
        let bulk =
            BulkDelete::new(&target, Credentials::new("id", "yourAccessKeySecretForTests0001").unwrap(), BulkOptions::new())
                .unwrap();
        let (errors, elapsed) = (Errors::default(), Duration::from_secs(1));
        let saved = Saved { run: bulk.checkpoint(), inputs: Vec::new(), failed_keys: Some(7), errors, elapsed };
        let text = saved.to_text();
        assert_eq!(Saved::parse(&text), Some(saved));
        for time in ["-1.0", "4294967297.0", "1e19", "1e300"] {
            let other = text.replace(r#""elapsed_seconds":1.0"#, &format!(r#""elapsed_seconds":{time}"#));
            assert_ne!(other, text);
            assert_eq!(Saved::parse(&other), None, "{time}");
        }
    }

    #[test]
    fn wherever_it_fails_the_old_one_is_there_or_the_new_one() {
        let operations = operations();
        assert!(operations >= 5, "{operations}");
        for at in 0..operations {
            let mut file = file(at, false);
            assert!(file.replace(NEW).is_err(), "{at}");
            let content = file.disk.read("/runs/checkpoint");
            // Only the very last step, making the new name last, comes after the rename.
            assert_eq!(content, Some(if at + 1 == operations { NEW } else { OLD }.to_vec()), "{at}");
            // What it left behind is in nobody's way.
            file.replace(NEW).unwrap();
            assert_eq!(file.disk.read("/runs/checkpoint"), Some(NEW.to_vec()), "{at}");
        }
    }

    #[test]
    fn wherever_the_machine_crashes_the_old_one_is_there_or_the_new_one() {
        let operations = operations();
        for at in 0..=operations {
            for crash in Crash::all() {
                let mut file = file(at, true);
                let is_done = file.replace(NEW).is_ok();
                assert_eq!(is_done, at == operations);
                let content = file.disk.after(crash, "/runs/checkpoint").expect("one of them is there");
                assert!(content == NEW || (content == OLD && !is_done), "{at} {crash:?}: {content:?}");
            }
        }
    }

    #[test]
    fn a_disk_that_is_full_leaves_the_old_one() {
        for room in 0..NEW.len() {
            let mut file = file(usize::MAX, false);
            file.disk.set_room(room);
            assert!(file.replace(NEW).is_err(), "{room}");
            assert_eq!(file.disk.read("/runs/checkpoint"), Some(OLD.to_vec()), "{room}");
        }
    }
}
