//! The settings: from the command line, then the environment, then the configuration file.

mod credentials;
mod error;
mod file;
mod group;
mod mode;
mod ossutilconfig;
mod process;
mod proxy;
mod setting;
mod wiped;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use oss_delete_vectors::transports::{Proxy, TransportOptions};
use oss_delete_vectors::{Endpoint, Target};

pub(crate) use self::credentials::CredentialSource;
pub(crate) use self::error::ConfigError;

use self::file::{ConfigFile, FileProfile, HOME, Named};
use self::setting::{Lookup, Setting};
use crate::args::{Args, How, Who, retries, seconds};
use crate::usage_error::quoted;

const INDEX_NAME: Setting = Setting::new("index name").option("--index-name");
const KEYS: Setting = Setting::new("keys").option("--keys, --keys-from, --prefix, --filter, --all");
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
const ADDRESSING_STYLE: Setting =
    Setting::new("addressing style").option("--addressing-style").key("addressing-style");
const CONNECT_TIMEOUT: Setting = Setting::new("connect timeout").key("connect-timeout");
const READ_TIMEOUT: Setting = Setting::new("read timeout").key("read-timeout");
const RETRY_TIMES: Setting = Setting::new("retry times").key("retry-times");

/// The address of the public STS endpoint.
const STS: &str = "https://sts.aliyuncs.com";

pub(crate) struct Config {
    pub(crate) target: Target,
    pub(crate) credentials: CredentialSource,
    pub(crate) transport: TransportOptions,
    pub(crate) proxy: Option<Proxy>,
    /// The timeout of each request.
    pub(crate) timeout: Duration,
    pub(crate) max_attempts: u32,
    pub(crate) warnings: Vec<String>,
}

impl Config {
    /// Finds and checks all settings. `environment` returns the value of a variable. Does not start
    /// the credential process.
    pub(crate) fn read(
        args: &Args,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let Args { what, place, who, how, .. } = args;
        let file = if place.emulator { None } else { Some(config_file(who, &environment)?) };
        let profiles = file.as_ref().map(ConfigFile::profiles).transpose()?;
        let profile = match (&file, &profiles) {
            (Some(file), Some(profiles)) => {
                Some(file.profile(profiles, profile_name(who, &environment)?)?)
            }
            _ => None,
        };
        let profile = profile.map(|profile| profile.with_bucket(place.bucket.as_deref()));
        let warnings = profile.iter().flat_map(FileProfile::warnings).collect();
        let mut lookup = Lookup::new(&environment, profile);
        let index_name = lookup.find(&INDEX_NAME, what.index_name.as_deref())?;
        let has_keys = !what.keys.is_empty() || !what.keys_from.is_empty();
        let given = (has_keys || args.selected.is_given()).then_some("");
        let keys = lookup.find(&KEYS, given)?;
        let region = lookup.find(&REGION, place.region.as_deref())?;
        let account_id = lookup.find(&ACCOUNT_ID, place.account_id.as_deref())?;
        let bucket = lookup.find(&BUCKET, place.bucket.as_deref())?;
        let endpoint = lookup.find_optional(&ENDPOINT, place.endpoint.as_deref())?;
        let style = lookup.find_optional(&ADDRESSING_STYLE, place.addressing_style.as_deref())?;
        let numbers = Numbers::find(&mut lookup, how)?;
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
        let endpoint = match style.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None => endpoint,
            Some("path") => endpoint.map(Endpoint::with_path_style),
            Some("virtual") => endpoint.map(Endpoint::with_virtual_hosted_style),
            Some(style) => {
                return Err(ConfigError::Rule {
                    origin: lookup.origin(ADDRESSING_STYLE.name).unwrap_or_default().to_owned(),
                    rule: format!("must be path or virtual, not {}", quoted(style)),
                });
            }
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
        let target = target.map_err(|invalid| lookup.invalid(invalid))?;
        let options = transport_options(place.ca_file.as_deref())?;
        let through = |uri: &Uri| {
            // The emulator runs in this process.
            if place.emulator {
                Ok(None)
            } else {
                proxy::find(place.proxy.as_deref(), &environment, uri)
            }
        };
        let with = |options: TransportOptions, proxy: &Option<Proxy>| match proxy {
            Some(proxy) => options.proxy(proxy.clone()),
            None => options,
        };
        let sts = with(options.clone().timeout(SOURCE_TIMEOUT), &through(&Uri::from_static(STS))?);
        let proxy = through(target.uri())?;
        let transport =
            with(options, &proxy).connect_timeout(numbers.connect_timeout).timeout(numbers.timeout);
        Ok(Self {
            target,
            credentials: credentials.with_options(sts),
            transport,
            proxy,
            timeout: numbers.timeout,
            max_attempts: numbers.max_attempts,
            warnings,
        })
    }
}

/// The timeout of a call of STS.
const SOURCE_TIMEOUT: Duration = Duration::from_secs(20);

/// Numeric settings from options and the profile.
struct Numbers {
    connect_timeout: Duration,
    timeout: Duration,
    max_attempts: u32,
}

impl Numbers {
    fn find(lookup: &mut Lookup<'_>, how: &How) -> Result<Self, ConfigError> {
        let connect_timeout = number(lookup, &CONNECT_TIMEOUT, seconds)?;
        let timeout = number(lookup, &READ_TIMEOUT, seconds)?;
        let retries = number(lookup, &RETRY_TIMES, retries)?;
        let attempts = how.retry_times.or(retries).map(|retries| retries + 1);
        Ok(Self {
            connect_timeout: how
                .connect_timeout
                .or(connect_timeout)
                .unwrap_or(Duration::from_secs(10)),
            timeout: how.timeout.or(timeout).unwrap_or(Duration::from_secs(60)),
            max_attempts: how.max_attempts.or(attempts).unwrap_or(10),
        })
    }
}

/// Parses a number of the profile, with the rule of the option.
fn number<T>(
    lookup: &mut Lookup<'_>,
    setting: &Setting,
    parse: fn(&str) -> Result<T, &'static str>,
) -> Result<Option<T>, ConfigError> {
    let Some(text) = lookup.in_profile(setting) else { return Ok(None) };
    parse(&text).map(Some).map_err(|rule| ConfigError::Rule {
        origin: lookup.origin(setting.name).unwrap_or_default().to_owned(),
        rule: format!("{rule}, not {}", quoted(&text)),
    })
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
