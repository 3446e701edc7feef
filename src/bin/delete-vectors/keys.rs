//! The keys: JSON on the command line, or in a file.

use std::fs::File;
use std::io::{self, Read};
use std::{error, fmt};

use oss_delete_vectors::{Invalid, KeyBatch};

/// The most that is read of a file. 500 keys of 1024 characters, all of them `\uXXXX\uXXXX`, come to 6 MiB.
const MAX_FILE: u64 = 8 * 1024 * 1024;

/// Reads what `--keys` says: a JSON array of strings, or `file://PATH` of a file that holds one.
pub(crate) fn read(argument: &str) -> Result<KeyBatch, KeysError> {
    let json = match argument.strip_prefix("file://") {
        None => argument.as_bytes().to_vec(),
        Some(path) => read_file(path).map_err(|error| KeysError::Unreadable { path: path.to_owned(), error })?,
    };
    let keys: Vec<String> = serde_json::from_slice(&json).map_err(KeysError::NotJson)?;
    KeyBatch::new(keys).map_err(KeysError::Refused)
}

fn read_file(path: &str) -> io::Result<Vec<u8>> {
    let mut json = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut json)?;
    if json.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 8 MiB, which 500 keys never need"));
    }
    Ok(json)
}

/// Why `--keys` gives no keys.
#[derive(Debug)]
pub(crate) enum KeysError {
    Unreadable { path: String, error: io::Error },
    NotJson(serde_json::Error),
    Refused(Invalid),
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("--keys: ")?;
        match self {
            Self::Unreadable { path, error } => write!(f, "cannot read {path:?}: {error}"),
            Self::NotJson(error) => write!(f, r#"not a JSON array of strings like '["doc-001","doc-002"]': {error}"#),
            Self::Refused(invalid) => invalid.fmt(f),
        }
    }
}

impl error::Error for KeysError {}
