//! An input of keys: a file, a pipe or stdin, opened and with its format detected.

use std::fs::{self, File};
use std::io::{self, Cursor, IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;

use super::MAX_LINE;
use super::format::{Rejection, Rules, Sample, Syntax};
use super::unchanged::{Unchanged, UnchangedReader};

/// The number of bytes examined before keys are returned. For a pipe, the bytes available with its
/// first line.
const SAMPLE: usize = 64 * 1024;

/// An opened input that has not returned any key yet.
pub(crate) struct KeyInput {
    /// The name in messages.
    pub(crate) name: String,
    pub(crate) syntax: Syntax,
    pub(crate) reader: Box<dyn Read + Send>,
    /// `None` for a pipe.
    pub(crate) file: Option<Arc<Unchanged>>,
}

impl KeyInput {
    /// Opens `path`, or stdin for `-`, and examines its beginning. Waits for the first line of a
    /// pipe.
    pub(crate) fn open(path: &Path, rules: Rules) -> Result<Self, Rejection> {
        let (is_stdin, name) = (is_stdin(path), name(path));
        let unreadable = |error: io::Error| Rejection {
            line: None,
            reason: format!("cannot be read: {error}"),
            help: None,
        };
        let (mut reader, file, waits): (Box<dyn Read + Send>, _, _) = if is_stdin {
            match stdin_file().map_err(unreadable)? {
                Some(file) => {
                    (Box::new(UnchangedReader::new(Arc::clone(&file))), Some(file), false)
                }
                None => (Box::new(io::stdin()), None, true),
            }
        } else {
            let file = File::open(path).map_err(unreadable)?;
            match Unchanged::of(&file, Some(path)).map_err(unreadable)?.map(Arc::new) {
                Some(file) => {
                    (Box::new(UnchangedReader::new(Arc::clone(&file))), Some(file), false)
                }
                None if file.metadata().map_err(unreadable)?.is_dir() => {
                    return Err(unreadable(io::Error::other("it is a folder")));
                }
                None => (Box::new(file), None, true),
            }
        };
        // Keys typed on a terminal are read after the confirmation.
        let is_typed = is_stdin && io::stdin().is_terminal();
        let (sample, is_all) = if is_typed {
            (Vec::new(), false)
        } else {
            look(&mut reader, waits, rules).map_err(unreadable)?
        };
        let syntax = Syntax::of(Sample { bytes: &sample, is_all }, path, rules)?;
        let reader = Box::new(Cursor::new(sample).chain(reader));
        Ok(Self { name, syntax, reader, file })
    }
}

/// The beginning of an input, and whether it is the whole input. `waits`: reading may block.
fn look(reader: &mut dyn Read, waits: bool, rules: Rules) -> io::Result<(Vec<u8>, bool)> {
    let mut sample = Vec::new();
    loop {
        let before = sample.len();
        sample.resize(before.max(SAMPLE / 2) * 2, 0);
        let count = loop {
            match reader.read(&mut sample[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        sample.truncate(before + count);
        let is_enough = waits || sample.len() >= SAMPLE;
        // A line that is too long is rejected later, as is one without an end.
        let has_lines = || Sample { bytes: &sample, is_all: false }.is_enough(rules);
        if count == 0 || (is_enough && (has_lines() || sample.len() > MAX_LINE)) {
            return Ok((sample, count == 0));
        }
    }
}

pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The identity of an input that can be read only once: stdin, and pipes. Equal for two paths of
/// one pipe.
#[cfg(unix)]
pub(crate) fn pipe(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let metadata = if is_stdin(path) {
        stdin().and_then(|stdin| stdin.metadata())
    } else {
        fs::metadata(path)
    }
    .ok()?;
    (is_stdin(path) || metadata.file_type().is_fifo()).then(|| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
pub(crate) fn pipe(path: &Path) -> Option<()> {
    is_stdin(path).then_some(())
}

/// The name of an input, for messages.
pub(crate) fn name(path: &Path) -> String {
    if is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() }
}

/// stdin, if it is a regular file.
#[cfg(unix)]
fn stdin_file() -> io::Result<Option<Arc<Unchanged>>> {
    Ok(Unchanged::of(&stdin()?, None)?.map(Arc::new))
}

#[cfg(unix)]
fn stdin() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

#[cfg(not(unix))]
fn stdin_file() -> io::Result<Option<Arc<Unchanged>>> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::format::Format;
    use super::*;

    /// Returns one chunk per read, like a pipe whose lines arrive one by one.
    struct Chunks(VecDeque<&'static str>);

    impl Read for Chunks {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let chunk = self.0.pop_front().unwrap_or_default();
            buffer[..chunk.len()].copy_from_slice(chunk.as_bytes());
            Ok(chunk.len())
        }
    }

    #[test]
    fn the_format_does_not_depend_on_timing() {
        let lines = Rules { format: Some(Format::Lines), ..Rules::default() };
        for (chunks, rules, sample, is_all) in [
            (&["doc-1\n", "doc-2\n"][..], Rules::default(), "doc-1\n", false),
            (&["do", "c-1", "\ndo", "c-2\n"], Rules::default(), "doc-1\ndo", false),
            (&["\n", " \n", "doc-1\n"], Rules::default(), "\n \ndoc-1\n", false),
            (&["a,b\n", "\n", "c,d\n", "e\n"], Rules::default(), "a,b\n\nc,d\n", false),
            (&["a,b\n", "c"], Rules::default(), "a,b\nc", true),
            (&["a  b\n", "c\n"], Rules::default(), "a  b\nc\n", false),
            (&["a,b\n", "c,d\n"], lines, "a,b\n", false),
            (&[], Rules::default(), "", true),
        ] {
            let read = look(&mut Chunks(chunks.iter().copied().collect()), true, rules).unwrap();
            assert_eq!(read, (sample.as_bytes().to_vec(), is_all), "{chunks:?}");
        }
    }
}
