//! A role assumed with an OIDC token: RRSA of ACK.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use zeroize::Zeroizing;

use super::SourceError;
use super::error::SourceErrorKind;
use super::response::Received;
use super::source::{Reply, Step};
use super::sts::{self, Sts};
use crate::InvalidValue;
use crate::operation::Secrets;

/// The maximum size of a token file in bytes, many times that of a token.
const MAX_TOKEN: usize = 64 * 1024;

/// A RAM role assumed with an OIDC token: that of a service account in ACK (RRSA).
///
/// The token file is read again for each fetch, because Kubernetes replaces it. A request that is
/// rejected because of its timestamp is sent again with the time of STS.
#[derive(Clone)]
pub struct Oidc {
    sts: Sts,
    provider_arn: String,
    token_file: PathBuf,
    state: State,
}

#[derive(Clone)]
enum State {
    Idle,
    File,
    /// Sent with the time of this host, or with that of STS if `has_time`.
    Sent {
        token: Zeroizing<String>,
        has_time: bool,
    },
}

impl Oidc {
    /// The role, the OIDC provider that it trusts, and the path of the token file.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the field `role ARN` or `OIDC provider ARN`.
    pub fn new(
        role_arn: &str,
        provider_arn: &str,
        token_file: impl Into<PathBuf>,
    ) -> Result<Self, InvalidValue> {
        let is_text = provider_arn.bytes().all(|byte| byte.is_ascii_graphic());
        if !provider_arn.starts_with("acs:ram::") || !is_text {
            let rule =
                "must be an ARN, such as acs:ram::1234567890123456:oidc-provider/my-provider";
            return Err(InvalidValue::new("OIDC provider ARN", rule, provider_arn));
        }
        Ok(Self {
            sts: Sts::new(role_arn)?,
            provider_arn: provider_arn.to_owned(),
            token_file: token_file.into(),
            state: State::Idle,
        })
    }

    /// Sets the name of the session, which the audit log shows. `oss-delete-vectors` by default.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the field `role session name`: it must be 2 to 64 characters of
    /// `A-Z`, `a-z`, `0-9` and `._@-`.
    pub fn session_name(mut self, name: &str) -> Result<Self, InvalidValue> {
        self.sts.set_session_name(name)?;
        Ok(self)
    }

    /// Uses STS at this address, such as `https://sts-vpc.cn-hangzhou.aliyuncs.com`, instead of
    /// `https://sts.aliyuncs.com`.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the field `STS address`: not an absolute `http` or `https` URI.
    pub fn sts_address(mut self, uri: &str) -> Result<Self, InvalidValue> {
        self.sts.set_address(uri)?;
        Ok(self)
    }

    pub(super) fn start(&mut self) -> Step {
        self.state = State::File;
        Step::Read(self.token_file.clone())
    }

    pub(super) fn handle(&mut self, now: SystemTime, reply: Reply) -> Step {
        let failed = |kind| Step::Done(Err(self.sts.failed(kind)));
        match (std::mem::replace(&mut self.state, State::Idle), reply) {
            (State::File, Reply::File(content)) => match self.token(content) {
                Ok(token) => self.send(token, now, false),
                Err(error) => Step::Done(Err(error)),
            },
            (State::Sent { .. }, Reply::Failure(error)) => {
                failed(SourceErrorKind::Unreachable(error))
            }
            (State::Sent { token, has_time }, Reply::Response(response)) => {
                let (response, secrets) =
                    (Received::new(response), Secrets::of_text(&token, "[OIDC token]"));
                match self.sts.credentials(now, &response, &secrets) {
                    Ok(credentials) => Step::Done(Ok(credentials)),
                    Err((_, Some(time))) if !has_time => {
                        let token = token.clone();
                        self.send(token, time, true)
                    }
                    Err((kind, _)) => failed(kind),
                }
            }
            _ => failed(SourceErrorKind::NotAsked),
        }
    }

    fn token(&self, content: std::io::Result<Vec<u8>>) -> Result<Zeroizing<String>, SourceError> {
        let failed = |reason: &dyn fmt::Display| {
            SourceError::file(self.sts.to_string(), &self.token_file, reason)
        };
        let content = Zeroizing::new(content.map_err(|error| failed(&error))?);
        let text = str::from_utf8(&content).ok().map(str::trim);
        match text {
            Some(text) if !text.is_empty() && text.len() <= MAX_TOKEN => {
                Ok(Zeroizing::new(text.to_owned()))
            }
            Some("") => Err(failed(&"the file is empty")),
            _ => Err(failed(&"not a token: text of up to 64 KiB is expected")),
        }
    }

    fn send(&mut self, token: Zeroizing<String>, time: SystemTime, has_time: bool) -> Step {
        let query = sts::form(
            [
                ("Action", "AssumeRoleWithOIDC"),
                ("Format", "JSON"),
                ("Timestamp", sts::timestamp(time).as_str()),
                ("Version", sts::VERSION),
            ]
            .iter(),
        );
        let query = String::from_utf8_lossy(&query);
        let fields = [("OIDCProviderArn", self.provider_arn.as_str()), ("OIDCToken", &token)];
        let request = self.sts.request(&format!("/?{query}"), &fields);
        self.state = State::Sent { token, has_time };
        Step::Send(request)
    }
}

/// The name of the source, for messages.
impl fmt::Display for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sts.fmt(f)
    }
}

/// Shows no token.
impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oidc")
            .field("sts", &self.sts)
            .field("provider_arn", &self.provider_arn)
            .field("token_file", &self.token_file)
            .finish_non_exhaustive()
    }
}
