//! Reads one key per line, as plain text or as JSON. Both programs use it.

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

pub(crate) use self::format::{Format, Refusal, Rules, Syntax, excerpt};
pub(crate) use self::input::KeyInput;
pub(crate) use self::unchanged::check_written;
use self::unchanged::{Changed, Unchanged, UnchangedReader};
use self::unlike::Unlike;
use crate::input_text;

/// The longest line, in bytes. An object may hold a vector beside its key.
const LONGEST_LINE: usize = 1024 * 1024;

/// The number of keys between two checks for a changed file: the keys of one request.
const KEYS_PER_LOOK: u64 = 500;

/// With more bad lines than this, and more than there are keys, the input is rejected.
const MOST_BAD_LINES: u64 = 1000;

/// The keys of a reader. After an error it has ended, unless the error is a line without a key.
pub(crate) struct KeyLines<R> {
    pub(crate) reader: R,
    syntax: Syntax,
    /// What is read, if it is a regular file.
    file: Option<Arc<Unchanged>>,
    /// How many lines were read, how many of them held a key, and how many held something else.
    lines: u64,
    keys: u64,
    bad_lines: u64,
    line: Vec<u8>,
    has_ended: bool,
}

/// A line that holds no key, or the end of reading.
#[derive(Debug)]
pub(crate) enum BadLine {
    /// Reading failed after so many lines.
    Unreadable { lines: u64, error: io::Error },
    /// The file is not what it was when it was opened.
    Changed(Changed),
    /// A line has NUL bytes.
    Binary { line: u64 },
    /// So many lines hold no key, and they are more than half of all.
    TooMany { bad_lines: u64, keys: u64 },
    /// A line, counted from 1.
    NoKey { line: u64, reason: NoKey },
}

/// Why a line holds no key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoKey {
    reason: String,
    /// What to do about it, if there is more to do than to correct the line.
    help: Option<&'static str>,
}

impl From<String> for NoKey {
    fn from(reason: String) -> Self {
        Self { reason, help: None }
    }
}

/// What reading one line came to.
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

    /// The lines of the same file from its beginning; `None` if it can only be read once.
    pub(crate) fn again(&self) -> Result<Option<KeyLines<impl BufRead + use<R>>>, BadLine> {
        let again = self.file.as_ref().map_or(Ok(None), |file| file.again());
        let file = again.map_err(|error| BadLine::reading(0, error))?.map(Arc::new);
        Ok(file.map(|file| {
            let reader =
                BufReader::with_capacity(64 * 1024, UnchangedReader::new(Arc::clone(&file)));
            KeyLines::new(reader, self.syntax, Some(file))
        }))
    }

    /// Whether it has ended without a key.
    pub(crate) fn is_empty(&self) -> bool {
        self.has_ended && self.keys == 0 && self.bad_lines == 0
    }

    /// Reads a line without its end; `false` at the end of all.
    fn read_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        // Two bytes more, for its end.
        let most = LONGEST_LINE + 2;
        self.reader.by_ref().take(most as u64).read_until(b'\n', &mut self.line)?;
        let has_line = !self.line.is_empty();
        if self.line.ends_with(b"\n") {
            self.line.pop();
        } else if self.line.len() == most {
            // It is too long, whatever comes. Left so long, it is reported as a bad line.
            self.reader.skip_until(b'\n')?;
            self.lines += 1;
            return Ok(true);
        }
        if self.line.ends_with(b"\r") {
            self.line.pop();
        }
        // Joined files have byte order marks in the middle. If the user gave the format, a key may
        // begin with one.
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
                    .filter(|_| self.keys.is_multiple_of(KEYS_PER_LOOK))
                    .map(|file| file.check())
                {
                    return self.end(BadLine::reading(self.lines, error));
                }
                self.keys += 1;
                Step::Key(Ok(key))
            }
            Err(reason) => {
                self.bad_lines += 1;
                if self.bad_lines > MOST_BAD_LINES && self.bad_lines > self.keys {
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

/// The key of a line, or why there is none.
pub(crate) fn parse(line: &[u8], syntax: Syntax) -> Result<String, NoKey> {
    if line.len() > LONGEST_LINE {
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

    /// Names the input that it is in: `keys.txt, line 7: not UTF-8`.
    pub(crate) fn in_input(&self, name: &str) -> String {
        match self {
            Self::Unreadable { .. } | Self::Changed(_) => format!("{name} {self}"),
            Self::Binary { .. } | Self::NoKey { .. } => format!("{name}, {self}"),
            Self::TooMany { .. } => format!("{name}: {self}"),
        }
    }

    /// What to do about it, if there is more to do than to correct the line.
    pub(crate) fn help(&self) -> Option<&'static str> {
        match self {
            Self::Changed(_) => Some("try again with a file that does not change meanwhile"),
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
mod tests {
    use super::*;

    fn read(text: impl AsRef<[u8]>, syntax: Syntax) -> Vec<Result<String, String>> {
        KeyLines::new(text.as_ref(), syntax, None)
            .map(|key| key.map_err(|error| error.to_string()))
            .collect()
    }

    fn keys(text: impl AsRef<[u8]>, syntax: Syntax) -> Vec<String> {
        read(text, syntax).into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn line_ends_and_blank_lines_are_left_out() {
        for syntax in [Syntax::Given, Syntax::Guessed] {
            for text in [
                "a\nb\n",
                "a\nb",
                "\u{feff}a\r\nb\r\n",
                "\n\r\n \t\na\n\n\nb\n\n",
                "\u{feff}\na\nb\r",
            ] {
                assert_eq!(keys(text, syntax), ["a", "b"], "{text:?}");
            }
            assert_eq!(keys("", syntax), [""; 0]);
            assert_eq!(keys("\u{feff}", syntax), [""; 0]);
        }
        // With --keys-format lines all of a line is the key.
        let text = "a\n\u{feff}b\n \"c\" \n\r\rd\r\r\ne\tf";
        assert_eq!(keys(text, Syntax::Given), ["a", "\u{feff}b", " \"c\" ", "\r\rd\r", "e\tf"]);
    }

    #[test]
    fn joined_files_have_marks_in_the_middle() {
        assert_eq!(keys("\u{feff}a\n\u{feff}b\n", Syntax::Guessed), ["a", "b"]);
        assert_eq!(keys("\u{feff}\"a\"\n\u{feff}\"b\"\n", Syntax::Json), ["a", "b"]);
        let joined = read("a\u{feff}b\nc\n", Syntax::Guessed);
        assert!(
            joined[0]
                .as_ref()
                .unwrap_err()
                .contains("a byte order mark in the middle (a\\u{feff}b)"),
            "{joined:?}"
        );
    }

    #[test]
    fn a_line_unlike_a_key_is_bad_wherever_it_is() {
        let text = format!("{}\"doc-1\"\nb\n", "a\n".repeat(1000));
        let read = read(&text, Syntax::Guessed);
        let reason =
            "line 1001: looks like JSON Lines (\"doc-1\"); expected one key per line".to_owned();
        assert_eq!(
            (read.len(), &read[1000], &read[1001]),
            (1002, &Err(reason), &Ok("b".to_owned()))
        );
        assert_eq!(keys(text, Syntax::Given)[1000], "\"doc-1\"");
    }

    #[test]
    fn a_nul_byte_is_the_end() {
        for syntax in [Syntax::Given, Syntax::Guessed, Syntax::Json] {
            let read = read(
                "\"a\"\nb\0\n\"c\"\n".replace('"', if syntax == Syntax::Json { "\"" } else { "" }),
                syntax,
            );
            let reason = "line 2: holds NUL bytes, so it is binary; expected UTF-8 text".to_owned();
            assert_eq!(read, [Ok("a".to_owned()), Err(reason)]);
        }
        assert_eq!(keys(r#""a\u0000b""#, Syntax::Json), ["a\0b"]);
    }

    #[test]
    fn bad_lines_are_the_end_once_they_are_too_many() {
        let bad = "\u{80}\n";
        for (good, bad_lines, expected) in [
            (0, 1, Some("none of 1 lines holds a key")),
            (0, 2000, Some("none of 1001 lines holds a key")),
            (1, 2000, Some("1001 of its first 1002 lines hold no key")),
            (1500, 2000, Some("1501 of its first 3001 lines hold no key")),
            (2000, 2000, None),
            (1, 1000, None),
        ] {
            let read = read("a\n".repeat(good) + &bad.repeat(bad_lines), Syntax::Guessed);
            let last = read.last().and_then(|last| last.as_ref().err()).unwrap();
            assert_eq!(
                Some(last.as_str()).filter(|last| !last.starts_with("line ")),
                expected,
                "{good} {bad_lines}"
            );
        }
    }

    #[test]
    fn json_lines_are_strings_or_objects_with_a_key() {
        let text = "\u{feff}\"a\"\r\n\n {\"key\":\"b\\n\",\"outcome\":\"rejected\",\"vector\":[1,2]} \n\"\\ud83d\\ude00\"";
        assert_eq!(keys(text, Syntax::Json), ["a", "b\n", "😀"]);
    }

    #[test]
    fn bad_lines_have_a_number_and_the_rest_is_read() {
        let long = format!("{}\n", "k".repeat(1025));
        let huge = format!("{}\nb\n", "k".repeat(LONGEST_LINE + 1));
        for (text, syntax, expected) in [
            (b"a\n\xff\xfe\nb\n".as_slice(), Syntax::Given, "line 2: not UTF-8 from byte 1 on"),
            (b"a\nab\xc3\nb", Syntax::Given, "line 2: not UTF-8 from byte 3 on"),
            (
                format!("a\n{long}b").as_bytes(),
                Syntax::Given,
                "line 2: key must be 1 to 1024 characters, not \"kkkk",
            ),
            (format!("a\n{huge}").as_bytes(), Syntax::Given, "line 2: longer than 1 MiB"),
            (
                b"\"a\"\n\"\"\n\"b\"",
                Syntax::Json,
                "line 2: key must be 1 to 1024 characters, not \"\"",
            ),
            (
                b"\"a\"\na\n\"b\"",
                Syntax::Json,
                "line 2: not JSON: expected value at line 1 column 1",
            ),
            (
                b"\"a\"\n1\n\"b\"",
                Syntax::Json,
                "line 2: neither a JSON string nor an object whose key is one",
            ),
            (
                b"\"a\"\n{\"key\":1}\n\"b\"",
                Syntax::Json,
                "line 2: neither a JSON string nor an object whose key is one",
            ),
            (
                b"\"a\"\n{\"Key\":\"x\"}\n\"b\"",
                Syntax::Json,
                "line 2: an object without the member key",
            ),
            (b"\"a\"\n\"x\" \"y\"\n\"b\"", Syntax::Json, "line 2: not JSON: trailing characters"),
        ] {
            let read = read(text, syntax);
            assert_eq!(
                (read.len(), read[0].as_deref(), read[2].as_deref()),
                (3, Ok("a"), Ok("b")),
                "{expected}"
            );
            assert!(read[1].as_ref().unwrap_err().starts_with(expected), "{read:?}");
        }
    }

    #[test]
    fn the_longest_line_is_read_and_a_longer_one_is_not_cut() {
        let line = format!("{{\"key\":\"a\",\"vector\":\"{}\"}}", "1".repeat(LONGEST_LINE - 23));
        assert_eq!(line.len(), LONGEST_LINE);
        for end in ["\n", "\r\n"] {
            assert_eq!(keys(format!("{line}{end}\"b\""), Syntax::Json), ["a", "b"]);
        }
        for end in [" \n", " \r\n", "\rx\n", "\r\r\n"] {
            let read = read(format!("{line}{end}\"b\""), Syntax::Json);
            assert_eq!(
                read,
                [Err("line 1: longer than 1 MiB".to_owned()), Ok("b".to_owned())],
                "{end:?}"
            );
        }
    }

    #[test]
    fn reading_that_breaks_off_is_the_end() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        let broken = io::BufReader::new(b"a\nb\n".chain(Broken));
        let read: Vec<_> = KeyLines::new(broken, Syntax::Given, None)
            .map(|key| key.map_err(|error| error.to_string()))
            .collect();
        assert_eq!(
            read,
            [
                Ok("a".to_owned()),
                Ok("b".to_owned()),
                Err("cannot be read after line 2: the disk is gone".to_owned())
            ]
        );
    }
}
