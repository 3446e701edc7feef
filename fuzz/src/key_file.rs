//! Files of keys: each line is a key or is reported by its number, regardless of how the file is
//! split into reads. Also lists of keys on the command line.

use std::io::BufReader;
use std::path::Path;

use oss_delete_vectors::Key;
use serde_json::Value;

use crate::program::key_lines::format::Sample;
use crate::program::key_lines::{BadLine, Format, KeyLines, Rules, Syntax, excerpt, parse};
use crate::program::key_list;
use crate::program::text::json_line;

/// Parses any bytes as a file of keys, in all formats, and as the argument of `--keys`.
pub fn key_file(data: &[u8]) {
    list(data);
    decisions(data);
    for syntax in [Syntax::Given, Syntax::Guessed, Syntax::Json] {
        let read = read(data, data.len().max(1), syntax);
        assert_eq!(read, expected(data, syntax));
        for buffer in [1, 2, 3, 7] {
            assert_eq!(self::read(data, buffer, syntax), read, "{buffer} bytes at a time");
        }
        let keys: Vec<&String> = read.iter().filter_map(|line| line.as_ref().ok()).collect();
        for key in &keys {
            assert!(Key::new(key).is_ok());
            assert!(
                !excerpt(key).contains(char::is_control) && excerpt(key).chars().count() <= 401
            );
            if syntax == Syntax::Guessed {
                assert!(
                    !key.chars().any(|c| c.is_control() || c == '\u{feff}')
                        && key.trim() == *key
                        && !key.starts_with('"')
                );
            }
        }
        failed_keys(&keys);
    }
}

/// A list has the keys between its commas, or those of a JSON array, which can contain any key.
fn list(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match key_list::parse(text) {
        Ok(keys) => {
            assert!(!keys.is_empty() && keys.iter().all(|key| Key::new(key).is_ok()));
            let array = serde_json::to_string(&keys).expect("keys are JSON");
            assert_eq!(key_list::parse(&array).as_ref(), Ok(&keys));
            let is_array = text.trim_start().starts_with('[');
            assert!(is_array || keys.join(",") == text.trim_end_matches(['\n', '\r']));
        }
        Err(error) => {
            assert!(!error.is_empty() && error.lines().count() <= 2);
            assert!(!error.replace('\n', "").contains(char::is_control), "{error:?}");
        }
    }
}

/// The format is decided for any part of the file, and an error is short and safe to print on a
/// terminal.
fn decisions(data: &[u8]) {
    for (length, is_all) in [(data.len(), true), (data.len(), false), (data.len() / 2, false)] {
        let sample = Sample { bytes: &data[..length], is_all };
        for format in [None, Some(Format::Lines), Some(Format::Jsonl)] {
            for skips_bad_lines in [false, true] {
                for path in ["-", "keys.txt", "keys.jsonl", "keys.json"] {
                    if let Err(rejection) =
                        Syntax::of(sample, Path::new(path), Rules { format, skips_bad_lines })
                    {
                        let text = rejection.to_string();
                        assert!(text.len() < 2000 && text.lines().count() == 2, "{text:?}");
                        assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
                    }
                }
            }
        }
    }
}

/// A file of these keys by `--failed-keys` is recognized under any name, and parsed exactly.
fn failed_keys(keys: &[&String]) {
    let line = |key: &&String| {
        let key = json_line(&Value::from(key.as_str()));
        assert!(!key.contains(char::is_control));
        format!(
            "{{\"key\":{key},\"outcome\":\"rejected\",\"code\":null,\"message\":{key},\"request_id\":null}}\n"
        )
    };
    let file: String = keys.iter().map(line).collect();
    let sample = Sample { bytes: file.as_bytes(), is_all: true };
    for path in ["-", "failed.txt", "failed.json", "failed.jsonl"] {
        let expected = if keys.is_empty() { continue } else { Ok(Syntax::Json) };
        assert_eq!(Syntax::of(sample, Path::new(path), Rules::default()), expected);
    }
    let read = KeyLines::new(file.as_bytes(), Syntax::Json, None)
        .map(|key| key.expect("a key of that file"));
    assert!(read.eq(keys.iter().map(|&key| key.clone())));
}

/// Each key, and the number of each line without one. Then the error that ends the file early, if
/// any.
type Read = Vec<Result<String, Option<u64>>>;

fn read(data: &[u8], buffer: usize, syntax: Syntax) -> Read {
    let line = |bad: BadLine| {
        assert!(!bad.to_string().is_empty());
        match bad {
            BadLine::NoKey { line, .. } => Some(line),
            BadLine::Binary { .. } | BadLine::TooMany { .. } => None,
            BadLine::Unreadable { .. } | BadLine::Changed(_) => {
                panic!("bytes in memory can be read")
            }
        }
    };
    KeyLines::new(BufReader::with_capacity(buffer, data), syntax, None)
        .map(|key| key.map_err(line))
        .collect()
}

/// The same, computed from the whole file at once.
fn expected(data: &[u8], syntax: Syntax) -> Read {
    let lines =
        data.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut read = Read::new();
    let (mut keys, mut bad_lines) = (0, 0);
    for (number, line) in (1..).zip(lines) {
        let is_marked = number == 1 || syntax != Syntax::Given;
        let line = line.strip_prefix("\u{feff}".as_bytes()).filter(|_| is_marked).unwrap_or(line);
        if line.trim_ascii().is_empty() {
            continue;
        }
        if line.contains(&0) {
            read.push(Err(None));
            return read;
        }
        match key(line, syntax) {
            Some(key) => {
                keys += 1;
                read.push(Ok(key));
            }
            None => {
                bad_lines += 1;
                let is_end = bad_lines > 1000 && bad_lines > keys;
                read.push(Err(Some(number).filter(|_| !is_end)));
                if is_end {
                    return read;
                }
            }
        }
    }
    if keys == 0 && bad_lines > 0 {
        read.push(Err(None));
    }
    read
}

fn key(line: &[u8], syntax: Syntax) -> Option<String> {
    let text = str::from_utf8(line).ok().filter(|text| text.len() <= 1024 * 1024)?;
    let key = match syntax {
        Syntax::Given => text.to_owned(),
        // The format is decided line by line.
        Syntax::Guessed => parse(line, syntax).ok()?,
        Syntax::Json => match serde_json::from_str(text).ok()? {
            Value::String(key) => key,
            Value::Object(members) => members.get("key")?.as_str()?.to_owned(),
            _ => return None,
        },
    };
    (1..=1024).contains(&key.chars().count()).then_some(key)
}
