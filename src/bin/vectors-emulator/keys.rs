//! The keys of the vectors, read one by one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::{error, fmt};

use oss_delete_vectors::Key;
use serde_json::Value;

/// The keys of a file, or of stdin for `-`: one a line, which is JSON in `.jsonl` and `.ndjson`; empty lines are none.
pub(crate) fn read(path: &str) -> Result<impl Iterator<Item = Result<String, BadKeys>>, BadKeys> {
    let source: Box<dyn Read> = match path {
        "-" => Box::new(io::stdin()),
        path => Box::new(File::open(path).map_err(|error| BadKeys::Unreadable { path: path.to_owned(), error })?),
    };
    let is_json = path.ends_with(".jsonl") || path.ends_with(".ndjson");
    let lines = (1..).zip(BufReader::new(source).lines());
    Ok(lines.filter(|(_, line)| !line.as_ref().is_ok_and(String::is_empty)).map(move |(number, line)| {
        let line = line.map_err(|error| error.to_string());
        let key = line.and_then(|line| if is_json { from_json(&line) } else { Ok(line) });
        key.and_then(checked).map_err(|reason| BadKeys::Line { path: path.to_owned(), number, reason })
    }))
}

fn from_json(line: &str) -> Result<String, String> {
    match serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))? {
        Value::String(key) => Ok(key),
        Value::Object(mut members) => match members.remove("key") {
            Some(Value::String(key)) => Ok(key),
            _ => Err(r#"the object has no string under "key""#.to_owned()),
        },
        _ => Err(r#"must be a JSON string, or an object with one under "key""#.to_owned()),
    }
}

fn checked(text: String) -> Result<String, String> {
    match Key::new(&text) {
        Ok(_) => Ok(text),
        Err(invalid) => Err(invalid.to_string()),
    }
}

/// Why `--keys-from` gives no keys.
#[derive(Debug)]
pub(crate) enum BadKeys {
    Unreadable { path: String, error: io::Error },
    Line { path: String, number: u64, reason: String },
}

impl fmt::Display for BadKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("--keys-from: ")?;
        match self {
            Self::Unreadable { path, error } => write!(f, "cannot read {path:?}: {error}"),
            Self::Line { path, number, reason } => write!(f, "{path:?}, line {number}: {reason}"),
        }
    }
}

impl error::Error for BadKeys {}
