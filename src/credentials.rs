//! Who asks: an AccessKey pair, long-lived or issued by STS.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::{Invalid, time_text};

/// An AccessKey pair, with the security token of STS credentials where there is one.
///
/// Cheap to clone: all clones share one copy of the secret and of the token, which is wiped when the last is dropped. `Debug`
/// shows the id alone.
///
/// ```
/// use oss_delete_vectors::Credentials;
///
/// let credentials = Credentials::new("LTAI5tExample", "my-secret")?.with_security_token("CAIS...")?;
/// assert_eq!(credentials.access_key_id(), "LTAI5tExample");
/// assert!(!format!("{credentials:?}").contains("my-secret"));
/// # Ok::<_, oss_delete_vectors::Invalid>(())
/// ```
#[derive(Clone)]
pub struct Credentials {
    access_key_id: Arc<str>,
    access_key_secret: Arc<Zeroizing<String>>,
    security_token: Option<Arc<Zeroizing<String>>>,
    expiration: Option<SystemTime>,
}

impl Credentials {
    /// Takes an AccessKey pair.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when `access_key_id` is empty, or has anything but printable ASCII, a comma, or a space at an end; when
    /// `access_key_secret` is empty, or has a control character or white space at an end (most often the line break of the
    /// file that it came from). The secret is never repeated.
    pub fn new(access_key_id: impl AsRef<str>, access_key_secret: impl Into<String>) -> Result<Self, Invalid> {
        let id = access_key_id.as_ref();
        let secret = Zeroizing::new(access_key_secret.into());
        if !is_header_text(id) || id.contains(',') {
            // A comma ends the Credential part of the Authorization header.
            let rule = "must be printable ASCII without commas and without spaces at the ends, at least one character";
            return Err(Invalid::new("access key id", rule, id));
        }
        if secret.is_empty() || secret.trim() != secret.as_str() || secret.contains(char::is_control) {
            let rule = "must not be empty, have white space at the ends or control characters";
            return Err(Invalid::without_value("access key secret", rule));
        }
        Ok(Self { access_key_id: id.into(), access_key_secret: Arc::new(secret), security_token: None, expiration: None })
    }

    /// Adds the security token that STS issued with the pair. An empty token is no token.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when the token cannot stand in a header: anything but printable ASCII, or spaces at the ends. The token is
    /// never repeated.
    pub fn with_security_token(mut self, token: impl Into<String>) -> Result<Self, Invalid> {
        let token = Zeroizing::new(token.into());
        self.security_token = match token.as_str() {
            "" => None,
            text if is_header_text(text) => Some(Arc::new(token)),
            _ => {
                let rule = "must be printable ASCII without spaces at the ends";
                return Err(Invalid::without_value("security token", rule));
            }
        };
        Ok(self)
    }

    /// Adds the time at which the credentials stop being valid, where it is known.
    #[must_use]
    pub fn with_expiration(mut self, expiration: SystemTime) -> Self {
        self.expiration = Some(expiration);
        self
    }

    /// Adds that time as STS, the ECS metadata service and credential processes write it: RFC 3339, such as
    /// `2026-09-03T12:00:00Z` or `2026-09-03T20:00:00+08:00`. Fractions of a second are dropped.
    ///
    /// # Errors
    ///
    /// [`Invalid`] naming the field `expiration`: no such time, a time without an offset, or one before 1970.
    pub fn with_expiration_text(self, text: &str) -> Result<Self, Invalid> {
        let rule = "must be a time in RFC 3339 format, such as 2026-09-03T12:00:00Z";
        let expiration = time_text::rfc3339(text).ok_or_else(|| Invalid::new("expiration", rule, text))?;
        Ok(self.with_expiration(expiration))
    }

    /// The AccessKey id: public, part of every request.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// When the credentials stop being valid, where it is known.
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

/// Whether `text` is a header value and survives the trimming that headers get.
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
