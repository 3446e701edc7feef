//! An output file that only this process may write to. Before each write its length, and what its
//! name refers to, are compared with what was written.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::key_lines::check_written;

pub(super) struct Guarded {
    option: &'static str,
    path: PathBuf,
    file: File,
    /// The bytes in the file. `None` for a device or a pipe, which others may write to.
    size: Option<u64>,
}

impl Guarded {
    pub(super) fn new(option: &'static str, path: &Path, file: File, size: Option<u64>) -> Self {
        Self { option, path: path.to_owned(), file, size }
    }

    /// The bytes in the file. `None` for a device or a pipe.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Checks that the file has exactly the bytes that were written, and still has its name.
    ///
    /// # Errors
    ///
    /// How it changed, with the advice.
    pub(super) fn check(&self) -> io::Result<()> {
        let Some(size) = self.size else { return Ok(()) };
        check_written(&self.file, &self.path, size).map_err(|error| {
            let option = self.option;
            io::Error::other(format!(
                "the file changed while the run wrote to it: {error}\n\
                 help: to list all keys again, run the same command with another {option}, and \
                 with another --checkpoint if it has one"
            ))
        })
    }

    /// Keeps the first `size` bytes.
    pub(super) fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.file.set_len(size)?;
        self.file.seek(SeekFrom::Start(size))?;
        self.size = Some(size);
        Ok(())
    }

    /// Returns when everything that was written is on disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.size.is_some() { self.file.sync_data() } else { Ok(()) }
    }
}

impl Write for Guarded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        let count = self.file.write(bytes)?;
        self.size = self.size.map(|size| size + count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
