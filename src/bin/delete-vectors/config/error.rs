//! Errors in the configuration.

use std::path::PathBuf;
use std::{error, fmt, io};

use oss_delete_vectors::InvalidValue;
use oss_delete_vectors::transports::InvalidRoots;

use super::ossutilconfig::SyntaxError;

/// Names the place, and for a file the line. Shows no secret.
#[derive(Debug)]
pub(crate) enum ConfigError {
    Missing(Vec<Missing>),
    /// A variable or a file. Its value is not shown: it may be a secret.
    NotUtf8(String),
    Refused {
        origin: Option<String>,
        invalid: InvalidValue,
    },
    /// As `Refused`, of what the library does not know.
    Rule {
        origin: String,
        rule: String,
    },
    /// No option or variable named the file where it is the one in the home directory.
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

/// A setting that was not found in any place.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(super) name: &'static str,
    /// In the order in which they were looked at.
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
            Self::Refused { origin: Some(origin), invalid } => {
                write!(f, "{origin}: {}", invalid.rule())?;
                invalid.value().map_or(Ok(()), |value| write!(f, ", not {value:?}"))
            }
            Self::Refused { origin: None, invalid } => invalid.fmt(f),
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
