//! One file is one thing: what is written takes the place of no input, and of nothing else that is
//! written.

use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Args;
use crate::{checkpoint, lock};

/// Checks that the files of the command line are different ones, however they are spelled.
///
/// # Errors
///
/// Naming two options that lead to one file.
pub(crate) fn check(args: &Args) -> Result<(), String> {
    let arrays = args.what.keys.iter().filter_map(|keys| keys.strip_prefix("file://")).map(|path| ("--keys", Path::new(path)));
    let lines = args.what.keys_from.iter().map(|path| ("--keys-from", path.as_path()));
    let failed_keys = args.books.failed_keys.iter().map(|path| ("--failed-keys", path.as_path()));
    let mut others: Vec<(&str, &Path)> = arrays.chain(lines).collect();
    for written in failed_keys {
        differ(written, &others, written.1)?;
        differ(written, &others, &lock::place(written.1))?;
        others.push(written);
    }
    if let Some(path) = &args.books.checkpoint {
        let written = ("--checkpoint", path.as_path());
        differ(written, &others, path)?;
        differ(written, &others, &checkpoint::temporary(path))?;
        differ(written, &others, &lock::place(path))?;
    }
    Ok(())
}

/// `place` is where `written` writes to, itself or for a while.
fn differ(written: (&str, &Path), others: &[(&str, &Path)], place: &Path) -> Result<(), String> {
    let Some(place) = resolved(place) else { return Ok(()) };
    match others.iter().find(|(_, other)| resolved(other).as_ref() == Some(&place)) {
        None => Ok(()),
        Some((option, other)) => Err(format!(
            "{} {}: would be written over {option} {}; name another file",
            written.0,
            written.1.display(),
            other.display(),
        )),
    }
}

/// The file that a path leads to, which need not be there; `None` for devices and pipes, which
/// several may write to, and for paths that lead nowhere.
pub(crate) fn resolved(path: &Path) -> Option<PathBuf> {
    match fs::canonicalize(path) {
        Ok(path) => fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()).then_some(path),
        Err(_) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
        }
    }
}
