//! The file system operations that a checkpoint needs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// The operations that replace a file.
pub(crate) trait Disk {
    type File: Write;

    /// Creates an empty file, and replaces an existing one.
    fn create(&mut self, path: &Path) -> io::Result<Self::File>;

    /// Returns when the written data is on the disk.
    fn sync(&mut self, file: &mut Self::File) -> io::Result<()>;

    /// Renames a file, and atomically replaces an existing one.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;

    /// Returns when the names in the folder of `path` are on the disk.
    fn sync_folder_of(&mut self, path: &Path) -> io::Result<()>;
}

/// The file system of the host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileSystem;

impl Disk for FileSystem {
    type File = File;

    fn create(&mut self, path: &Path) -> io::Result<File> {
        // An existing file may be a link to another user's file.
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => File::create_new(path),
        }
    }

    fn sync(&mut self, file: &mut File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder_of(&mut self, path: &Path) -> io::Result<()> {
        sync_folder_of(path)
    }
}

/// Returns when the names in the folder of `path` are on disk, as far as the file system supports
/// it.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    // On other systems a folder cannot be opened, and a rename is durable by itself.
    if !cfg!(unix) {
        return Ok(());
    }
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(folder) {
        Ok(folder) => folder.sync_all().or_else(unless_unsupported),
        // A folder may be writable but not readable.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// File systems that cannot sync a folder (SMB, FUSE, WSL) report different errors: `EINVAL`,
/// `ENOTSUP`, `ENOSYS`, `EBADF`.
fn unless_unsupported(error: io::Error) -> io::Result<()> {
    const EBADF: i32 = 9;
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => Ok(()),
        _ if error.raw_os_error() == Some(EBADF) => Ok(()),
        _ => Err(error),
    }
}

/// A disk that fails or crashes at a given operation, and then loses unsynced data.
#[cfg(test)]
pub(super) mod simulated {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::rc::Rc;

    use super::*;

    #[derive(Default)]
    pub(crate) struct SimulatedDisk {
        /// The current names, and the names on disk.
        names: BTreeMap<String, usize>,
        synced_names: BTreeMap<String, usize>,
        state: Rc<RefCell<State>>,
    }

    #[derive(Default)]
    struct State {
        files: Vec<Contents>,
        operations: usize,
        /// The operation that fails, and whether all later ones fail too.
        failure: Option<(usize, bool)>,
        /// The number of bytes that can still be written.
        room: Option<usize>,
    }

    #[derive(Default)]
    struct Contents {
        now: Vec<u8>,
        synced: Vec<u8>,
    }

    /// What a crash keeps of unsynced data.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Crash {
        /// The old or the new names.
        keeps_names: bool,
        /// The part of later writes that is kept, in quarters.
        keeps_quarters: usize,
    }

    impl Crash {
        pub(crate) fn all() -> impl Iterator<Item = Self> {
            [false, true].into_iter().flat_map(|keeps_names| {
                (0..=4).map(move |keeps_quarters| Self { keeps_names, keeps_quarters })
            })
        }
    }

    impl SimulatedDisk {
        pub(crate) fn fail_after(&mut self, operations: usize, is_fatal: bool) {
            let mut state = self.state.borrow_mut();
            state.operations = 0;
            state.failure = Some((operations, is_fatal));
        }

        pub(crate) fn set_room(&mut self, bytes: usize) {
            self.state.borrow_mut().room = Some(bytes);
        }

        pub(crate) fn operations(&self) -> usize {
            self.state.borrow().operations
        }

        pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
            self.names.get(path).map(|&file| self.state.borrow().files[file].now.clone())
        }

        /// The state after a crash.
        pub(crate) fn after(&self, crash: Crash, path: &str) -> Option<Vec<u8>> {
            let names = if crash.keeps_names { &self.names } else { &self.synced_names };
            let state = self.state.borrow();
            names.get(path).map(|&file| {
                let Contents { now, synced } = &state.files[file];
                let kept = synced.len()
                    + now.len().saturating_sub(synced.len()) * crash.keeps_quarters / 4;
                if crash.keeps_quarters == 0 {
                    synced.clone()
                } else {
                    now[..kept.min(now.len())].to_vec()
                }
            })
        }
    }

    impl State {
        fn operate(&mut self) -> io::Result<()> {
            let number = self.operations;
            self.operations += 1;
            match self.failure {
                Some((at, is_fatal)) if number == at || (is_fatal && number > at) => {
                    Err(io::Error::other("the disk fails"))
                }
                _ => Ok(()),
            }
        }
    }

    pub(crate) struct SimulatedFile {
        number: usize,
        state: Rc<RefCell<State>>,
    }

    impl Write for SimulatedFile {
        /// Accepts a few bytes at a time.
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut state = self.state.borrow_mut();
            let mut count = bytes.len().min(5);
            if let Some(room) = &mut state.room {
                count = count.min(*room);
                *room -= count;
            }
            let outcome =
                if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { state.operate() };
            // A failed write may have written some bytes.
            let written = if outcome.is_ok() { count } else { count / 2 };
            state.files[self.number].now.extend_from_slice(&bytes[..written]);
            outcome.map(|()| count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn text(path: &Path) -> String {
        path.to_str().unwrap().to_owned()
    }

    impl Disk for SimulatedDisk {
        type File = SimulatedFile;

        fn create(&mut self, path: &Path) -> io::Result<SimulatedFile> {
            let mut state = self.state.borrow_mut();
            state.operate()?;
            state.files.push(Contents::default());
            let number = state.files.len() - 1;
            self.names.insert(text(path), number);
            Ok(SimulatedFile { number, state: Rc::clone(&self.state) })
        }

        fn sync(&mut self, file: &mut SimulatedFile) -> io::Result<()> {
            let mut state = self.state.borrow_mut();
            state.operate()?;
            let contents = &mut state.files[file.number];
            contents.synced.clone_from(&contents.now);
            Ok(())
        }

        fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
            self.state.borrow_mut().operate()?;
            let number = self.names.remove(&text(from)).ok_or(io::ErrorKind::NotFound)?;
            self.names.insert(text(to), number);
            Ok(())
        }

        fn sync_folder_of(&mut self, _: &Path) -> io::Result<()> {
            self.state.borrow_mut().operate()?;
            self.synced_names.clone_from(&self.names);
            Ok(())
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_synced_is_not_an_error() {
        let einval = File::open("/proc").unwrap().sync_all().unwrap_err();
        assert_eq!(
            einval.kind(),
            io::ErrorKind::InvalidInput,
            "this system has another folder that cannot be synced"
        );
        sync_folder_of(Path::new("/proc/checkpoint")).unwrap();
        sync_folder_of(Path::new("checkpoint")).unwrap();
        // EBADF, EINVAL, ENOSYS, EOPNOTSUPP; EIO, ENOSPC, EROFS, EDQUOT.
        for (code, is_ignored) in [
            (9, true),
            (22, true),
            (38, true),
            (95, true),
            (5, false),
            (28, false),
            (30, false),
            (122, false),
        ] {
            assert_eq!(
                unless_unsupported(io::Error::from_raw_os_error(code)).is_ok(),
                is_ignored,
                "{code}"
            );
        }
        assert!(sync_folder_of(Path::new("/no/such/folder/checkpoint")).is_err());
    }
}
