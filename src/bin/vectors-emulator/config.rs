//! The target, from the command line, and the AccessKey pair, from the environment.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::{error, fmt};

use oss_delete_vectors::{Credentials, InvalidValue, Target};

use crate::args::{Args, Place};

const ACCESS_KEY_ID: &str = "OSS_ACCESS_KEY_ID";
const ACCESS_KEY_SECRET: &str = "OSS_ACCESS_KEY_SECRET";
const SECURITY_TOKEN: &str = "OSS_SESSION_TOKEN";

pub(crate) struct Config {
    pub(crate) addr: SocketAddr,
    pub(crate) target: Target,
    pub(crate) credentials: Credentials,
}

impl Config {
    /// Checks the settings. `environment` returns the value of a variable.
    pub(crate) fn read(
        args: &Args,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let Place { listen, allow_remote, region, account_id, bucket } = &args.place;
        if !allow_remote && !listen.ip().to_canonical().is_loopback() {
            return Err(ConfigError::Remote(*listen));
        }
        // An empty variable counts as unset.
        let find = |variable| match environment(variable)
            .filter(|value| !value.is_empty())
            .map(OsString::into_string)
        {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(ConfigError::NotUtf8(variable)),
        };
        let (id, secret, token) =
            (find(ACCESS_KEY_ID)?, find(ACCESS_KEY_SECRET)?, find(SECURITY_TOKEN)?);
        let (id, secret) = match (id, secret) {
            (Some(id), Some(secret)) => (id, secret),
            (None, Some(_)) => return Err(ConfigError::Missing(&[ACCESS_KEY_ID])),
            (Some(_), None) => return Err(ConfigError::Missing(&[ACCESS_KEY_SECRET])),
            (None, None) => return Err(ConfigError::Missing(&[ACCESS_KEY_ID, ACCESS_KEY_SECRET])),
        };
        let target = Target::builder()
            .region(region)
            .account_id(account_id)
            .bucket(bucket)
            .index_name(&args.vectors.index_name)
            .build();
        let credentials = Credentials::new(id, secret)
            .and_then(|credentials| credentials.with_security_token(token.unwrap_or_default()));
        Ok(Self {
            addr: *listen,
            target: target.map_err(ConfigError::Refused)?,
            credentials: credentials.map_err(ConfigError::Refused)?,
        })
    }
}

/// An invalid configuration.
#[derive(Debug)]
pub(crate) enum ConfigError {
    Remote(SocketAddr),
    Missing(&'static [&'static str]),
    /// A variable. Its value is not shown, because it may be a secret.
    NotUtf8(&'static str),
    Refused(InvalidValue),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote(addr) => write!(
                f,
                "--listen: {addr} is not a loopback address, and the emulator has no TLS and no access control\n\
                 help: add --allow-remote to serve it anyway"
            ),
            Self::Missing(variables) => write!(
                f,
                "{} not set: the environment gives the AccessKey pair that clients sign with",
                variables.join(" and ") + if variables.len() > 1 { " are" } else { " is" },
            ),
            Self::NotUtf8(variable) => write!(f, "{variable}: not UTF-8"),
            Self::Refused(invalid) => match origin(invalid.field()) {
                Some(origin) => {
                    write!(f, "{origin}: {}", invalid.rule())?;
                    invalid.value().map_or(Ok(()), |value| write!(f, ", not {value:?}"))
                }
                None => invalid.fmt(f),
            },
        }
    }
}

impl error::Error for ConfigError {}

/// The option or variable of a field of the library.
fn origin(field: &str) -> Option<&'static str> {
    Some(match field {
        "region" => "--region",
        "account id" => "--account-id",
        "bucket" => "--bucket",
        "index name" => "--index-name",
        "access key id" => ACCESS_KEY_ID,
        "access key secret" => ACCESS_KEY_SECRET,
        "security token" => SECURITY_TOKEN,
        _ => return None,
    })
}
