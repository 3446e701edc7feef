//! The settings: from the command line, then the environment, then the configuration file.

mod credentials;
mod error;
mod file;
mod mode;
mod ossutilconfig;
mod process;
mod setting;
mod wiped;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use oss_delete_vectors::transports::TransportOptions;
use oss_delete_vectors::{Endpoint, Target};

pub(crate) use self::credentials::CredentialSource;
pub(crate) use self::error::ConfigError;
pub(crate) use self::process::CredentialProcess;

use self::file::{ConfigFile, HOME, Named};
use self::setting::{Lookup, Setting};
use crate::args::{Args, Who};

const INDEX_NAME: Setting = Setting::new("index name").option("--index-name");
const KEYS: Setting = Setting::new("keys").option("--keys, --keys-from");
const REGION: Setting = Setting::new("region")
    .option("--region")
    .variable("OSS_REGION")
    .key("region")
    .example("cn-hangzhou");
const ACCOUNT_ID: Setting =
    Setting::new("account id").option("--account-id").key("account-id").example("1234567890123456");
const BUCKET: Setting = Setting::new("bucket").option("--bucket").example("examplebucket");
const ENDPOINT: Setting =
    Setting::new("endpoint").option("--endpoint").variable("OSS_ENDPOINT").key("endpoint");

pub(crate) struct Config {
    pub(crate) target: Target,
    pub(crate) credentials: CredentialSource,
    /// The options of the transport: only the trusted roots differ from the defaults.
    pub(crate) transport: TransportOptions,
}

impl Config {
    /// Finds and checks all settings. `environment` returns the value of a variable. Does not start
    /// the credential process.
    pub(crate) fn read(
        args: &Args,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let Args { what, place, who, .. } = args;
        let file = if place.emulator { None } else { Some(config_file(who, &environment)?) };
        let profiles = file.as_ref().map(ConfigFile::profiles).transpose()?;
        let profile = match (&file, &profiles) {
            (Some(file), Some(profiles)) => {
                Some(file.profile(profiles, profile_name(who, &environment)?)?)
            }
            _ => None,
        };
        let mut lookup = Lookup::new(&environment, profile);
        let index_name = lookup.find(&INDEX_NAME, what.index_name.as_deref())?;
        let has_keys = !what.keys.is_empty() || !what.keys_from.is_empty();
        let given = (has_keys || args.selected.is_given()).then_some("");
        let keys = lookup.find(&KEYS, given)?;
        let region = lookup.find(&REGION, place.region.as_deref())?;
        let account_id = lookup.find(&ACCOUNT_ID, place.account_id.as_deref())?;
        let bucket = lookup.find(&BUCKET, place.bucket.as_deref())?;
        let endpoint = lookup.find_optional(&ENDPOINT, place.endpoint.as_deref())?;
        let credentials = credentials::find(&mut lookup, who.credential_process.as_deref())?;
        let (
            Some(index_name),
            Some(_),
            Some(region),
            Some(account_id),
            Some(bucket),
            Some(credentials),
        ) = (index_name, keys, region, account_id, bucket, credentials)
        else {
            return Err(lookup.into_missing());
        };

        let endpoint = match endpoint.as_deref() {
            None => Ok(Endpoint::public()),
            Some("internal") => Ok(Endpoint::internal()),
            Some(url) => url.parse(),
        };
        let target = endpoint.and_then(|endpoint| {
            Target::builder()
                .region(region)
                .account_id(account_id)
                .bucket(bucket)
                .index_name(index_name)
                .endpoint(endpoint)
                .build()
        });
        Ok(Self {
            target: target.map_err(|invalid| lookup.refused(invalid))?,
            credentials,
            transport: transport_options(place.ca_file.as_deref())?,
        })
    }
}

fn config_file(
    who: &Who,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<ConfigFile, ConfigError> {
    const VARIABLE: &str = "OSSUTIL_CONFIG_FILE";
    let option =
        who.config_file.as_ref().map(|path| Named { value: path.clone(), origin: "--config-file" });
    let variable = |name| environment(name).filter(|value| !value.is_empty());
    let named = option.or_else(|| {
        variable(VARIABLE).map(|path| Named { value: PathBuf::from(path), origin: VARIABLE })
    });
    ConfigFile::read(named, variable(HOME))
}

fn profile_name(
    who: &Who,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<Named<String>>, ConfigError> {
    const VARIABLE: &str = "OSSUTIL_PROFILE";
    if let Some(name) = &who.profile {
        return Ok(Some(Named { value: name.clone(), origin: "--profile" }));
    }
    Ok(setting::variable(environment, VARIABLE)?.map(|value| Named { value, origin: VARIABLE }))
}

fn transport_options(ca_file: Option<&Path>) -> Result<TransportOptions, ConfigError> {
    const OPTION: &str = "--ca-file";
    let Some(path) = ca_file else { return Ok(TransportOptions::new()) };
    let pem = file::read(path).map_err(|error| ConfigError::Unreadable {
        origin: Some(OPTION),
        path: path.to_owned(),
        error,
    })?;
    TransportOptions::new().extra_roots(&pem).map_err(|error| ConfigError::Roots {
        origin: OPTION,
        path: path.to_owned(),
        error,
    })
}
