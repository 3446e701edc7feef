//! Credentials: id, secret and token always come from the same source.

use std::mem::take;

use oss_delete_vectors::Credentials;
use zeroize::Zeroizing;

use super::error::ConfigError;
use super::mode::Mode;
use super::process::{CredentialProcess, ProcessError};
use super::setting::{Lookup, Setting};

const ACCESS_KEY_ID: Setting = Setting::new("access key id")
    .variable("OSS_ACCESS_KEY_ID")
    .key("access-key-id")
    .example("example-id");
const ACCESS_KEY_SECRET: Setting = Setting::new("access key secret")
    .variable("OSS_ACCESS_KEY_SECRET")
    .key("access-key-secret")
    .example("example-secret");
const SECURITY_TOKEN: Setting =
    Setting::new("security token").variable("OSS_SESSION_TOKEN").key("sts-token");
const PROCESS_COMMAND: Setting = Setting::new("process command").key("process-command");

/// Names a program that prints all three.
const OPTION: &str = "--credential-process";

/// Where credentials come from for as long as the program runs.
#[derive(Clone)]
pub(crate) enum CredentialSource {
    Fixed(Credentials),
    Process(CredentialProcess),
}

impl CredentialSource {
    /// Returns credentials that are valid now, as far as is known here.
    pub(crate) fn credentials(&self) -> Result<Credentials, ProcessError> {
        match self {
            Self::Fixed(credentials) => Ok(credentials.clone()),
            Self::Process(process) => process.run(),
        }
    }
}

/// Looks in the command line, the environment and the profile. `None` if a part is missing.
pub(super) fn find(
    lookup: &mut Lookup<'_>,
    command: Option<&str>,
) -> Result<Option<CredentialSource>, ConfigError> {
    if let Some(command) = command.filter(|_| !lookup.is_rehearsal()) {
        return CredentialProcess::new(command, OPTION)
            .map(|process| Some(CredentialSource::Process(process)));
    }
    let group = match Group::in_environment(lookup)? {
        Some(group) => group,
        None => match Mode::of_profile(lookup)? {
            Mode::External => return process_of_profile(lookup),
            mode => Group::in_profile(lookup, mode),
        },
    };
    group.into_credentials(lookup).map(|credentials| credentials.map(CredentialSource::Fixed))
}

fn process_of_profile(lookup: &mut Lookup<'_>) -> Result<Option<CredentialSource>, ConfigError> {
    let Some(command) = lookup.in_profile(&PROCESS_COMMAND) else {
        let place = Source::Profile(Mode::External).place(lookup, &[&PROCESS_COMMAND]);
        lookup.missing(PROCESS_COMMAND.name, format!("{place}, whose mode is External"));
        return Ok(None);
    };
    let origin = lookup.origin(PROCESS_COMMAND.name).unwrap_or_default();
    CredentialProcess::new(&command, origin).map(|process| Some(CredentialSource::Process(process)))
}

/// What one source has of the three.
struct Group {
    source: Source,
    id: Option<String>,
    secret: Option<Zeroizing<String>>,
    token: Option<Zeroizing<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Environment,
    Profile(Mode),
}

impl Source {
    /// Where these would stand.
    fn place(self, lookup: &Lookup<'_>, settings: &[&Setting]) -> String {
        let names = |name: fn(&Setting) -> Option<&'static str>| {
            settings.iter().filter_map(|setting| name(setting)).collect::<Vec<_>>().join(" and ")
        };
        match self {
            Self::Environment => names(|setting| setting.variable),
            Self::Profile(_) => {
                lookup.place_in_profile(names(|setting| setting.key)).unwrap_or_default()
            }
        }
    }
}

impl Group {
    /// Returns `None` if the environment has neither id nor secret; a token alone is ignored.
    fn in_environment(lookup: &mut Lookup<'_>) -> Result<Option<Self>, ConfigError> {
        let id = lookup.in_environment(&ACCESS_KEY_ID)?;
        let secret = lookup.in_environment(&ACCESS_KEY_SECRET)?.map(Zeroizing::new);
        if id.is_none() && secret.is_none() {
            return Ok(None);
        }
        let token = lookup.in_environment(&SECURITY_TOKEN)?.map(Zeroizing::new);
        Ok(Some(Self { source: Source::Environment, id, secret, token }))
    }

    fn in_profile(lookup: &mut Lookup<'_>, mode: Mode) -> Self {
        let [id, secret] = [&ACCESS_KEY_ID, &ACCESS_KEY_SECRET]
            .map(|setting| lookup.in_profile(setting).or_else(|| lookup.example(setting)));
        let token = if mode == Mode::AccessKey { None } else { lookup.in_profile(&SECURITY_TOKEN) };
        Self {
            source: Source::Profile(mode),
            id,
            secret: secret.map(Zeroizing::new),
            token: token.map(Zeroizing::new),
        }
    }

    fn into_credentials(self, lookup: &mut Lookup<'_>) -> Result<Option<Credentials>, ConfigError> {
        let needs_token = self.source == Source::Profile(Mode::Sts);
        match self {
            Self { id: Some(id), secret: Some(mut secret), token, .. }
                if token.is_some() || !needs_token =>
            {
                Credentials::new(id, take(&mut *secret))
                    .and_then(|credentials| {
                        credentials.with_security_token(take(&mut *token.unwrap_or_default()))
                    })
                    .map(Some)
                    .map_err(|invalid| lookup.refused(invalid))
            }
            Self { id: None, secret: None, .. } if !needs_token => {
                let pair = [&ACCESS_KEY_ID, &ACCESS_KEY_SECRET];
                let [variables, keys] =
                    [Source::Environment, self.source].map(|source| source.place(lookup, &pair));
                lookup.missing("credentials", format!("{OPTION}, {variables}, {keys}"));
                Ok(None)
            }
            Self { source, id, secret, token } => {
                let is_missing = [
                    (&ACCESS_KEY_ID, id.is_none()),
                    (&ACCESS_KEY_SECRET, secret.is_none()),
                    (&SECURITY_TOKEN, needs_token && token.is_none()),
                ];
                for (setting, _) in is_missing.into_iter().filter(|(_, is_missing)| *is_missing) {
                    let place = source.place(lookup, &[setting]);
                    lookup.missing(
                        setting.name,
                        format!("{place}, with the rest of the credentials"),
                    );
                }
                Ok(None)
            }
        }
    }
}
