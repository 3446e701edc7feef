//! Finds and reads the configuration file and its profile.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::ConfigError;
use super::ossutilconfig::{Profile, Profiles};
use super::wiped;
use crate::input_text;

/// The name in the home directory.
const DEFAULT_NAME: &str = ".ossutilconfig";

const DEFAULT_PROFILE: &str = "default";

/// The variable with the home directory.
pub(super) const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// The maximum size of a file, far above that of settings or certificates.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// A value, and the option or variable that gave it.
pub(super) struct Named<T> {
    pub(super) value: T,
    pub(super) origin: &'static str,
}

/// The content of a file. Empty if there is no file.
pub(super) struct ConfigFile {
    path: PathBuf,
    content: Zeroizing<Vec<u8>>,
}

impl ConfigFile {
    /// The given file, which must exist, or the optional one in the home directory.
    pub(super) fn read(
        named: Option<Named<PathBuf>>,
        home: Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let (path, origin) = match (named, home) {
            (Some(Named { value, origin }), _) => (value, Some(origin)),
            (None, Some(home)) => (Path::new(&home).join(DEFAULT_NAME), None),
            (None, None) => {
                return Ok(Self {
                    path: Path::new("~").join(DEFAULT_NAME),
                    content: Zeroizing::default(),
                });
            }
        };
        match read(&path) {
            Ok(content) => Ok(Self { path, content }),
            Err(error) if origin.is_none() && is_absent(&error) => {
                Ok(Self { path, content: Zeroizing::default() })
            }
            Err(error) => Err(ConfigError::Unreadable { origin, path, error }),
        }
    }

    pub(super) fn profiles(&self) -> Result<Profiles<'_>, ConfigError> {
        let text = str::from_utf8(&self.content)
            .map_err(|_| ConfigError::NotUtf8(self.path.display().to_string()))?;
        Profiles::parse(text)
            .map_err(|error| ConfigError::Syntax { path: self.path.clone(), error })
    }

    /// The given profile, which must exist, or the optional default profile.
    pub(super) fn profile<'a>(
        &'a self,
        profiles: &'a Profiles<'a>,
        named: Option<Named<String>>,
    ) -> Result<FileProfile<'a>, ConfigError> {
        let (name, origin) = named
            .map_or((DEFAULT_PROFILE.to_owned(), None), |Named { value, origin }| {
                (value, Some(origin))
            });
        let profile = profiles.get(&name);
        match (profile, origin) {
            (None, Some(origin)) => Err(ConfigError::NoProfile {
                origin,
                heading: heading(&name),
                path: self.path.clone(),
                headings: profiles.names().map(heading).collect(),
            }),
            _ => Ok(FileProfile {
                path: &self.path,
                heading: heading(&name),
                profile,
                bucket: None,
                profiles,
            }),
        }
    }
}

/// Reads a text file without its byte order mark. Rejects files over the maximum size.
pub(super) fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut content = wiped::read_to_end(File::open(path)?.take(MAX_FILE + 1))?;
    if content.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 4 MiB"));
    }
    let text = input_text::checked(&content)
        .map_err(|not_text| io::Error::new(io::ErrorKind::InvalidData, not_text))?;
    let mark = content.len() - text.len();
    // In place, because a copy would not be wiped.
    content.drain(..mark);
    Ok(content)
}

/// Whether there is no such file, also if the home directory is not a folder, such as `/dev/null`.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The heading as in the file.
fn heading(name: &str) -> String {
    if name.eq_ignore_ascii_case(DEFAULT_PROFILE) {
        format!("[{DEFAULT_PROFILE}]")
    } else {
        format!("[profile {}]", name.escape_debug())
    }
}

/// A profile, which may be empty or missing. Displayed as `[profile prod] of PATH`.
#[derive(Clone)]
pub(super) struct FileProfile<'a> {
    path: &'a Path,
    heading: String,
    profile: Option<&'a Profile<'a>>,
    /// The section of the bucket, which overrides the profile.
    bucket: Option<&'a Profile<'a>>,
    profiles: &'a Profiles<'a>,
}

impl<'a> FileProfile<'a> {
    /// The value of a key, and its place.
    pub(super) fn get(&self, key: &str) -> Option<(&'a str, String)> {
        if let Some(bucket) = self.bucket
            && let Some(value) = bucket.get(key)
        {
            let name = bucket.name.escape_debug();
            let place = format!("[buckets {name}] of {}", self.path.display());
            return Some((value.text, format!("{key} in {place}, line {}", value.line)));
        }
        let value = self.profile?.get(key)?;
        Some((value.text, format!("{key} in {self}, line {}", value.line)))
    }

    /// The same, but first in the section of the bucket.
    pub(super) fn with_bucket(self, name: Option<&str>) -> Self {
        let bucket = name.and_then(|name| self.profiles.bucket(name));
        Self { bucket, ..self }
    }

    /// Another profile of the file, which must exist.
    pub(super) fn other(&self, name: &str, origin: &str) -> Result<Self, ConfigError> {
        match self.profiles.get(name) {
            Some(profile) => Ok(Self {
                heading: heading(name),
                profile: Some(profile),
                bucket: None,
                ..self.clone()
            }),
            None => Err(ConfigError::Rule {
                origin: origin.to_owned(),
                rule: format!("there is no {}", heading(name)),
            }),
        }
    }

    /// A line for each section with ignored keys.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let sections = self.profile.into_iter().chain(self.bucket);
        sections.filter(|section| !section.unsupported().is_empty()).map(|section| {
            let keys =
                section.unsupported().iter().map(|(key, line)| format!("{key} (line {line})"));
            let keys = keys.collect::<Vec<_>>().join(", ");
            format!("{}: has no effect here: {keys}", self.path.display())
        })
    }
}

impl fmt::Display for FileProfile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.heading, self.path.display())
    }
}
