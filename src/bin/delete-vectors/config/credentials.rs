//! Credentials: id, secret and token always come from the same source.

use std::time::Duration;

use oss_delete_vectors::credentials::{
    AssumeRole, CredentialsUri, EcsRole, Oidc, Source as Fetched, SourceError, sts_address,
};
use oss_delete_vectors::transports::{TransportOptions, UreqTransport};
use oss_delete_vectors::{Credentials, InvalidValue};

use super::error::ConfigError;
use super::group::{ALIBABA_CLOUD, Group, Names, OSS, Origin};
use super::mode::Mode;
use super::process::CredentialProcess;
use super::setting::{Lookup, Setting};
use crate::output_files::BoxError;
use crate::usage_error::quoted;

const PROCESS_COMMAND: Setting = Setting::new("process command").key("process-command");
const CREDENTIAL_PROCESS: Setting = Setting::new("credential process").key("credential-process");
const PROCESS_TIMEOUT: Setting = Setting::new("process timeout").key("credential-process-timeout");
// These names equal the field names in the library's errors.
const CREDENTIAL_URI: Setting = Setting::new("credentials URI").key("credential-uri");
const ECS_ROLE: Setting = Setting::new("role name").key("ecs-role-name");
const OIDC_PROVIDER: Setting = Setting::new("OIDC provider ARN").key("oidc-provider-arn");
const OIDC_TOKEN: Setting = Setting::new("OIDC token file").key("oidc-token-file-path");
const ROLE_ARN: Setting = Setting::new("role ARN").key("role-arn");
const SESSION_NAME: Setting = Setting::new("role session name").key("role-session-name");
const EXTERNAL_ID: Setting = Setting::new("external id").key("external-id");
const SOURCE_PROFILE: Setting = Setting::new("source profile").key("source-profile");

/// Gives a program that prints all three.
pub(super) const OPTION: &str = "--credential-process";

/// The timeout of a credential process of ossutil if its profile does not set one.
const PROCESS_LIMIT: Duration = Duration::from_secs(15);

/// The source of the credentials, used while the program runs.
#[derive(Clone)]
pub(crate) struct CredentialSource {
    base: Base,
    /// Roles to assume in order, each with the credentials of the previous one.
    roles: Vec<Role>,
    /// The places that were searched, if nothing is configured and only the metadata service is
    /// left.
    guess: Option<String>,
    /// How the requests of the library's sources are sent.
    options: TransportOptions,
}

#[derive(Clone)]
enum Base {
    Fixed(Credentials),
    Process(CredentialProcess),
    Fetched(Fetched),
}

impl From<Base> for CredentialSource {
    fn from(base: Base) -> Self {
        Self { base, roles: Vec::new(), guess: None, options: TransportOptions::new() }
    }
}

impl CredentialSource {
    /// Returns credentials that are valid now as far as this host knows. May take a while.
    pub(crate) fn credentials(&self) -> Result<Credentials, BoxError> {
        let given = match &self.base {
            Base::Fixed(credentials) => Ok(credentials.clone()),
            Base::Process(process) => Ok(process.run()?),
            Base::Fetched(source) => Err(source.clone()),
        };
        let source = match given {
            // Without a transport, which is slow to build.
            Ok(credentials) if self.roles.is_empty() => return Ok(credentials),
            Ok(credentials) => credentials.into(),
            Err(source) => source,
        };
        let source = self.roles.iter().try_fold(source, |source, role| role.over(source))?;
        let fetched = UreqTransport::new(&self.options).provider(source).credentials();
        fetched.map_err(|error| match &self.guess {
            Some(places) => NoCredentials { places: places.clone(), error }.into(),
            None => error.into(),
        })
    }

    /// Whether another fetch can return different credentials.
    pub(crate) fn is_renewable(&self) -> bool {
        !matches!(self.base, Base::Fixed(_)) || !self.roles.is_empty()
    }

    pub(super) fn with_options(self, options: TransportOptions) -> Self {
        Self { options, ..self }
    }
}

/// Nothing is configured, and the metadata service returned nothing.
#[derive(Debug)]
struct NoCredentials {
    places: String,
    error: SourceError,
}

impl std::fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no credentials are configured; looked for in this order:\n  {}\n", self.places)?;
        write!(f, "and finally {}", self.error)
    }
}

impl std::error::Error for NoCredentials {}

/// A role to assume.
#[derive(Clone)]
struct Role {
    arn: String,
    session_name: Option<String>,
    external_id: Option<String>,
    sts_address: String,
}

impl Role {
    fn over(&self, base: Fetched) -> Result<Fetched, InvalidValue> {
        let mut role = AssumeRole::new(base, &self.arn)?.sts_address(&self.sts_address)?;
        if let Some(name) = &self.session_name {
            role = role.session_name(name)?;
        }
        if let Some(id) = &self.external_id {
            role = role.external_id(id);
        }
        Ok(role.into())
    }
}

/// Searches the command line, the environment, the profile, and the platform. `None` if a part is
/// missing.
pub(super) fn find(
    lookup: &mut Lookup<'_>,
    command: Option<&str>,
) -> Result<Option<CredentialSource>, ConfigError> {
    if let Some(command) = command.filter(|_| !lookup.is_rehearsal()) {
        let process = CredentialProcess::new(command, OPTION)?;
        return Ok(Some(Base::Process(process).into()));
    }
    for names in [&OSS, &ALIBABA_CLOUD] {
        if let Some(group) = Group::in_environment(lookup, names)? {
            return fixed(group, lookup);
        }
    }
    let invalid = |invalid| ConfigError::Invalid { origin: None, invalid };
    if !lookup.is_rehearsal() {
        let oidc = Fetched::oidc_from_environment(&|name| lookup.environment_text(name));
        if let Some(source) = oidc.map_err(invalid)? {
            return Ok(Some(Base::Fetched(source).into()));
        }
    }
    if let Some(source) = of_profile(lookup, &mut Vec::new())? {
        return Ok(source);
    }
    let keys = Origin::Profile(Mode::Unsaid);
    let places = pair_places(lookup, keys);
    let platform = Fetched::platform_from_environment(&|name| lookup.environment_text(name));
    let is_named = ["ALIBABA_CLOUD_ECS_METADATA", "ALIBABA_CLOUD_CREDENTIALS_URI"]
        .into_iter()
        .any(|name| lookup.environment_text(name).is_some_and(|value| !value.is_empty()));
    match platform.map_err(invalid)? {
        // The list of missing settings is the better error.
        Some(source) if is_named || !lookup.has_missing() => {
            let guess = (!is_named).then_some(places);
            Ok(Some(CredentialSource { guess, ..Base::Fetched(source).into() }))
        }
        _ => {
            lookup.missing("credentials", places);
            Ok(None)
        }
    }
}

/// The places where a pair is expected, the last one in the profile.
pub(super) fn pair_places(lookup: &Lookup<'_>, profile: Origin) -> String {
    let variables = |names: &Names| Origin::Environment.place(lookup, &[&names.id, &names.secret]);
    let [oss, all] = [&OSS, &ALIBABA_CLOUD].map(variables);
    let keys = profile.place(lookup, &[&OSS.id, &OSS.secret]);
    format!("{OPTION}, {oss}, {all}, {keys}")
}

/// `None` if the profile has no credentials; `Some(None)` if a part is missing. `seen` are the
/// profiles that referred to this one.
fn of_profile(
    lookup: &mut Lookup<'_>,
    seen: &mut Vec<String>,
) -> Result<Option<Option<CredentialSource>>, ConfigError> {
    let mode = Mode::of_profile(lookup)?;
    let has = |lookup: &mut Lookup<'_>, setting| lookup.in_profile(setting).is_some();
    let mode = match mode {
        Mode::Unsaid if has(lookup, &OSS.id) || has(lookup, &OSS.secret) => Mode::Unsaid,
        Mode::Unsaid if has(lookup, &OIDC_TOKEN) => Mode::Oidc,
        Mode::Unsaid if has(lookup, &ROLE_ARN) => Mode::RamRole,
        Mode::Unsaid if has(lookup, &SOURCE_PROFILE) => return of_source(lookup, seen),
        Mode::Unsaid if has(lookup, &CREDENTIAL_PROCESS) => Mode::Process,
        Mode::Unsaid if has(lookup, &CREDENTIAL_URI) => Mode::Uri,
        Mode::Unsaid if has(lookup, &ECS_ROLE) => Mode::EcsRole,
        Mode::Unsaid if !lookup.is_rehearsal() => return Ok(None),
        mode => mode,
    };
    Ok(Some(match mode {
        Mode::Unsaid | Mode::AccessKey | Mode::Sts => {
            fixed(Group::in_profile(lookup, mode), lookup)?
        }
        Mode::External => process(lookup, &PROCESS_COMMAND, mode)?,
        Mode::Process => {
            let source = process(lookup, &CREDENTIAL_PROCESS, mode)?;
            let limit = match lookup.in_profile(&PROCESS_TIMEOUT) {
                Some(text) => process_limit(lookup, &text)?,
                None => PROCESS_LIMIT,
            };
            source.map(|source| match source.base {
                Base::Process(process) => Base::Process(process.with_limit(limit)).into(),
                base => base.into(),
            })
        }
        Mode::EcsRole => {
            let name = lookup.in_profile(&ECS_ROLE);
            let role = name.map_or(Ok(EcsRole::new()), |name| EcsRole::new().role_name(&name));
            Some(fetched(lookup, role)?)
        }
        Mode::Uri => match required(lookup, &CREDENTIAL_URI, mode) {
            Some(uri) => Some(fetched(lookup, CredentialsUri::new(&uri))?),
            None => None,
        },
        Mode::Oidc => {
            let parts = [&ROLE_ARN, &OIDC_PROVIDER, &OIDC_TOKEN]
                .map(|setting| required(lookup, setting, mode));
            let [Some(role), Some(provider), Some(token)] = parts else { return Ok(Some(None)) };
            let address = sts_address(&|name| lookup.environment_text(name));
            let name = lookup.in_profile(&SESSION_NAME);
            let source = Oidc::new(&role, &provider, token)
                .and_then(|source| source.sts_address(&address))
                .and_then(|source| match name {
                    Some(name) => source.session_name(&name),
                    None => Ok(source),
                });
            Some(fetched(lookup, source)?)
        }
        Mode::RamRole => ram_role(lookup, seen)?,
    }))
}

fn fixed(group: Group, lookup: &mut Lookup<'_>) -> Result<Option<CredentialSource>, ConfigError> {
    Ok(group.into_credentials(lookup)?.map(|credentials| Base::Fixed(credentials).into()))
}

fn fetched<S: Into<Fetched>>(
    lookup: &Lookup<'_>,
    source: Result<S, InvalidValue>,
) -> Result<CredentialSource, ConfigError> {
    let source = source.map_err(|invalid| lookup.invalid(invalid))?;
    Ok(Base::Fetched(source.into()).into())
}

/// A role that is assumed with the pair of the profile or with the credentials of another profile.
fn ram_role(
    lookup: &mut Lookup<'_>,
    seen: &mut Vec<String>,
) -> Result<Option<CredentialSource>, ConfigError> {
    let Some(arn) = required(lookup, &ROLE_ARN, Mode::RamRole) else { return Ok(None) };
    let role = Role {
        arn,
        session_name: lookup.in_profile(&SESSION_NAME),
        external_id: lookup.in_profile(&EXTERNAL_ID),
        sts_address: sts_address(&|name| lookup.environment_text(name)),
    };
    let example = Credentials::new("id", "secret").map(Fetched::from);
    example.and_then(|base| role.over(base)).map_err(|invalid| lookup.invalid(invalid))?;
    let base = if lookup.in_profile(&SOURCE_PROFILE).is_some() {
        of_source(lookup, seen)?.flatten()
    } else {
        fixed(Group::in_profile(lookup, Mode::Unsaid), lookup)?
    };
    Ok(base.map(|mut source| {
        source.roles.push(role);
        source
    }))
}

/// The credentials of the profile that this one refers to.
fn of_source(
    lookup: &mut Lookup<'_>,
    seen: &mut Vec<String>,
) -> Result<Option<Option<CredentialSource>>, ConfigError> {
    let Some(name) = lookup.in_profile(&SOURCE_PROFILE) else { return Ok(None) };
    let origin = lookup.origin(SOURCE_PROFILE.name).unwrap_or_default().to_owned();
    if seen.contains(&name.to_ascii_lowercase()) {
        let rule = "must not lead back to itself".to_owned();
        return Err(ConfigError::Rule { origin, rule });
    }
    seen.push(name.to_ascii_lowercase());
    let before = lookup.enter(&name, &origin)?;
    let mut found = of_profile(lookup, seen)?;
    if found.is_none() {
        let place = lookup.place_in_profile("credentials").unwrap_or_default();
        lookup.missing("credentials", place);
        found = Some(None);
    }
    lookup.restore(before);
    Ok(found)
}

/// A key that the mode requires. Reports it as missing if it is not set.
fn required(lookup: &mut Lookup<'_>, setting: &Setting, mode: Mode) -> Option<String> {
    let found = lookup.in_profile(setting);
    if found.is_none() {
        let place = Origin::Profile(mode).place(lookup, &[setting]);
        lookup.missing(setting.name, format!("{place}, whose mode is {}", mode.name()));
    }
    found
}

fn process(
    lookup: &mut Lookup<'_>,
    setting: &Setting,
    mode: Mode,
) -> Result<Option<CredentialSource>, ConfigError> {
    let Some(command) = required(lookup, setting, mode) else { return Ok(None) };
    let origin = lookup.origin(setting.name).unwrap_or_default();
    CredentialProcess::new(&command, origin).map(|process| Some(Base::Process(process).into()))
}

fn process_limit(lookup: &Lookup<'_>, text: &str) -> Result<Duration, ConfigError> {
    let seconds = text.parse().ok().filter(|seconds| (1..=600).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| ConfigError::Rule {
        origin: lookup.origin(PROCESS_TIMEOUT.name).unwrap_or_default().to_owned(),
        rule: format!("must be 1 to 600 seconds, not {}", quoted(text)),
    })
}
