//! What to delete, where and as whom: from the command line, else from the environment.

use std::ffi::OsString;
use std::{error, fmt};

use oss_delete_vectors::{Credentials, Endpoint, Invalid, Target};

use crate::args::Args;

pub(crate) struct Config {
    pub(crate) target: Target,
    pub(crate) credentials: Credentials,
}

impl Config {
    /// Finds and checks all settings; `environment` gives the value of a variable.
    pub(crate) fn read(args: &Args, environment: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let emulator = args.place.emulator;
        let mut lookup = Lookup { environment, emulator, origins: Vec::new(), missing: Vec::new() };
        let index_name = lookup.find(&INDEX_NAME, args.what.index_name.as_deref())?;
        if args.what.keys.is_empty() && args.what.keys_from.is_empty() {
            lookup.missing.push(&KEYS);
        }
        let region = lookup.find(&REGION, args.place.region.as_deref())?;
        let account_id = lookup.find(&ACCOUNT_ID, args.place.account_id.as_deref())?;
        let bucket = lookup.find(&BUCKET, args.place.bucket.as_deref())?;
        let endpoint = lookup.find_optional(&ENDPOINT, args.place.endpoint.as_deref())?;
        let access_key_id = lookup.find(&ACCESS_KEY_ID, None)?;
        let access_key_secret = lookup.find(&ACCESS_KEY_SECRET, None)?;
        let security_token = lookup.find_optional(&SECURITY_TOKEN, None)?;
        let (Some(index_name), Some(region), Some(account_id), Some(bucket), Some(access_key_id), Some(access_key_secret)) =
            (index_name, region, account_id, bucket, access_key_id, access_key_secret)
        else {
            return Err(ConfigError::Missing(lookup.missing));
        };
        if !lookup.missing.is_empty() {
            return Err(ConfigError::Missing(lookup.missing));
        }

        let endpoint = match endpoint.as_deref() {
            None => Ok(Endpoint::public()),
            Some("internal") => Ok(Endpoint::internal()),
            Some(url) => url.parse(),
        };
        let target = endpoint
            .and_then(|endpoint| Target::builder(region, account_id, bucket).index_name(index_name).endpoint(endpoint).build());
        let credentials = Credentials::new(access_key_id, access_key_secret)
            .and_then(|credentials| credentials.with_security_token(security_token.unwrap_or_default()));
        Ok(Self {
            target: target.map_err(|invalid| lookup.refused(invalid))?,
            credentials: credentials.map_err(|invalid| lookup.refused(invalid))?,
        })
    }
}

/// A setting, and where it is looked for. A secret has no option, for other users of the machine can see command lines.
#[derive(Debug)]
pub(crate) struct Setting {
    /// As the library's errors name the field.
    name: &'static str,
    option: Option<&'static str>,
    variable: Option<&'static str>,
    /// Stands in for it with `--emulator`.
    example: Option<&'static str>,
}

impl Setting {
    const fn new(name: &'static str) -> Self {
        Self { name, option: None, variable: None, example: None }
    }

    const fn option(self, option: &'static str) -> Self {
        Self { option: Some(option), ..self }
    }

    const fn variable(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    const fn example(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }
}

const INDEX_NAME: Setting = Setting::new("index name").option("--index-name");
const KEYS: Setting = Setting::new("keys").option("--keys, --keys-from");
const REGION: Setting = Setting::new("region").option("--region").variable("OSS_REGION").example("cn-hangzhou");
const ACCOUNT_ID: Setting = Setting::new("account id").option("--account-id").example("1234567890123456");
const BUCKET: Setting = Setting::new("bucket").option("--bucket").example("examplebucket");
const ENDPOINT: Setting = Setting::new("endpoint").option("--endpoint").variable("OSS_ENDPOINT");
const ACCESS_KEY_ID: Setting = Setting::new("access key id").variable("OSS_ACCESS_KEY_ID").example("example-id");
const ACCESS_KEY_SECRET: Setting = Setting::new("access key secret").variable("OSS_ACCESS_KEY_SECRET").example("example-secret");
const SECURITY_TOKEN: Setting = Setting::new("security token").variable("OSS_SESSION_TOKEN");

struct Lookup<E> {
    environment: E,
    emulator: bool,
    /// The names of the settings found, and where each was.
    origins: Vec<(&'static str, &'static str)>,
    missing: Vec<&'static Setting>,
}

impl<E: Fn(&str) -> Option<OsString>> Lookup<E> {
    fn find(&mut self, setting: &'static Setting, given: Option<&str>) -> Result<Option<String>, ConfigError> {
        let found = self.find_optional(setting, given)?;
        if found.is_none() {
            self.missing.push(setting);
        }
        Ok(found)
    }

    /// The command line, then the environment, where an empty variable is as good as none.
    fn find_optional(&mut self, setting: &Setting, given: Option<&str>) -> Result<Option<String>, ConfigError> {
        if let (Some(option), Some(value)) = (setting.option, given) {
            self.origins.push((setting.name, option));
            return Ok(Some(value.to_owned()));
        }
        // A rehearsal depends on the command line alone.
        let variable = setting.variable.filter(|_| !self.emulator);
        if let Some(variable) = variable
            && let Some(value) = (self.environment)(variable).filter(|value| !value.is_empty())
        {
            self.origins.push((setting.name, variable));
            return value.into_string().map(Some).map_err(|_| ConfigError::NotUtf8(variable));
        }
        Ok(setting.example.filter(|_| self.emulator).map(str::to_owned))
    }

    fn refused(&self, invalid: Invalid) -> ConfigError {
        let origin = self.origins.iter().find(|(name, _)| *name == invalid.field()).map(|(_, origin)| *origin);
        ConfigError::Refused { invalid, origin }
    }
}

/// Why there is nothing to send.
#[derive(Debug)]
pub(crate) enum ConfigError {
    Missing(Vec<&'static Setting>),
    /// A variable; its value stays unsaid, for it may be a secret.
    NotUtf8(&'static str),
    Refused {
        invalid: Invalid,
        origin: Option<&'static str>,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(settings) => {
                f.write_str("settings are missing; each was looked for in this order:")?;
                for setting in settings {
                    let places: Vec<&str> = [setting.option, setting.variable].into_iter().flatten().collect();
                    write!(f, "\n  {:18} {}", setting.name, places.join(", "))?;
                }
                f.write_str("\n\nFor more information, try '--help'.")
            }
            Self::NotUtf8(variable) => write!(f, "{variable}: not UTF-8"),
            Self::Refused { invalid, origin: Some(origin) } => write!(f, "{origin}: {invalid}"),
            Self::Refused { invalid, origin: None } => invalid.fmt(f),
        }
    }
}

impl error::Error for ConfigError {}
