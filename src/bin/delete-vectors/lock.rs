//! A lock on each output file during the whole run: no two runs write to the same file.
//!
//! The lock is on a separate file next to it, because a checkpoint is replaced at each save. The
//! system releases the lock when the process ends in any way, so the file of a killed run does not
//! block the next one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{error, fmt, process};

use fs4::{FileExt, TryLockError};

use crate::console::complain;
use crate::paths;

/// The beginning of the text in the lock file, which identifies its holder.
const PREFIX: &str = "pid ";

pub(crate) struct Lock {
    place: PathBuf,
    /// Locked until it is closed.
    _file: File,
}

impl Lock {
    /// Locks `path`. `None` if it cannot be locked: a device or a pipe, which several runs may
    /// write to, or a file on a file system without locks, which is reported.
    ///
    /// # Errors
    ///
    /// If another run holds the lock.
    /// If another run holds the lock.
    pub(crate) fn take(option: &'static str, path: &Path) -> Result<Option<Self>, Held> {
        let Some(place) = paths::resolved(path).map(|path| place(&path)) else { return Ok(None) };
        let taken = loop {
            match Self::try_take(&place) {
                Ok(None) => {}
                Ok(Some(lock)) => break Ok(lock),
                Err(error) => break Err(error),
            }
        };
        match taken {
            Ok(lock) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => {
                Err(Held { option, path: path.to_owned(), holder: holder(&place) })
            }
            // The folder is missing, so that the file itself cannot be opened either.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(TryLockError::Error(error)) => {
                let path = path.display();
                complain(format_args!(
                    "warning: {option} {path}: cannot be locked: {error}; let no other run use this file"
                ));
                Ok(None)
            }
        }
    }

    /// `None` if the locked file has lost its name, because the run that held it has just ended.
    fn try_take(place: &Path) -> Result<Option<Self>, TryLockError> {
        if fs::symlink_metadata(place).is_ok_and(|metadata| metadata.is_symlink()) {
            fs::remove_file(place)?;
        }
        let mut options = OpenOptions::new();
        let mut file = match options.read(true).write(true).create(true).truncate(false).open(place)
        {
            // It belongs to another user, but can be locked.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                File::open(place).map_err(|_| error)?
            }
            file => file?,
        };
        match FileExt::try_lock(&file) {
            Err(TryLockError::Error(error)) => {
                let _ = fs::remove_file(place);
                return Err(TryLockError::Error(error));
            }
            locked => locked?,
        }
        if !has_name(&file, place)? {
            return Ok(None);
        }
        // The content of another program is not overwritten. The lock works without the text.
        let text = text(&mut file);
        if text.is_empty() || text.starts_with(PREFIX) {
            let since = httpdate::fmt_http_date(SystemTime::now());
            let _ = file.set_len(0).and_then(|()| io::Seek::rewind(&mut file));
            let _ = write!(file, "{PREFIX}{}, since {since}", process::id());
        }
        Ok(Some(Self { place: place.to_owned(), _file: file }))
    }
}

impl Drop for Lock {
    /// Removes the name while the lock is held. A process that has already opened the file sees
    /// that it has no name, and tries again.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.place);
    }
}

/// Locks an open file itself until it is closed. Needed for a hard link, or a link to a file that
/// did not exist yet: then one file has two names, each with a separate lock file. Returns `false`
/// if another run holds it.
pub(crate) fn take_itself(file: &File) -> bool {
    // On other systems a lock would prevent reading the file.
    !cfg!(unix) || !matches!(FileExt::try_lock(file), Err(TryLockError::WouldBlock))
}

/// The lock file of `path`.
pub(crate) fn place(path: &Path) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(".delete-vectors-lock");
    name.into()
}

#[cfg(unix)]
fn has_name(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match fs::symlink_metadata(path) {
        Ok(named) => Ok(id(named) == id(file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// On other systems an open file cannot lose its name.
#[cfg(not(unix))]
fn has_name(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

/// The text of the file, as far as it can be read.
fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let _ = file.take(200).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn holder(place: &Path) -> Option<String> {
    let text = text(&mut File::open(place).ok()?);
    text.starts_with(PREFIX).then_some(text)
}

/// Another run uses the file.
#[derive(Debug)]
pub(crate) struct Held {
    option: &'static str,
    path: PathBuf,
    /// `pid 123, since ..`, if it is known.
    holder: Option<String>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: another run is using this file", self.option, self.path.display())?;
        if let Some(holder) = &self.holder {
            write!(f, " ({})", holder.escape_debug())?;
        }
        f.write_str("\nhelp: wait until it has ended, or name another file")
    }
}

impl error::Error for Held {}
