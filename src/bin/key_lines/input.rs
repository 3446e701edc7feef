//! An input of keys: a file, a pipe or stdin, opened, looked at, and ready to be read.

use std::fs::File;
use std::io::{self, Cursor, IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;

use super::LONGEST_LINE;
use super::format::{Refusal, Rules, Sample, Syntax};
use super::unchanged::{Unchanged, UnchangedReader};

/// As many bytes are looked at before anything is given out; of a pipe, those that are there with
/// its first line.
const SAMPLE: usize = 64 * 1024;

/// An input of which nothing was given out yet.
pub(crate) struct KeyInput {
    /// For people.
    pub(crate) name: String,
    pub(crate) syntax: Syntax,
    pub(crate) reader: Box<dyn Read + Send>,
    /// `None` of a pipe.
    pub(crate) file: Option<Arc<Unchanged>>,
}

impl KeyInput {
    /// Opens `path`, or stdin for `-`, and looks at its beginning. Waits for the first line of a
    /// pipe.
    pub(crate) fn open(path: &Path, rules: Rules) -> Result<Self, Refusal> {
        let (is_stdin, name) = (is_stdin(path), name(path));
        let unreadable = |error: io::Error| Refusal { line: None, reason: format!("cannot be read: {error}"), help: None };
        let (mut reader, file, waits): (Box<dyn Read + Send>, _, _) = if is_stdin {
            match stdin_file().map_err(unreadable)? {
                Some(file) => (Box::new(UnchangedReader::new(Arc::clone(&file))), Some(file), false),
                None => (Box::new(io::stdin()), None, true),
            }
        } else {
            let file = File::open(path).map_err(unreadable)?;
            match Unchanged::of(&file, Some(path)).map_err(unreadable)?.map(Arc::new) {
                Some(file) => (Box::new(UnchangedReader::new(Arc::clone(&file))), Some(file), false),
                None if file.metadata().map_err(unreadable)?.is_dir() => {
                    return Err(unreadable(io::Error::other("it is a folder")));
                }
                None => (Box::new(file), None, true),
            }
        };
        // Someone who types keys is asked first whether to delete them.
        let is_typed = is_stdin && io::stdin().is_terminal();
        let (sample, is_all) = if is_typed { (Vec::new(), false) } else { look(&mut reader, waits).map_err(unreadable)? };
        let syntax = Syntax::of(Sample { bytes: &sample, is_all }, path, rules)?;
        let reader = Box::new(Cursor::new(sample).chain(reader));
        Ok(Self { name, syntax, reader, file })
    }
}

/// The beginning of an input, and whether it is all. `waits`: reading may wait for more to come.
fn look(reader: &mut dyn Read, waits: bool) -> io::Result<(Vec<u8>, bool)> {
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
        // A line that is too long is refused later; so is one without an end.
        let has_line = || Sample { bytes: &sample, is_all: false }.has_line();
        if count == 0 || (is_enough && (has_line() || sample.len() > LONGEST_LINE)) {
            return Ok((sample, count == 0));
        }
    }
}

pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The name of an input, for people.
pub(crate) fn name(path: &Path) -> String {
    if is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() }
}

/// stdin, if it is a regular file.
#[cfg(unix)]
fn stdin_file() -> io::Result<Option<Arc<Unchanged>>> {
    use std::os::fd::AsFd;
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    Ok(Unchanged::of(&File::from(stdin), None)?.map(Arc::new))
}

#[cfg(not(unix))]
fn stdin_file() -> io::Result<Option<Arc<Unchanged>>> {
    Ok(None)
}
