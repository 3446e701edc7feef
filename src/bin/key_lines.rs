//! Parses one key per line, as plain text or as JSON. Used by both programs.

#[path = "key_lines/format.rs"]
pub(crate) mod format;
#[path = "key_lines/input.rs"]
pub(crate) mod input;
#[path = "key_lines/unchanged.rs"]
mod unchanged;
#[path = "key_lines/unlike.rs"]
mod unlike;

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::{error, fmt};

use oss_delete_vectors::Key;
use serde_json::Value;

pub(crate) use self::format::{Format, Rejection, Rules, Syntax, excerpt};
pub(crate) use self::input::KeyInput;
pub(crate) use self::unchanged::check_written;
use self::unchanged::{Changed, Unchanged, UnchangedReader};
use self::unlike::Unlike;
use crate::input_text;

/// The maximum length of a line in bytes. An object may contain a vector as well.
const MAX_LINE: usize = 1024 * 1024;

/// The number of keys between two checks for a changed file: that of one request.
const KEYS_PER_CHECK: u64 = 500;

/// With more bad lines than this, and more bad lines than keys, the input is rejected.
const MAX_BAD_LINES: u64 = 1000;

/// The keys of a reader. It ends after an error, except for a line without a key.
pub(crate) struct KeyLines<R> {
    pub(crate) reader: R,
    syntax: Syntax,
    /// The file, if it is a regular one.
    file: Option<Arc<Unchanged>>,
    /// The number of lines read, of lines with a key, and of other lines.
    lines: u64,
    keys: u64,
    bad_lines: u64,
    line: Vec<u8>,
    has_ended: bool,
}

/// A line without a key, or the end of reading.
#[derive(Debug)]
pub(crate) enum BadLine {
    /// Reading failed after this number of lines.
    Unreadable { lines: u64, error: io::Error },
    /// The file changed since it was opened.
    Changed(Changed),
    /// A line has NUL bytes.
    Binary { line: u64 },
    /// This number of lines have no key, which are more than half of all lines.
    TooMany { bad_lines: u64, keys: u64 },
    /// A line, counted from 1.
    NoKey { line: u64, reason: NoKey },
}

/// The reason why a line has no key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoKey {
    reason: String,
    /// The advice, if it is more than to correct the line.
    help: Option<&'static str>,
}

impl From<String> for NoKey {
    fn from(reason: String) -> Self {
        Self { reason, help: None }
    }
}

/// The result of reading one line.
enum Step {
    Key(Result<String, BadLine>),
    Blank,
    End,
}

impl<R: BufRead> KeyLines<R> {
    pub(crate) fn new(reader: R, syntax: Syntax, file: Option<Arc<Unchanged>>) -> Self {
        Self {
            reader,
            syntax,
            file,
            lines: 0,
            keys: 0,
            bad_lines: 0,
            line: Vec::new(),
            has_ended: false,
        }
    }

    /// The lines of the same file from its beginning. `None` if it can only be read once.
    pub(crate) fn again(&self) -> Result<Option<KeyLines<impl BufRead + use<R>>>, BadLine> {
        let again = self.file.as_ref().map_or(Ok(None), |file| file.again());
        let file = again.map_err(|error| BadLine::reading(0, error))?.map(Arc::new);
        Ok(file.map(|file| {
            let reader =
                BufReader::with_capacity(64 * 1024, UnchangedReader::new(Arc::clone(&file)));
            KeyLines::new(reader, self.syntax, Some(file))
        }))
    }

    /// The same lines with another reader, which wraps this one, before anything is read.
    pub(crate) fn with_reader<T>(self, wrap: impl FnOnce(R) -> T) -> KeyLines<T> {
        let Self { reader, syntax, file, lines, keys, bad_lines, line, has_ended } = self;
        KeyLines { reader: wrap(reader), syntax, file, lines, keys, bad_lines, line, has_ended }
    }

    /// Whether it has ended without a key.
    pub(crate) fn is_empty(&self) -> bool {
        self.has_ended && self.keys == 0 && self.bad_lines == 0
    }

    /// Reads a line without its end. Returns `false` at the end of the input.
    fn read_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        // Two more bytes for its end.
        let most = MAX_LINE + 2;
        self.reader.by_ref().take(most as u64).read_until(b'\n', &mut self.line)?;
        let has_line = !self.line.is_empty();
        if self.line.ends_with(b"\n") {
            self.line.pop();
        } else if self.line.len() == most {
            // The line is too long, whatever follows. It is kept at this length, and reported as a
            // bad line.
            self.reader.skip_until(b'\n')?;
            self.lines += 1;
            return Ok(true);
        }
        if self.line.ends_with(b"\r") {
            self.line.pop();
        }
        // Joined files have byte order marks in the middle. A key may begin with one if the user
        // gave the format.
        if self.lines == 0 || self.syntax != Syntax::Given {
            let mark = self.line.len() - input_text::without_mark(&self.line).len();
            self.line.drain(..mark);
        }
        self.lines += u64::from(has_line);
        Ok(has_line)
    }

    fn step(&mut self) -> Step {
        if self.has_ended {
            return Step::End;
        }
        match self.read_line() {
            Ok(true) => {}
            Ok(false) => {
                self.has_ended = true;
                if self.keys == 0 && self.bad_lines > 0 {
                    return self.end(BadLine::TooMany { bad_lines: self.bad_lines, keys: 0 });
                }
                return Step::End;
            }
            Err(error) => return self.end(BadLine::reading(self.lines, error)),
        }
        if self.line.trim_ascii().is_empty() {
            return Step::Blank;
        }
        if self.line.contains(&0) {
            return self.end(BadLine::Binary { line: self.lines });
        }
        match parse(&self.line, self.syntax) {
            Ok(key) => {
                if let Some(Err(error)) = self
                    .file
                    .as_ref()
                    .filter(|_| self.keys.is_multiple_of(KEYS_PER_CHECK))
                    .map(|file| file.check())
                {
                    return self.end(BadLine::reading(self.lines, error));
                }
                self.keys += 1;
                Step::Key(Ok(key))
            }
            Err(reason) => {
                self.bad_lines += 1;
                if self.bad_lines > MAX_BAD_LINES && self.bad_lines > self.keys {
                    return self
                        .end(BadLine::TooMany { bad_lines: self.bad_lines, keys: self.keys });
                }
                Step::Key(Err(BadLine::NoKey { line: self.lines, reason }))
            }
        }
    }

    fn end(&mut self, bad_line: BadLine) -> Step {
        self.has_ended = true;
        Step::Key(Err(bad_line))
    }
}

impl<R: BufRead> Iterator for KeyLines<R> {
    type Item = Result<String, BadLine>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step() {
                Step::Key(key) => return Some(key),
                Step::Blank => {}
                Step::End => return None,
            }
        }
    }
}

/// Parses the key of a line.
pub(crate) fn parse(line: &[u8], syntax: Syntax) -> Result<String, NoKey> {
    if line.len() > MAX_LINE {
        return Err("longer than 1 MiB".to_owned().into());
    }
    let line = str::from_utf8(line)
        .map_err(|error| format!("not UTF-8 from byte {} on", error.valid_up_to() + 1))?;
    let key = match syntax {
        Syntax::Json => {
            of_json(serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?)?
        }
        Syntax::Given | Syntax::Guessed => line.to_owned(),
    };
    if let Some(unlike) = Some(line).filter(|_| syntax == Syntax::Guessed).and_then(Unlike::of_line)
    {
        return Err(NoKey { reason: format::looks_like(line, unlike), help: Some(unlike.help()) });
    }
    Key::new(&key).map_err(|invalid| invalid.to_string())?;
    Ok(key)
}

fn of_json(value: Value) -> Result<String, String> {
    let value = match value {
        Value::Object(mut object) => {
            object.remove("key").ok_or("an object without the member key")?
        }
        value => value,
    };
    match value {
        Value::String(key) => Ok(key),
        _ => Err("neither a JSON string nor an object whose key is one".to_owned()),
    }
}

impl BadLine {
    fn reading(lines: u64, error: io::Error) -> Self {
        match error.get_ref().and_then(|error| error.downcast_ref::<Changed>()) {
            Some(changed) => Self::Changed(changed.clone()),
            None => Self::Unreadable { lines, error },
        }
    }

    /// Adds the name of the input: `keys.txt, line 7: not UTF-8`.
    pub(crate) fn in_input(&self, name: &str) -> String {
        match self {
            Self::Unreadable { .. } | Self::Changed(_) => format!("{name} {self}"),
            Self::Binary { .. } | Self::NoKey { .. } => format!("{name}, {self}"),
            Self::TooMany { .. } => format!("{name}: {self}"),
        }
    }

    /// The advice, if it is more than to correct the line.
    pub(crate) fn help(&self) -> Option<&'static str> {
        match self {
            Self::Changed(_) => Some("try again with a file that does not change in the meantime"),
            Self::Binary { .. } => Some(
                "check that this is the right file; a key with NUL is written as JSON: \"\\u0000\"",
            ),
            Self::TooMany { .. } => Some("check that this is the right file, and --keys-format"),
            Self::NoKey { reason, .. } => reason.help,
            Self::Unreadable { .. } => None,
        }
    }
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { lines, error } => {
                write!(f, "cannot be read after line {lines}: {error}")
            }
            Self::Changed(changed) => write!(f, "changed while it was read: {changed}"),
            Self::Binary { line } => {
                write!(f, "line {line}: holds NUL bytes, so it is binary; expected UTF-8 text")
            }
            Self::TooMany { bad_lines, keys: 0 } => {
                write!(f, "none of {bad_lines} lines holds a key")
            }
            Self::TooMany { bad_lines, keys } => {
                write!(f, "{bad_lines} of its first {} lines hold no key", bad_lines + keys)
            }
            Self::NoKey { line, reason } => write!(f, "line {line}: {}", reason.reason),
        }
    }
}

impl error::Error for BadLine {}

#[cfg(test)]
#[path = "key_lines/tests.rs"]
mod tests;
