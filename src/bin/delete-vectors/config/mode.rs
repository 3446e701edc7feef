//! The kind of credentials in a profile.

use super::error::ConfigError;
use super::setting::{Lookup, Setting};
use crate::usage_error::quoted;

const MODE: Setting = Setting::new("mode").key("mode");

/// The mode that a profile declares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// No mode: an AccessKey pair with an optional token, or the source that other keys configure.
    Unsaid,
    AccessKey,
    Sts,
    EcsRole,
    Oidc,
    Process,
    RamRole,
    Uri,
    /// A mode of the Alibaba Cloud CLI.
    External,
}

/// The names that ossutil, its users and the Alibaba Cloud CLI use, in any case.
const NAMES: [(&str, Mode); 10] = [
    ("AK", Mode::AccessKey),
    ("StsToken", Mode::Sts),
    ("EcsRamRole", Mode::EcsRole),
    ("Ali-EcsRamRole", Mode::EcsRole),
    ("oidcRoleArn", Mode::Oidc),
    ("OIDC", Mode::Oidc),
    ("Process", Mode::Process),
    ("RamRoleArn", Mode::RamRole),
    ("CredentialsURI", Mode::Uri),
    ("External", Mode::External),
];

impl Mode {
    /// The name in ossutil.
    pub(super) fn name(self) -> &'static str {
        NAMES.into_iter().find(|(_, mode)| *mode == self).map_or("not set", |(name, _)| name)
    }

    pub(super) fn of_profile(lookup: &mut Lookup<'_>) -> Result<Self, ConfigError> {
        let Some(text) = lookup.in_profile(&MODE) else { return Ok(Self::Unsaid) };
        let found = NAMES.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(&text));
        let rule = if text.eq_ignore_ascii_case("Anonymous") {
            "mode must not be Anonymous: the service takes signed requests only".to_owned()
        } else {
            let rule = "mode must be AK, StsToken, EcsRamRole, oidcRoleArn, Process, RamRoleArn, CredentialsURI or External";
            format!("{rule}, not {}", quoted(&text))
        };
        found.map(|(_, mode)| mode).ok_or_else(|| ConfigError::Rule {
            origin: lookup.origin(MODE.name).unwrap_or_default().to_owned(),
            rule,
        })
    }
}
