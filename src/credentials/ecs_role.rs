//! The RAM role of an ECS instance, from the metadata service.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Method, Request, Uri};

use super::error::SourceErrorKind;
use super::response::{self, Received};
use super::source::{Direct, Reply, Step};
use super::{SourceError, parse_uri, secret_header};
use crate::InvalidValue;
use crate::operation::Secrets;

/// The RAM role of the ECS instance, from its metadata service: `http://100.100.100.200`.
///
/// First it requests a token (IMDS v2). If the service does not provide one, it continues without
/// (v1), unless that is [disabled](Self::without_imds_v1). The service returns the name of the
/// role, unless it is [given](Self::role_name). Each request has a timeout of one second. Redirects
/// are not followed.
#[derive(Clone)]
pub struct EcsRole {
    address: Uri,
    role_name: Option<String>,
    allows_v1: bool,
    state: State,
}

/// The last request. The token is not a secret outside the host, but is not printed either.
#[derive(Clone)]
enum State {
    Idle,
    Token,
    Name(Option<HeaderValue>),
    Credentials,
}

const ADDRESS: &str = "http://100.100.100.200";
const TOKEN: &str = "/latest/api/token";
const ROLES: &str = "/latest/meta-data/ram/security-credentials/";
const TIMEOUT: Duration = Duration::from_secs(1);

impl EcsRole {
    /// The role of this instance.
    #[must_use]
    pub fn new() -> Self {
        let address = Uri::from_static(ADDRESS);
        Self { address, role_name: None, allows_v1: true, state: State::Idle }
    }

    /// Uses this role, which saves a request.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the field `role name`: it must be 1 to 64 characters of `A-Z`,
    /// `a-z`, `0-9` and `._@-`.
    pub fn role_name(self, name: &str) -> Result<Self, InvalidValue> {
        if !is_role_name(name) {
            let rule = "must be 1 to 64 characters of A-Z, a-z, 0-9 and ._@-";
            return Err(InvalidValue::new("role name", rule, name));
        }
        Ok(Self { role_name: Some(name.to_owned()), ..self })
    }

    /// Uses a service at this address, such as `http://127.0.0.1:8080`, instead of the fixed one.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the field `metadata service`: not an absolute `http` or `https` URI.
    pub fn address(self, uri: &str) -> Result<Self, InvalidValue> {
        Ok(Self { address: parse_uri("metadata service", uri)?, ..self })
    }

    /// Never continues without a token, like `ALIBABA_CLOUD_IMDSV1_DISABLED`.
    #[must_use]
    pub fn without_imds_v1(self) -> Self {
        Self { allows_v1: false, ..self }
    }

    pub(super) fn start(&mut self) -> Step {
        self.state = State::Token;
        let mut request = self.request(Method::PUT, TOKEN, None);
        let lifetime = HeaderValue::from_static("21600");
        request.headers_mut().insert("x-aliyun-ecs-metadata-token-ttl-seconds", lifetime);
        Step::Send(request)
    }

    pub(super) fn handle(&mut self, now: SystemTime, reply: Reply) -> Step {
        let state = std::mem::replace(&mut self.state, State::Idle);
        let response = match (&state, reply) {
            (State::Idle, _) | (_, Reply::File(_)) => {
                return Step::Done(Err(SourceError::not_asked(self.to_string())));
            }
            // Nothing listens, or it is too slow. Without a token it would not be faster.
            (_, Reply::Failure(error)) => return self.failed(SourceErrorKind::Unreachable(error)),
            (_, Reply::Response(response)) => Received::new(response),
        };
        let is_success = response.status.is_success();
        match state {
            State::Token => {
                let token = response.text().filter(|text| is_success && !text.is_empty());
                let token = token.and_then(secret_header);
                match token {
                    None if !self.allows_v1 => self.failed(self.rejection(&response)),
                    token => self.ask(token),
                }
            }
            State::Name(token) => match response.text().and_then(|text| text.lines().next()) {
                Some(name) if is_success && is_role_name(name) => {
                    let name = name.to_owned();
                    self.ask_for(&name, token)
                }
                _ if response.status == http::StatusCode::NOT_FOUND => {
                    self.failed(response.unexpected("no RAM role is attached to the instance"))
                }
                _ => self.failed(self.rejection(&response)),
            },
            State::Credentials if is_success => match response.credentials(now, None) {
                Ok(credentials) => Step::Done(Ok(credentials)),
                Err(kind) => self.failed(kind),
            },
            State::Credentials | State::Idle => self.failed(self.rejection(&response)),
        }
    }

    /// Requests the credentials, or first the name of the role.
    fn ask(&mut self, token: Option<HeaderValue>) -> Step {
        if let Some(name) = self.role_name.clone() {
            return self.ask_for(&name, token);
        }
        let request = self.request(Method::GET, ROLES, token.clone());
        self.state = State::Name(token);
        Step::Send(request)
    }

    fn ask_for(&mut self, name: &str, token: Option<HeaderValue>) -> Step {
        self.state = State::Credentials;
        Step::Send(self.request(Method::GET, &format!("{ROLES}{name}"), token))
    }

    fn request(&self, method: Method, path: &str, token: Option<HeaderValue>) -> Request<Bytes> {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method;
        *request.uri_mut() = super::with_path(&self.address, path);
        if let Some(token) = token {
            request.headers_mut().insert("x-aliyun-ecs-metadata-token", token);
        }
        request.extensions_mut().insert(Direct { timeout: TIMEOUT });
        request
    }

    /// The error in the response. There are no credentials yet that it could contain.
    fn rejection(&self, response: &Received) -> SourceErrorKind {
        if response.status.is_success() {
            return response.unexpected("not a response of the metadata service");
        }
        response.error(&Secrets::none())
    }

    fn failed(&self, kind: SourceErrorKind) -> Step {
        Step::Done(Err(SourceError::new(self.to_string(), kind)))
    }
}

fn is_role_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'-'))
}

impl Default for EcsRole {
    fn default() -> Self {
        Self::new()
    }
}

/// The name of the source, for messages.
impl fmt::Display for EcsRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the ECS metadata service")?;
        let is_fixed = self.address.host() == Some("100.100.100.200");
        if is_fixed { Ok(()) } else { write!(f, " at {}", response::shown(&self.address)) }
    }
}

/// Shows no token.
impl fmt::Debug for EcsRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EcsRole")
            .field("address", &response::shown(&self.address))
            .field("role_name", &self.role_name)
            .field("allows_v1", &self.allows_v1)
            .finish_non_exhaustive()
    }
}
