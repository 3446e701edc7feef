//! The kind of credentials in a profile.

use super::error::ConfigError;
use super::setting::{Lookup, Setting};

const MODE: Setting = Setting::new("mode").key("mode");

/// The mode that a profile or a credential process declares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// No mode: an AccessKey pair, and a token if there is one.
    Unsaid,
    AccessKey,
    Sts,
    External,
}

impl Mode {
    /// Returns `None` for a mode that is not supported.
    pub(super) fn parse(text: &str) -> Option<Self> {
        [("AK", Self::AccessKey), ("StsToken", Self::Sts), ("External", Self::External)]
            .into_iter()
            .find_map(|(name, mode)| name.eq_ignore_ascii_case(text).then_some(mode))
    }

    pub(super) fn of_profile(lookup: &mut Lookup<'_>) -> Result<Self, ConfigError> {
        let Some(text) = lookup.in_profile(&MODE) else { return Ok(Self::Unsaid) };
        Self::parse(&text).ok_or_else(|| ConfigError::Rule {
            origin: lookup.origin(MODE.name).unwrap_or_default().to_owned(),
            rule: "mode must be AK, StsToken or External; for others, --credential-process can run a program that gets credentials",
        })
    }
}
