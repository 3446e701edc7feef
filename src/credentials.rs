//! AccessKey pairs, long-lived or issued by STS, and the sources of those that expire.
//!
//! [`Source`] is one of these. Each is a small state machine that returns requests and handles
//! responses:
//!
//! | source | credentials |
//! |---|---|
//! | [`EcsRole`] | the RAM role of the ECS instance |
//! | [`Oidc`] | a role that is assumed with the OIDC token of a pod (RRSA of ACK) |
//! | [`AssumeRole`] | a role that is assumed with the credentials of another source |
//! | [`CredentialsUri`] | a URI that returns credentials without authentication |
//! | [`Credentials`] | an AccessKey pair that you pass |
//!
//! [`Source::from_environment`] finds the configured one.

mod assume_role;
mod ecs_role;
mod environment;
mod error;
mod json;
mod oidc;
mod renewal;
mod response;
mod source;
mod sts;
mod uri;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use zeroize::Zeroizing;

use crate::{InvalidValue, time_text};

pub use self::assume_role::AssumeRole;
pub use self::ecs_role::EcsRole;
pub use self::environment::{Variables, sts_address};
pub use self::error::{SourceError, SourceErrorKind};
pub use self::oidc::Oidc;
pub use self::renewal::Renewal;
pub use self::source::{Direct, Reply, Source, Step};
pub use self::uri::CredentialsUri;

/// An AccessKey pair, with a security token if STS issued it.
///
/// Cheap to clone: all clones share one copy of the secret and the token, which is wiped when the
/// last clone is dropped. `Debug` prints neither.
///
/// ```
/// use oss_delete_vectors::Credentials;
///
/// let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// let credentials = credentials.with_security_token("CAIS...")?;
/// assert_eq!(credentials.access_key_id(), "LTAI5tExample");
/// assert!(!format!("{credentials:?}").contains("my-secret"));
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
/// ```
#[derive(Clone)]
pub struct Credentials {
    access_key_id: Arc<str>,
    access_key_secret: Arc<Zeroizing<String>>,
    security_token: Option<Arc<Zeroizing<String>>>,
    expiration: Option<SystemTime>,
}

impl Credentials {
    /// Credentials without a security token.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if one of them breaks its rule. The error contains neither value, because
    /// they may have been swapped.
    /// - `access_key_id`: printable ASCII without commas, not empty, and without spaces at the
    ///   ends;
    /// - `access_key_secret`: not empty, no control characters, and no white space at the ends. The
    ///   most common mistake is the line break of the file with the secret.
    pub fn new(
        access_key_id: impl AsRef<str>,
        access_key_secret: impl Into<String>,
    ) -> Result<Self, InvalidValue> {
        let id = access_key_id.as_ref();
        let secret = Zeroizing::new(access_key_secret.into());
        if !is_header_text(id) || id.contains(',') {
            // In the Authorization header, a comma ends the credential.
            let rule = "must be printable ASCII without commas and without spaces at the ends, \
                        at least one character";
            // Not the value: the id and the secret may have been swapped.
            return Err(InvalidValue::without_value("access key id", rule));
        }
        if secret.is_empty()
            || secret.trim() != secret.as_str()
            || secret.contains(char::is_control)
        {
            let rule = "must not be empty, have white space at the ends or control characters";
            return Err(InvalidValue::without_value("access key secret", rule));
        }
        Ok(Self {
            access_key_id: id.into(),
            access_key_secret: Arc::new(secret),
            security_token: None,
            expiration: None,
        })
    }

    /// Adds the security token that STS issued with the pair. An empty token means none.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the token is not a header value: it must be printable ASCII without
    /// spaces at the ends. The error never contains the token.
    pub fn with_security_token(mut self, token: impl Into<String>) -> Result<Self, InvalidValue> {
        let token = Zeroizing::new(token.into());
        self.security_token = match token.as_str() {
            "" => None,
            text if is_header_text(text) => Some(Arc::new(token)),
            _ => {
                let rule = "must be printable ASCII without spaces at the ends";
                return Err(InvalidValue::without_value("security token", rule));
            }
        };
        Ok(self)
    }

    /// Adds the time at which the credentials expire.
    #[must_use]
    pub fn with_expiration(mut self, expiration: SystemTime) -> Self {
        self.expiration = Some(expiration);
        self
    }

    /// Same as [`with_expiration`](Self::with_expiration), from text in RFC 3339 format, as used by
    /// STS, the ECS metadata service and credential processes, such as `2026-09-03T12:00:00Z` or
    /// `2026-09-03T20:00:00+08:00`. Fractions of a second are dropped.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the field `expiration`: not such a time, without an offset, or
    /// before 1970.
    pub fn with_expiration_text(self, text: &str) -> Result<Self, InvalidValue> {
        let rule = "must be a time in RFC 3339 format, such as 2026-09-03T12:00:00Z";
        let expiration =
            time_text::rfc3339(text).ok_or_else(|| InvalidValue::new("expiration", rule, text))?;
        Ok(self.with_expiration(expiration))
    }

    /// The AccessKey id. It is not a secret: every request contains it.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The time at which the credentials expire, if known.
    #[must_use]
    pub fn expiration(&self) -> Option<SystemTime> {
        self.expiration
    }

    pub(crate) fn access_key_secret(&self) -> &str {
        &self.access_key_secret
    }

    pub(crate) fn security_token(&self) -> Option<&str> {
        self.security_token.as_deref().map(|token| token.as_str())
    }
}

/// Whether `text` is a header value that trimming does not change.
fn is_header_text(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("has_security_token", &self.security_token.is_some())
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

/// A header whose value is a secret: not shown by `Debug`, and wiped when its last owner is
/// dropped.
pub(crate) fn secret_header(text: &str) -> Option<HeaderValue> {
    let bytes = Bytes::from_owner(Zeroizing::new(text.as_bytes().to_vec()));
    let mut value = HeaderValue::from_maybe_shared(bytes).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// An absolute `http` or `https` URI. Its text may contain a secret, and is in no error.
fn parse_uri(field: &'static str, text: &str) -> Result<Uri, InvalidValue> {
    let uri: Option<Uri> = text.parse().ok();
    let is_http = |uri: &Uri| matches!(uri.scheme(), Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
    let uri = uri.filter(|uri| is_http(uri) && uri.host().is_some_and(|host| !host.is_empty()));
    let rule = "must be an http or https URL with a host";
    uri.ok_or(InvalidValue::without_value(field, rule))
}

/// The same scheme and authority with another path and query.
fn with_path(uri: &Uri, path: &str) -> Uri {
    let mut parts = uri.clone().into_parts();
    let path: PathAndQuery = path.parse().expect("every part was checked or encoded");
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).expect("scheme and authority are present")
}
