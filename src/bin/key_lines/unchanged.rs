//! Regular files that must not change while they are read. A change could split a line, or mix the
//! keys of two versions.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use std::{error, fmt, fs};

/// The metadata that identifies an unchanged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
    /// Device and inode, on systems that have them.
    place: Option<(u64, u64)>,
}

impl Stamp {
    fn new(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let place = {
            use std::os::unix::fs::MetadataExt;
            Some((metadata.dev(), metadata.ino()))
        };
        #[cfg(not(unix))]
        let place = None;
        Self { size: metadata.len(), modified: metadata.modified().ok(), place }
    }

    /// Checks that `now` is the same.
    fn check(&self, now: &Self) -> Result<(), Changed> {
        if self.place != now.place {
            Err(Changed::Replaced)
        } else if self.size != now.size {
            Err(Changed::Size { before: self.size, after: now.size })
        } else if self.modified != now.modified {
            Err(Changed::Time)
        } else {
            Ok(())
        }
    }

    /// Checks that the file with this name is the same.
    fn check_path(&self, path: &Path) -> io::Result<()> {
        match fs::metadata(path) {
            Ok(metadata) => self.check(&Self::new(&metadata)).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(io::Error::other(Changed::Removed))
            }
            Err(error) => Err(error),
        }
    }
}

/// A regular file in the state in which it was opened.
#[derive(Debug)]
pub(crate) struct Unchanged {
    file: File,
    /// `None` for stdin, which has no name.
    path: Option<PathBuf>,
    stamp: Stamp,
    /// The initial position, because stdin may have been read before.
    start: u64,
}

impl Unchanged {
    /// `None` if `file` is not a regular file. `path` is its name.
    pub(crate) fn of(file: &File, path: Option<&Path>) -> io::Result<Option<Self>> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let mut file = file.try_clone()?;
        let start = file.stream_position()?;
        Ok(Some(Self { file, path: path.map(Path::to_owned), stamp: Stamp::new(&metadata), start }))
    }

    /// The size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.stamp.size
    }

    /// Whether it was opened by its name, so that it can be opened again.
    pub(crate) fn has_name(&self) -> bool {
        self.path.is_some()
    }

    /// Checks that neither the open file nor the one with this name has changed.
    ///
    /// # Errors
    ///
    /// [`Changed`], as the inner error, or an error of the system.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.stamp.check(&Stamp::new(&self.file.metadata()?)).map_err(io::Error::other)?;
        self.path.as_ref().map_or(Ok(()), |path| self.stamp.check_path(path))
    }

    /// The same file, opened again. `None` for stdin.
    pub(crate) fn again(&self) -> io::Result<Option<Self>> {
        let Some(path) = &self.path else { return Ok(None) };
        let again =
            Self { file: File::open(path)?, path: Some(path.clone()), stamp: self.stamp, start: 0 };
        again.check()?;
        Ok(Some(again))
    }
}

/// Checks that `path` still refers to `file`, and that the file has exactly the `size` bytes that
/// were written.
///
/// # Errors
///
/// [`Changed`], as the inner error, or an error of the system.
pub(crate) fn check_written(file: &File, path: &Path, size: u64) -> io::Result<()> {
    let written = Stamp { size, ..Stamp::new(&file.metadata()?) };
    written.check_path(path)
}

/// Reads such a file. All returned data was read before any change, and its end is the true end of
/// the file.
pub(crate) struct UnchangedReader {
    file: Arc<Unchanged>,
    position: u64,
}

impl UnchangedReader {
    pub(crate) fn new(file: Arc<Unchanged>) -> Self {
        Self { position: file.start, file }
    }
}

impl Read for UnchangedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&self.file.file).read(buffer)?;
        // After reading, because a change could otherwise happen between the two.
        self.file.check()?;
        self.position += count as u64;
        let size = self.file.size();
        // Virtual files, such as those of /proc, have a size of 0.
        if count == 0 && !buffer.is_empty() && self.position != size && size > 0 {
            return Err(io::Error::other(Changed::Size { before: size, after: self.position }));
        }
        Ok(count)
    }
}

/// How a file changed. Displays the text after *keys.txt changed while it was read*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changed {
    Size { before: u64, after: u64 },
    Time,
    Replaced,
    Removed,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { before, after } => {
                write!(f, "its size was {} bytes and is {}", grouped(*before), grouped(*after))
            }
            Self::Time => f.write_str("it was written to"),
            Self::Replaced => f.write_str("it was replaced by another file"),
            Self::Removed => f.write_str("it was removed or renamed"),
        }
    }
}

impl error::Error for Changed {}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).expect("digits"));
    groups.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use super::super::{KeyInput, KeyLines, Rules};
    use super::*;

    /// A temporary file for a test, removed on drop.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, text: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("unchanged-{}-{name}", std::process::id()));
            fs::write(&path, text).unwrap();
            Self(path)
        }

        fn open(&self) -> File {
            File::options().write(true).open(&self.0).unwrap()
        }

        /// The result of reading it after `change`, made after `keys` keys.
        fn read(&self, keys: usize, change: impl FnOnce(&Self)) -> Vec<Result<String, String>> {
            let KeyInput { syntax, reader, file, .. } =
                KeyInput::open(&self.0, Rules::default()).unwrap();
            let mut lines = KeyLines::new(BufReader::new(reader), syntax, file);
            let mut read: Vec<_> = lines.by_ref().take(keys).collect();
            change(self);
            read.extend(lines);
            read.into_iter().map(|key| key.map_err(|error| error.to_string())).collect()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn changes_before_the_first_key_are_detected() {
        type Change = fn(&Scratch);
        let append: Change =
            |file| File::options().append(true).open(&file.0).unwrap().write_all(b"c\n").unwrap();
        let hour: Change = |file| file.open().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let replace: Change = |file| {
            let other = Scratch::new("replacing", "a\nb\n");
            fs::rename(&other.0, &file.0).unwrap();
        };
        for (change, reason) in [
            (append, "its size was 4 bytes and is 6"),
            (|file| file.open().set_len(3).unwrap(), "its size was 4 bytes and is 3"),
            (|file| fs::remove_file(&file.0).unwrap(), "it was removed or renamed"),
            (hour, "it was written to"),
            (replace, "it was replaced by another file"),
        ] {
            if cfg!(not(unix)) && reason.starts_with("another") {
                continue;
            }
            let file = Scratch::new("first", "a\nb\n");
            assert_eq!(file.read(0, change), [Err(format!("changed while it was read: {reason}"))]);
        }
    }

    #[test]
    fn changes_are_detected_within_one_request() {
        let file = Scratch::new("within", &"doc\n".repeat(2000));
        let read = file.read(700, |file| file.open().set_len(1).unwrap());
        let reason = "changed while it was read: its size was 8,000 bytes and is 1".to_owned();
        assert_eq!((read.len(), read.last()), (1001, Some(&Err(reason))));
    }

    #[test]
    fn the_end_of_the_file_is_checked() {
        for change in [false, true] {
            let file = Scratch::new("last", "doc-1\ndoc-2");
            let read = file.read(1, |file| {
                if change {
                    file.open().set_len(9).unwrap();
                }
            });
            let reason = "changed while it was read: its size was 11 bytes and is 9".to_owned();
            let expected = if change { Err(reason) } else { Ok("doc-2".to_owned()) };
            assert_eq!(read, [Ok("doc-1".to_owned()), expected]);
        }
    }

    #[test]
    fn a_file_without_a_size_is_read_to_its_end() {
        if cfg!(target_os = "linux") {
            let path = Path::new("/proc/self/status");
            let file = Arc::new(Unchanged::of(&File::open(path).unwrap(), None).unwrap().unwrap());
            let mut text = String::new();
            UnchangedReader::new(Arc::clone(&file)).read_to_string(&mut text).unwrap();
            assert!(file.size() == 0 && text.contains("Pid:"), "{text}");
        }
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
