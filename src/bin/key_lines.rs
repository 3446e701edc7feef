//! Keys, one a line: as they are, or as JSON. Both programs read them so.

use std::io::{self, BufRead, Read};
use std::path::Path;
use std::{error, fmt};

use clap::ValueEnum;
use oss_delete_vectors::Key;
use serde_json::Value;

/// The longest line, in bytes. An object may hold a vector beside its key.
const LONGEST_LINE: usize = 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What a line holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // A key as it is.
    Lines,
    // A JSON string, or an object with the member `key`.
    Jsonl,
}

impl Format {
    /// By the ending of a file's name.
    ///
    /// # Errors
    ///
    /// For `.json`, whose lines would be taken for keys, brackets and all.
    pub(crate) fn of_path(path: &Path) -> Result<Self, &'static str> {
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        match ending.to_str() {
            Some("jsonl" | "ndjson") => Ok(Self::Jsonl),
            Some("json") => Err("a .json file is one array, which --keys file://PATH takes; for JSON a line, name it .jsonl"),
            _ => Ok(Self::Lines),
        }
    }
}

/// The keys of a reader. After an error of reading it has ended; after a bad line it goes on with the next.
pub(crate) struct KeyLines<R> {
    pub(crate) reader: R,
    format: Format,
    /// How many lines were read.
    lines: u64,
    line: Vec<u8>,
    has_ended: bool,
}

/// A line that holds no key.
#[derive(Debug)]
pub(crate) enum BadLine {
    /// Reading broke off after so many lines.
    Unreadable { lines: u64, error: io::Error },
    /// A line, counted from 1.
    NoKey { line: u64, reason: String },
}

impl<R: BufRead> KeyLines<R> {
    pub(crate) fn new(reader: R, format: Format) -> Self {
        Self { reader, format, lines: 0, line: Vec::new(), has_ended: false }
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
            // Longer, whatever comes; to leave it that way has it told as a bad line.
            self.reader.skip_until(b'\n')?;
            self.lines += 1;
            return Ok(true);
        }
        if self.line.ends_with(b"\r") {
            self.line.pop();
        }
        if self.lines == 0 && self.line.starts_with(BYTE_ORDER_MARK) {
            self.line.drain(..BYTE_ORDER_MARK.len());
        }
        self.lines += u64::from(has_line);
        Ok(has_line)
    }
}

impl<R: BufRead> Iterator for KeyLines<R> {
    type Item = Result<String, BadLine>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.has_ended {
            match self.read_line() {
                Ok(true) => {}
                Ok(false) => self.has_ended = true,
                Err(error) => {
                    self.has_ended = true;
                    return Some(Err(BadLine::Unreadable { lines: self.lines, error }));
                }
            }
            if !self.line.trim_ascii().is_empty() {
                return Some(parse(&self.line, self.format).map_err(|reason| BadLine::NoKey { line: self.lines, reason }));
            }
        }
        None
    }
}

/// The key of a line, or why there is none.
pub(crate) fn parse(line: &[u8], format: Format) -> Result<String, String> {
    if line.len() > LONGEST_LINE {
        return Err("longer than 1 MiB".to_owned());
    }
    let line = std::str::from_utf8(line).map_err(|error| format!("not UTF-8 from byte {} on", error.valid_up_to() + 1))?;
    let key = match format {
        Format::Lines => line.to_owned(),
        Format::Jsonl => of_json(serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?)?,
    };
    Key::new(&key).map_err(|invalid| invalid.to_string())?;
    Ok(key)
}

fn of_json(value: Value) -> Result<String, String> {
    let value = match value {
        Value::Object(mut object) => object.remove("key").ok_or("an object without the member key")?,
        value => value,
    };
    match value {
        Value::String(key) => Ok(key),
        _ => Err("neither a JSON string nor an object whose key is one".to_owned()),
    }
}

impl BadLine {
    /// Says which input it is in: `keys.txt, line 7: not UTF-8`.
    pub(crate) fn in_input(&self, name: &str) -> String {
        match self {
            Self::Unreadable { .. } => format!("{name} {self}"),
            Self::NoKey { .. } => format!("{name}, {self}"),
        }
    }
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { lines, error } => write!(f, "cannot be read after line {lines}: {error}"),
            Self::NoKey { line, reason } => write!(f, "line {line}: {reason}"),
        }
    }
}

impl error::Error for BadLine {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: impl AsRef<[u8]>, format: Format) -> Vec<Result<String, String>> {
        KeyLines::new(text.as_ref(), format).map(|key| key.map_err(|error| error.to_string())).collect()
    }

    fn keys(text: impl AsRef<[u8]>, format: Format) -> Vec<String> {
        read(text, format).into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn ends_of_lines_a_byte_order_mark_and_blank_lines_are_no_part_of_a_key() {
        for text in ["a\nb\n", "a\nb", "\u{feff}a\r\nb\r\n", "\n\r\n \t\na\n\n\nb\n\n", "\u{feff}\na\nb\r"] {
            assert_eq!(keys(text, Format::Lines), ["a", "b"], "{text:?}");
        }
        assert_eq!(keys("", Format::Lines), [""; 0]);
        assert_eq!(keys("\u{feff}", Format::Lines), [""; 0]);
        // Elsewhere it is a character of a key, and so is whatever else a line holds.
        assert_eq!(keys("a\n\u{feff}b\n \"c\" \n\r\rd\r\r\n", Format::Lines), ["a", "\u{feff}b", " \"c\" ", "\r\rd\r"]);
    }

    #[test]
    fn json_lines_are_strings_or_objects_with_a_key() {
        let text = "\u{feff}\"a\"\r\n\n {\"key\":\"b\\n\",\"outcome\":\"rejected\",\"vector\":[1,2]} \n\"\\ud83d\\ude00\"";
        assert_eq!(keys(text, Format::Jsonl), ["a", "b\n", "😀"]);
    }

    #[test]
    fn bad_lines_are_told_by_number_and_the_rest_is_read() {
        let long = format!("{}\n", "k".repeat(1025));
        let huge = format!("{}\nb\n", "k".repeat(LONGEST_LINE + 1));
        for (text, format, expected) in [
            (b"a\n\xff\xfe\nb\n".as_slice(), Format::Lines, "line 2: not UTF-8 from byte 1 on"),
            (b"a\nab\xc3\nb", Format::Lines, "line 2: not UTF-8 from byte 3 on"),
            (format!("a\n{long}b").as_bytes(), Format::Lines, "line 2: key must be 1 to 1024 characters, not \"kkkk"),
            (format!("a\n{huge}").as_bytes(), Format::Lines, "line 2: longer than 1 MiB"),
            (b"\"a\"\n\"\"\n\"b\"", Format::Jsonl, "line 2: key must be 1 to 1024 characters, not \"\""),
            (b"\"a\"\na\n\"b\"", Format::Jsonl, "line 2: not JSON: expected value at line 1 column 1"),
            (b"\"a\"\n1\n\"b\"", Format::Jsonl, "line 2: neither a JSON string nor an object whose key is one"),
            (b"\"a\"\n{\"key\":1}\n\"b\"", Format::Jsonl, "line 2: neither a JSON string nor an object whose key is one"),
            (b"\"a\"\n{\"Key\":\"x\"}\n\"b\"", Format::Jsonl, "line 2: an object without the member key"),
            (b"\"a\"\n\"x\" \"y\"\n\"b\"", Format::Jsonl, "line 2: not JSON: trailing characters"),
        ] {
            let read = read(text, format);
            assert_eq!((read.len(), read[0].as_deref(), read[2].as_deref()), (3, Ok("a"), Ok("b")), "{expected}");
            assert!(read[1].as_ref().unwrap_err().starts_with(expected), "{read:?}");
        }
    }

    #[test]
    fn the_longest_line_is_read_and_a_longer_one_is_not_cut() {
        let line = format!("{{\"key\":\"a\",\"vector\":\"{}\"}}", "1".repeat(LONGEST_LINE - 23));
        assert_eq!(line.len(), LONGEST_LINE);
        for end in ["\n", "\r\n"] {
            assert_eq!(keys(format!("{line}{end}\"b\""), Format::Jsonl), ["a", "b"]);
        }
        for end in [" \n", " \r\n", "\rx\n", "\r\r\n"] {
            let read = read(format!("{line}{end}\"b\""), Format::Jsonl);
            assert_eq!(read, [Err("line 1: longer than 1 MiB".to_owned()), Ok("b".to_owned())], "{end:?}");
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
        let read: Vec<_> = KeyLines::new(broken, Format::Lines).map(|key| key.map_err(|error| error.to_string())).collect();
        assert_eq!(
            read,
            [Ok("a".to_owned()), Ok("b".to_owned()), Err("cannot be read after line 2: the disk is gone".to_owned())]
        );
    }

    #[test]
    fn formats_follow_from_the_ending() {
        for (path, format) in [
            ("a.txt", Format::Lines),
            ("a", Format::Lines),
            ("a.jsonl", Format::Jsonl),
            ("A.NDJSON", Format::Jsonl),
            ("json", Format::Lines),
        ] {
            assert_eq!(Format::of_path(Path::new(path)), Ok(format), "{path}");
        }
        assert!(Format::of_path(Path::new("a.JSON")).is_err());
    }
}
