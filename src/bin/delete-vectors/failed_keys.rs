//! `--failed-keys`: every key that was read but not deleted, as a line of JSON, which `--keys-from`
//! accepts. Also `--deleted-keys`, the receipt: every key that was deleted.
//!
//! A file belongs to one run, whose id is in each line. A new run accepts only an empty file, so
//! that all lines of a file have the same run.

mod guarded;

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{error, fmt};

use oss_delete_vectors::bulk::FailedKeys;
use oss_delete_vectors::{Key, KeyBatch};
use serde_json::Value;

use self::guarded::Guarded;
use crate::checkpoint::{Covered, sync_folder_of, temporary};
use crate::lock;
use crate::text::{json_line, rfc3339};

/// The beginning of each line.
const LINE_START: &[u8] = br#"{"key":""#;

/// Longer than any line with a key of 1,024 characters and the message of the service.
const MAX_LINE: u64 = 1024 * 1024;

pub(crate) struct FailedKeysFile {
    /// The option that gives the file.
    option: &'static str,
    path: PathBuf,
    file: BufWriter<Guarded>,
    /// The run that writes it.
    run: String,
    /// The length, including buffered lines.
    bytes: u64,
    /// Whether some lines may not be on disk.
    is_dirty: bool,
    /// Whether this run created the file.
    is_new: bool,
    /// The first write error. It is final, because lines are missing from the file even if later
    /// writes would succeed.
    broken: Option<FailedKeysError>,
}

impl FailedKeysFile {
    /// Opens the file of a new run. Rejects a file that is not empty, because it may contain keys
    /// that another run could not delete, or the input of this run.
    pub(crate) fn create(option: &'static str, path: &Path) -> Result<Self, FailedKeysError> {
        let run = format!("{:016x}", RandomState::new().hash_one(()));
        let file = Self::open(option, path, run)?;
        if file.bytes > 0 {
            return Err(file.error("it is not empty; name another file, or remove this one"));
        }
        Ok(file)
    }

    /// Opens the file of a resumed run, and truncates it after the part that the checkpoint covers,
    /// because later keys are sent again.
    pub(crate) fn reopen(
        option: &'static str,
        path: &Path,
        covered: &Covered,
    ) -> Result<Self, FailedKeysError> {
        let Covered { run, bytes } = covered;
        let mut file = Self::open(option, path, run.clone())?;
        if !file.is_file() {
            return Ok(file);
        }
        if file.bytes < *bytes {
            return Err(file.error("it is shorter than when the checkpoint was written"));
        }
        let first = file.line_at(0).map_err(|error| file.error(error))?;
        let rest = file.line_at(*bytes).map_err(|error| file.error(error))?;
        if first == Line::Other || rest == Line::Other {
            return Err(file.error(
                "its lines are from another run than the checkpoint; name the file of that run",
            ));
        }
        if rest == Line::Malformed {
            let reason = format!(
                "after {bytes} bytes of the checkpoint's run it has other content; name the file of that run"
            );
            return Err(file.error(reason));
        }
        file.file.get_mut().truncate(*bytes).map_err(|error| file.error(error))?;
        file.bytes = *bytes;
        Ok(file)
    }

    /// The kind of the line that begins at `start`, after a complete line. A killed run may leave
    /// an incomplete last line, and a system crash may leave zeros.
    fn line_at(&self, start: u64) -> io::Result<Line> {
        let mut file = BufReader::new(File::open(&self.path)?);
        if start > 0 {
            let mut last = [0];
            file.seek(SeekFrom::Start(start - 1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                return Ok(Line::Malformed);
            }
        }
        let mut line = Vec::new();
        file.take(MAX_LINE).read_until(b'\n', &mut line)?;
        let is_torn = || {
            let has_end = line.ends_with(b"\n");
            let is_beginning = line.starts_with(LINE_START) || LINE_START.starts_with(&line);
            !has_end && (is_beginning || line.iter().all(|&byte| byte == 0))
        };
        Ok(match serde_json::from_slice::<Value>(&line) {
            Ok(line) if line.get("run").is_some_and(|run| *run == *self.run) => Line::Own,
            Ok(line) if line.get("key").is_some() && line.get("outcome").is_some() => Line::Other,
            Err(_) if is_torn() => Line::Own,
            _ => Line::Malformed,
        })
    }

    fn open(option: &'static str, path: &Path, run: String) -> Result<Self, FailedKeysError> {
        let opened = || {
            let mut options = OpenOptions::new();
            // So that no gap of zeros can arise if another process truncates the file. Elsewhere a
            // file that is only appended to cannot be truncated.
            options.write(true).append(cfg!(unix));
            let (file, is_new) = match options.clone().create_new(true).open(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    (options.create(true).open(path)?, false)
                }
                file => (file?, true),
            };
            let metadata = file.metadata()?;
            Ok((file, is_new, metadata))
        };
        let (file, is_new, metadata) =
            opened().map_err(|error: io::Error| FailedKeysError::new(option, path, error))?;
        let is_file = metadata.is_file();
        if is_file && !lock::take_itself(&file) {
            let reason =
                "another run is using it\nhelp: wait until it has ended, or name another file";
            return Err(FailedKeysError::new(option, path, reason));
        }
        let bytes = if is_file { metadata.len() } else { 0 };
        let file = Self {
            option,
            path: path.to_owned(),
            file: BufWriter::new(Guarded::new(option, path, file, is_file.then_some(bytes))),
            run,
            bytes,
            is_dirty: false,
            is_new,
            broken: None,
        };
        // Its lines are synced every second, which has no use if its name is lost in a crash.
        if is_new && let Err(error) = sync_folder_of(path) {
            file.remove_if_unused();
            return Err(FailedKeysError::new(option, path, error));
        }
        Ok(file)
    }

    /// Removes the file if this run created it and wrote nothing.
    pub(crate) fn remove_if_unused(self) {
        if self.is_new && self.bytes == 0 {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Whether it is on a disk.
    fn is_file(&self) -> bool {
        self.file.get_ref().size().is_some()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Writes `{"key":..,"outcome":..,"code":..,"message":..,"request_id":..,"run":..}` for each
    /// key, with `null` for missing values.
    pub(crate) fn write(&mut self, failed: &FailedKeys) -> Result<(), FailedKeysError> {
        let text = |text: Option<&str>| json_line(&Value::from(text));
        let error = failed.error.as_ref();
        let rest = format!(
            r#""outcome":"{}","code":{},"message":{},"request_id":{},"run":{}}}"#,
            failed.outcome,
            text(error.and_then(|error| error.code())),
            text(error.map(|error| error.message()).as_deref()),
            text(error.and_then(|error| error.request_id())),
            text(Some(&self.run)),
        );
        self.write_lines(&failed.keys, &rest)
    }

    /// Writes `{"key":..,"outcome":"deleted","request_id":..,"time":..,"run":..}` for each key.
    pub(crate) fn write_deleted(
        &mut self,
        keys: &KeyBatch,
        request_id: Option<&str>,
        time: SystemTime,
    ) -> Result<(), FailedKeysError> {
        let rest = format!(
            r#""outcome":"deleted","request_id":{},"time":"{}","run":"{}"}}"#,
            json_line(&Value::from(request_id)),
            rfc3339(time),
            self.run,
        );
        self.write_lines(keys, &rest)
    }

    /// Writes a key that was deleted and still exists.
    pub(crate) fn write_present(&mut self, key: &str) -> Result<(), FailedKeysError> {
        let keys = KeyBatch::from(Key::new(key).expect("a key from the service"));
        let rest = format!(
            r#""outcome":"present","code":null,"message":null,"request_id":null,"run":"{}"}}"#,
            self.run
        );
        self.write_lines(&keys, &rest)
    }

    fn write_lines(&mut self, keys: &KeyBatch, rest: &str) -> Result<(), FailedKeysError> {
        self.is_dirty = true;
        for key in keys {
            let line = format!("{{\"key\":{},{rest}\n", json_line(&Value::from(key.as_str())));
            let written = self.file.write_all(line.as_bytes());
            self.check(written)?;
            self.bytes += line.len() as u64;
        }
        Ok(())
    }

    /// Removes the unconfirmed keys after all of them were looked up. Those that still exist have
    /// another line.
    ///
    /// The remaining lines are written to a second file before this one is overwritten, so that a
    /// crash loses no line.
    pub(crate) fn drop_unconfirmed(&mut self) -> Result<(), FailedKeysError> {
        let flushed = self.file.flush();
        self.check(flushed)?;
        if !self.is_file() {
            return Ok(());
        }
        let rewritten = self.rewrite();
        let bytes = rewritten.as_ref().copied().unwrap_or(self.bytes);
        self.bytes = bytes;
        self.is_dirty = true;
        self.check(rewritten.map(drop))?;
        self.sync()
    }

    /// Returns the new length.
    fn rewrite(&mut self) -> io::Result<u64> {
        self.file.get_ref().check()?;
        let beside = temporary(&self.path);
        let mut rest = BufWriter::new(File::create(&beside)?);
        for line in BufReader::new(File::open(&self.path)?).split(b'\n') {
            let line = line?;
            let parsed: Option<Value> = serde_json::from_slice(&line).ok();
            let outcome = parsed.as_ref().and_then(|line| line.get("outcome")?.as_str());
            if outcome != Some("unconfirmed") {
                rest.write_all(&line)?;
                rest.write_all(b"\n")?;
            }
        }
        rest.flush()?;
        rest.get_ref().sync_all()?;
        let file = self.file.get_mut();
        file.truncate(0)?;
        let bytes = io::copy(&mut File::open(&beside)?, file)?;
        file.sync()?;
        fs::remove_file(&beside)?;
        Ok(bytes)
    }

    /// Returns when all lines are on disk, in the file of this name.
    pub(crate) fn sync(&mut self) -> Result<(), FailedKeysError> {
        if self.is_dirty {
            let synced = self.file.flush().and_then(|()| self.file.get_ref().sync());
            self.check(synced)?;
            self.is_dirty = false;
        }
        let found = self.file.get_ref().check();
        self.check(found)
    }

    /// The part of the file that a checkpoint covers if it is written now.
    pub(crate) fn covered(&self) -> Covered {
        Covered { run: self.run.clone(), bytes: self.bytes }
    }

    fn check(&mut self, result: io::Result<()>) -> Result<(), FailedKeysError> {
        if let (Err(error), None) = (result, &self.broken) {
            self.broken = Some(self.error(error));
        }
        self.broken.clone().map_or(Ok(()), Err)
    }

    fn error(&self, reason: impl fmt::Display) -> FailedKeysError {
        FailedKeysError::new(self.option, &self.path, reason)
    }
}

/// The writer of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// This run, or there is no line.
    Own,
    /// Another run.
    Other,
    /// No run.
    Malformed,
}

/// An error of the file.
#[derive(Debug, Clone)]
pub(crate) struct FailedKeysError(String);

impl FailedKeysError {
    fn new(option: &str, path: &Path, reason: impl fmt::Display) -> Self {
        Self(format!("{option} {}: cannot be written: {reason}", path.display()))
    }
}

impl fmt::Display for FailedKeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for FailedKeysError {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
    use oss_delete_vectors::{Credentials, Key, Target};

    use super::*;

    /// Keys with more bytes than any buffer.
    fn failed() -> FailedKeys {
        let target = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("i")
            .build()
            .unwrap();
        let mut bulk = BulkDelete::new(
            &target,
            Credentials::new("id", "yourAccessKeySecretForTests0001").unwrap(),
            BulkOptions::new(),
        )
        .unwrap();
        (0..100)
            .for_each(|number| bulk.push(Key::new(&format!("{number:0500}")).unwrap()).unwrap());
        bulk.stop();
        let failed = |event| if let Event::Failed(failed) = event { Some(failed) } else { None };
        std::iter::from_fn(|| bulk.poll_event()).find_map(failed).unwrap()
    }

    #[test]
    fn lost_lines_are_not_reported_as_written() {
        // A pipe whose reader comes and goes simulates a disk that is full for a while.
        let path = std::env::temp_dir().join(format!("failed-keys-{}", std::process::id()));
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let reader = || OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let first = reader();
        let mut file = FailedKeysFile::create("--failed-keys", &path).unwrap();
        drop(first);
        let lost = file.write(&failed()).unwrap_err().to_string();
        assert!(lost.ends_with("cannot be written: Broken pipe (os error 32)"), "{lost}");
        let _again = reader();
        assert_eq!(file.sync().unwrap_err().to_string(), lost);
        std::fs::remove_file(&path).unwrap();
    }
}
