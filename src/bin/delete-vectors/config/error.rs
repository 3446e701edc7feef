//! Errors in the configuration.

use std::path::PathBuf;
use std::{error, fmt, io};

use oss_delete_vectors::InvalidValue;
use oss_delete_vectors::transports::InvalidRoots;

use super::ossutilconfig::SyntaxError;

/// Contains the origin, and the line for a file. Shows no secret.
#[derive(Debug)]
pub(crate) enum ConfigError {
    Missing(Vec<Missing>),
    /// A variable or a file. Its value is not shown, because it may be a secret.
    NotUtf8(String),
    Invalid {
        origin: Option<String>,
        invalid: InvalidValue,
    },
    /// Like `Invalid`, for errors that are not from the library.
    Rule {
        origin: String,
        rule: String,
    },
    /// `None` if no option or variable gave the file, so that it is the one in the home directory.
    Unreadable {
        origin: Option<&'static str>,
        path: PathBuf,
        error: io::Error,
    },
    Syntax {
        path: PathBuf,
        error: SyntaxError,
    },
    NoProfile {
        origin: &'static str,
        heading: String,
        path: PathBuf,
        headings: Vec<String>,
    },
    Roots {
        origin: &'static str,
        path: PathBuf,
        error: InvalidRoots,
    },
}

/// A setting that was not found.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(super) name: &'static str,
    /// The places, in the order in which they were searched.
    pub(super) places: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(settings) => {
                f.write_str("settings are missing; each was looked for in this order:")?;
                for Missing { name, places } in settings {
                    write!(f, "\n  {name:18} {places}")?;
                }
                f.write_str("\n\nFor more information, try '--help'.")
            }
            Self::NotUtf8(place) => write!(f, "{place}: not UTF-8"),
            Self::Invalid { origin: Some(origin), invalid } => {
                write!(f, "{origin}: {}", invalid.rule())?;
                invalid.value().map_or(Ok(()), |value| write!(f, ", not {value:?}"))
            }
            Self::Invalid { origin: None, invalid } => invalid.fmt(f),
            Self::Rule { origin, rule } => write!(f, "{origin}: {rule}"),
            Self::Unreadable { origin, path, error } => {
                origin.map_or(Ok(()), |origin| write!(f, "{origin}: "))?;
                write!(f, "cannot read {path:?}: {error}")
            }
            Self::Syntax { path, error } => write!(f, "{}, {error}", path.display()),
            Self::NoProfile { origin, heading, path, headings } => {
                let headings =
                    if headings.is_empty() { "no profile" } else { &headings.join(", ") };
                write!(
                    f,
                    "{origin}: there is no {heading} in {}, which has {headings}",
                    path.display()
                )
            }
            Self::Roots { origin, path, error } => write!(f, "{origin}: {path:?}: {error}"),
        }
    }
}

impl error::Error for ConfigError {}
