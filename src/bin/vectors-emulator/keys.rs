//! The keys of the vectors, read one by one.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::key_lines::{Format, KeyLines};

/// The keys of a file, or of stdin for `-`. An error says what is wrong, and where.
pub(crate) fn read(path: &str) -> Result<impl Iterator<Item = Result<String, String>>, String> {
    let refused = |reason: &str| format!("--keys-from {path}: {reason}");
    let format = Format::of_path(Path::new(path)).map_err(refused)?;
    let unreadable = |error: io::Error| refused(&format!("cannot be read: {error}"));
    let (name, reader): (_, Box<dyn Read>) = match path {
        "-" => ("stdin".to_owned(), Box::new(io::stdin())),
        path => (path.to_owned(), Box::new(File::open(path).map_err(unreadable)?)),
    };
    Ok(KeyLines::new(BufReader::new(reader), format).map(move |key| key.map_err(|bad| bad.in_input(&name))))
}
