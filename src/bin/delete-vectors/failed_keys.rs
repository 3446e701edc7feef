//! `--failed-keys`: every key that was read and not deleted, a line of JSON each, which `--keys-from` takes back.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::{error, fmt};

use oss_delete_vectors::bulk::FailedKeys;
use serde_json::Value;

use crate::text::json_line;

/// How every line begins.
const BEGINNING: &[u8] = br#"{"key":""#;

/// More than any line has: a key of 1,024 characters, and what a service says.
const LONGEST_LINE: u64 = 1024 * 1024;

pub(crate) struct FailedKeysFile {
    path: PathBuf,
    file: BufWriter<File>,
    /// How long it is, with what is still buffered.
    bytes: u64,
    /// Whether there is a disk below it.
    is_file: bool,
    /// What could not be written. The file then tells too little for good, even where there is room again.
    broken: Option<FailedKeysError>,
}

impl FailedKeysFile {
    /// Opens the file of a run that begins. One that holds something is left alone: it may be what another run could not delete,
    /// or what this one is to read.
    pub(crate) fn create(path: &Path) -> Result<Self, FailedKeysError> {
        let file = Self::open(path)?;
        if file.bytes > 0 {
            return Err(file.error("it is not empty; name another file, or remove this one"));
        }
        Ok(file)
    }

    /// Opens the file of a run that is resumed, and cuts off what the checkpoint does not cover: those keys are sent again.
    pub(crate) fn reopen(path: &Path, covered: u64) -> Result<Self, FailedKeysError> {
        let mut file = Self::open(path)?;
        if !file.is_file {
            return Ok(file);
        }
        if file.bytes < covered {
            return Err(file.error("it is shorter than when the checkpoint was written"));
        }
        if !Self::is_of_a_run(path, covered).map_err(|error| file.error(error))? {
            let reason =
                format!("after {covered} bytes of the checkpoint's run comes what no run wrote; name the file of that run");
            return Err(file.error(reason));
        }
        let cut = |file: &mut File| file.set_len(covered).and_then(|()| file.seek(SeekFrom::Start(covered)));
        cut(file.file.get_mut()).map_err(|error| file.error(error))?;
        file.bytes = covered;
        Ok(file)
    }

    /// Whether what is to be cut off begins as what a run writes, after a whole line: the file could be one that has nothing to do
    /// with it. A run that was killed may have torn the line; a machine that crashed leaves zeros.
    fn is_of_a_run(path: &Path, covered: u64) -> io::Result<bool> {
        let mut file = BufReader::new(File::open(path)?);
        if covered > 0 {
            let mut last = [0];
            file.seek(SeekFrom::Start(covered - 1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                return Ok(false);
            }
        }
        let mut line = Vec::new();
        file.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        Ok(match serde_json::from_slice::<Value>(&line) {
            Ok(line) => line.get("key").is_some() && line.get("outcome").is_some(),
            Err(_) if line.ends_with(b"\n") => false,
            Err(_) => line.starts_with(BEGINNING) || BEGINNING.starts_with(&line) || line.iter().all(|&byte| byte == 0),
        })
    }

    fn open(path: &Path) -> Result<Self, FailedKeysError> {
        let opened = || {
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
            let metadata = file.metadata()?;
            Ok((file, metadata))
        };
        let (file, metadata) = opened().map_err(|error: io::Error| FailedKeysError::new(path, error))?;
        let is_file = metadata.is_file();
        let bytes = if is_file { metadata.len() } else { 0 };
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file), bytes, is_file, broken: None })
    }

    /// `{"key":..,"outcome":..,"code":..,"message":..,"request_id":..}` for each key; `null` where there is nothing to say.
    pub(crate) fn write(&mut self, failed: &FailedKeys) -> Result<(), FailedKeysError> {
        let text = |text: Option<&str>| json_line(&Value::from(text));
        let error = failed.error.as_ref();
        let rest = format!(
            r#""outcome":"{}","code":{},"message":{},"request_id":{}}}"#,
            failed.outcome,
            text(error.and_then(|error| error.code.as_deref())),
            text(error.map(|error| error.message.as_str())),
            text(error.and_then(|error| error.request_id.as_deref())),
        );
        for key in &failed.keys {
            let line = format!("{{\"key\":{},{rest}\n", text(Some(key.as_str())));
            let written = self.file.write_all(line.as_bytes());
            self.check(written)?;
            self.bytes += line.len() as u64;
        }
        Ok(())
    }

    /// Comes back when all lines are on the disk, and says how many bytes they are.
    pub(crate) fn sync(&mut self) -> Result<u64, FailedKeysError> {
        let synced = self.file.flush().and_then(|()| if self.is_file { self.file.get_ref().sync_data() } else { Ok(()) });
        self.check(synced).map(|()| self.bytes)
    }

    fn check(&mut self, result: io::Result<()>) -> Result<(), FailedKeysError> {
        if let (Err(error), None) = (result, &self.broken) {
            self.broken = Some(self.error(error));
        }
        self.broken.clone().map_or(Ok(()), Err)
    }

    fn error(&self, reason: impl fmt::Display) -> FailedKeysError {
        FailedKeysError::new(&self.path, reason)
    }
}

/// What is wrong with the file.
#[derive(Debug, Clone)]
pub(crate) struct FailedKeysError(String);

impl FailedKeysError {
    fn new(path: &Path, reason: impl fmt::Display) -> Self {
        Self(format!("--failed-keys {}: cannot be written: {reason}", path.display()))
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

    /// Keys of as many bytes as no buffer holds.
    fn failed() -> FailedKeys {
        let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("i").build().unwrap();
        let mut bulk =
            BulkDelete::new(&target, Credentials::new("id", "yourAccessKeySecretForTests0001").unwrap(), BulkOptions::new())
                .unwrap();
        (0..100).for_each(|number| bulk.push(Key::new(&format!("{number:0500}")).unwrap()).unwrap());
        bulk.stop();
        let failed = |event| if let Event::Failed(failed) = event { Some(failed) } else { None };
        std::iter::from_fn(|| bulk.poll_event()).find_map(failed).unwrap()
    }

    #[test]
    fn lines_that_were_lost_are_not_called_written_when_there_is_room_again() {
        // A pipe whose reader comes and goes stands for a disk that is full for a while.
        let path = std::env::temp_dir().join(format!("failed-keys-{}", std::process::id()));
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let reader = || OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let first = reader();
        let mut file = FailedKeysFile::create(&path).unwrap();
        drop(first);
        let lost = file.write(&failed()).unwrap_err().to_string();
        assert!(lost.ends_with("cannot be written: Broken pipe (os error 32)"), "{lost}");
        let _again = reader();
        assert_eq!(file.sync().unwrap_err().to_string(), lost);
        std::fs::remove_file(&path).unwrap();
    }
}
