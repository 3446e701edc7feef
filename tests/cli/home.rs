//! A home directory for one test, with its files.

use std::fs;
use std::path::{Path, PathBuf};

/// Removed on drop.
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn new(test: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{test}.{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A home directory with this `.ossutilconfig`.
    pub(crate) fn with_config(test: &str, content: impl AsRef<[u8]>) -> Self {
        let home = Self::new(test);
        home.write(".ossutilconfig", content);
        home
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// The path of a file in it, which need not exist.
    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().unwrap()
    }

    /// Writes a file, and returns its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.0.join(name), content).unwrap();
        self.file(name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        Path::new(&self.file(name)).exists()
    }

    /// The variable with the path of the directory.
    pub(crate) fn variable(&self) -> (&str, &str) {
        (if cfg!(windows) { "USERPROFILE" } else { "HOME" }, self.path())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
