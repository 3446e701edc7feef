//! Checks that no output file is also an input or another output.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use crate::args::Args;
use crate::{checkpoint, lock};

/// Checks that the files of the command line are different, with any spelling.
///
/// # Errors
///
/// If two options have the same file. The error names both.
pub(crate) fn check(args: &Args) -> Result<(), String> {
    let arrays = args
        .what
        .keys
        .iter()
        .filter_map(|keys| keys.strip_prefix("file://"))
        .map(|path| ("--keys", Path::new(path)));
    let lines = args.what.keys_from.iter().map(|path| ("--keys-from", path.as_path()));
    let failed_keys =
        args.output_files.failed_keys.iter().map(|path| ("--failed-keys", path.as_path()));
    let deleted_keys =
        args.output_files.deleted_keys.iter().map(|path| ("--deleted-keys", path.as_path()));
    let mut others: Vec<(&str, &Path)> = arrays.chain(lines).collect();
    for written in failed_keys.chain(deleted_keys) {
        differ(written, &others, written.1)?;
        differ(written, &others, &lock::place(written.1))?;
        others.push(written);
    }
    let checkpoint =
        args.output_files.checkpoint.iter().map(|path| ("--checkpoint", path.as_path()));
    others.iter().copied().chain(checkpoint).try_for_each(is_no_stream)?;
    if let Some(path) = &args.output_files.checkpoint {
        let written = ("--checkpoint", path.as_path());
        differ(written, &others, path)?;
        differ(written, &others, &checkpoint::temporary(path))?;
        differ(written, &others, &lock::place(path))?;
    }
    Ok(())
}

/// `place` is the path that `written` writes to, possibly only temporarily.
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

/// Checks that neither stdout nor stderr is redirected to the file. Each has its own position, so
/// one would overwrite the other.
fn is_no_stream((option, path): (&str, &Path)) -> Result<(), String> {
    if path.as_os_str() == "-" {
        // `-` means stdin for keys.
        let is_written = !option.starts_with("--keys");
        return if is_written {
            Err(format!("{option} -: is not a file; for stdout use /dev/stdout"))
        } else {
            Ok(())
        };
    }
    let Ok(file) = fs::metadata(path) else { return Ok(()) };
    match streams().into_iter().find(|(_, stream)| file.is_file() && is_same(&file, stream)) {
        None => Ok(()),
        Some((stream, _)) => {
            let path = path.display();
            Err(format!(
                "{option} {path}: {stream} is redirected to this file; name another file for one of them"
            ))
        }
    }
}

#[cfg(unix)]
fn streams() -> Vec<(&'static str, Metadata)> {
    use std::os::fd::{AsFd, BorrowedFd};
    let metadata =
        |stream: BorrowedFd<'_>| fs::File::from(stream.try_clone_to_owned().ok()?).metadata().ok();
    let (stdout, stderr) =
        (metadata(std::io::stdout().as_fd()), metadata(std::io::stderr().as_fd()));
    [("stdout", stdout), ("stderr", stderr)]
        .into_iter()
        .filter_map(|(name, file)| Some((name, file?)))
        .collect()
}

#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn streams() -> Vec<(&'static str, Metadata)> {
    Vec::new()
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    false
}

/// The resolved path of a file, which need not exist. `None` for devices and pipes, which can be
/// shared, and for invalid paths.
pub(crate) fn resolved(path: &Path) -> Option<PathBuf> {
    match fs::canonicalize(path) {
        Ok(path) => fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()).then_some(path),
        Err(_) => {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty())
                .unwrap_or(Path::new("."));
            Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
        }
    }
}
