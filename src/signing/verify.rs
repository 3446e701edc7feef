use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};
use http::request::Request;
use zeroize::Zeroizing;

use super::canonical_request::{
    CanonicalRequest, additional_headers, is_signed_by_default, parameters,
};
use super::encode::unhex;
use super::signing_key::SigningKey;
use super::string_to_sign::{SignedText, scope};
use super::{ALGORITHM, RequestDate, Resource, UNSIGNED_PAYLOAD, name};
use crate::Credentials;

/// How far a request's date may be from the server's clock.
const TOLERANCE: Duration = Duration::from_secs(15 * 60);

/// The authorization of a request: who signed it, when and how. Do not trust it before
/// [`verify`](Authorization::verify).
///
/// The steps are separate because a server looks up the secret between them:
///
/// ```
/// # use std::time::{Duration, UNIX_EPOCH};
/// # use oss_delete_vectors::{Credentials, signing::{Authorization, Resource, Signer}};
/// # let resource = Resource::new("cn-hangzhou", "1234567890123456", "examplebucket")?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let now = UNIX_EPOCH + Duration::from_secs(1_702_743_657);
/// # let mut request = http::Request::post("https://example.com/?deleteVectors").body(())?;
/// # Signer::new(resource.clone(), credentials.clone()).sign(&mut request, now);
/// let authorization = Authorization::parse(&request)?;
/// authorization.check_date(now)?;
/// assert_eq!(authorization.access_key_id(), "LTAI5tExample"); // look up its credentials
/// authorization.verify(&request, &resource, &credentials)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Authorization {
    form: AuthorizationForm,
    access_key_id: String,
    date: RequestDate,
    /// As sent.
    scope: String,
    /// Sorted and unique.
    additional_headers: Vec<HeaderName>,
    security_token: Option<Zeroizing<String>>,
    signature: [u8; 32],
}

/// The place of the authorization in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthorizationForm {
    /// In the `Authorization` header.
    Header,
    /// In the query: a presigned request.
    Query {
        /// How long the request is valid, counted from its date.
        expires: Duration,
    },
}

impl Authorization {
    /// Parses the authorization of `request`, in either form.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Missing`] and [`VerifyError::Malformed`]. Both forms at once, a repeated
    /// part and a signed header with two values are malformed. Otherwise one value could be
    /// verified and another one used.
    pub fn parse<B>(request: &Request<B>) -> Result<Self, VerifyError> {
        let query = QueryForm::parse(request.uri().query().unwrap_or_default())?;
        let authorization = match (request.headers().contains_key(AUTHORIZATION), query) {
            (false, None) => return Err(VerifyError::Missing),
            (true, Some(_)) => {
                return Err(malformed(
                    "authorization",
                    "must be in the header or in the query, not in both",
                ));
            }
            (true, None) => Self::parse_header(request.headers())?,
            (false, Some(query)) => query.into_authorization()?,
        };
        let is_signed = |name: &&HeaderName| {
            is_signed_by_default(name) || authorization.additional_headers.contains(name)
        };
        if request
            .headers()
            .keys()
            .filter(is_signed)
            .any(|name| request.headers().get_all(name).iter().count() > 1)
        {
            return Err(malformed("signed header", "must have one value"));
        }
        Ok(authorization)
    }

    fn parse_header(headers: &HeaderMap) -> Result<Self, VerifyError> {
        if one(headers, name::CONTENT_SHA256)? != Some(UNSIGNED_PAYLOAD) {
            return Err(malformed(name::CONTENT_SHA256, "must be UNSIGNED-PAYLOAD"));
        }
        let value = one(headers, AUTHORIZATION.as_str())?.unwrap_or_default();
        let parts = value.strip_prefix(ALGORITHM).and_then(|parts| parts.strip_prefix(' '));
        let (mut credential, mut additional, mut signature) = (None, None, None);
        for part in
            parts.ok_or(malformed("authorization", "must begin with OSS4-HMAC-SHA256"))?.split(',')
        {
            let (name, value) = part.trim().split_once('=').unwrap_or_default();
            let slot = match name {
                "Credential" => &mut credential,
                "AdditionalHeaders" => &mut additional,
                "Signature" => &mut signature,
                _ => {
                    return Err(malformed(
                        "authorization",
                        "must be Credential=..[,AdditionalHeaders=..],Signature=..",
                    ));
                }
            };
            if slot.replace(value).is_some() {
                return Err(malformed("authorization", "must not repeat a part"));
            }
        }
        Self::new(
            AuthorizationForm::Header,
            credential.ok_or(malformed("authorization", "must have a Credential"))?,
            one(headers, name::DATE)?.ok_or(malformed(name::DATE, "must be present"))?,
            additional.unwrap_or_default(),
            one(headers, name::SECURITY_TOKEN)?,
            signature.ok_or(malformed("authorization", "must have a Signature"))?,
        )
    }

    fn new(
        form: AuthorizationForm,
        credential: &str,
        date: &str,
        additional_headers: &str,
        security_token: Option<&str>,
        signature: &str,
    ) -> Result<Self, VerifyError> {
        // From the end, because an AccessKey id may contain slashes.
        let (before_scope, _) = credential
            .rmatch_indices('/')
            .nth(3)
            .ok_or(malformed("credential", "must be an AccessKey id and a scope of four parts"))?;
        let (access_key_id, scope) = (&credential[..before_scope], &credential[before_scope + 1..]);
        let name = |name: &str| HeaderName::from_bytes(name.as_bytes());
        let mut additional_headers = match additional_headers {
            "" => Vec::new(),
            names => names.split(';').map(name).collect::<Result<_, _>>().map_err(|_| {
                malformed("additional headers", "must be header names joined by ';'")
            })?,
        };
        additional_headers.sort_unstable_by(|a: &HeaderName, b| a.as_str().cmp(b.as_str()));
        additional_headers.dedup();
        Ok(Self {
            form,
            access_key_id: access_key_id.to_owned(),
            date: RequestDate::parse(date)
                .ok_or(malformed(name::DATE, "must be YYYYMMDDTHHMMSSZ"))?,
            scope: scope.to_owned(),
            additional_headers,
            security_token: security_token.map(|token| Zeroizing::new(token.to_owned())),
            signature: unhex(signature.as_bytes())
                .ok_or(malformed("signature", "must be 64 lower-case hex digits"))?,
        })
    }

    /// The place of the authorization in the request.
    #[must_use]
    pub fn form(&self) -> AuthorizationForm {
        self.form
    }

    /// The AccessKey id of the claimed signer.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The claimed time of the signature.
    #[must_use]
    pub fn date(&self) -> SystemTime {
        self.date.time()
    }

    /// Checks that the request is valid at `now`: in the header form within 15 minutes of its date,
    /// in the query form from 15 minutes before its date until it expires.
    ///
    /// # Errors
    ///
    /// [`VerifyError::TimeTooSkewed`] in the header form, [`VerifyError::OutsideValidity`] in the
    /// query form.
    pub fn check_date(&self, now: SystemTime) -> Result<(), VerifyError> {
        let seconds =
            |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (date, now, tolerance) = (seconds(self.date.time()), seconds(now), TOLERANCE.as_secs());
        match self.form {
            AuthorizationForm::Header if date.abs_diff(now) <= tolerance => Ok(()),
            AuthorizationForm::Header => Err(VerifyError::TimeTooSkewed),
            AuthorizationForm::Query { expires }
                if date <= now.saturating_add(tolerance)
                    && now <= date.saturating_add(expires.as_secs()) =>
            {
                Ok(())
            }
            AuthorizationForm::Query { .. } => Err(VerifyError::OutsideValidity),
        }
    }

    /// Checks that `credentials` signed exactly this `request` for `resource`, and that the request
    /// has their security token. Compares the signature in constant time. The signature does not
    /// cover the body: compare that with `Content-MD5`.
    ///
    /// # Errors
    ///
    /// [`VerifyError::ScopeMismatch`], [`VerifyError::SignatureMismatch`],
    /// [`VerifyError::SecurityTokenMismatch`].
    pub fn verify<B>(
        &self,
        request: &Request<B>,
        resource: &Resource,
        credentials: &Credentials,
    ) -> Result<(), VerifyError> {
        let expected = scope(&self.date, resource.region());
        if self.scope != expected {
            return Err(VerifyError::ScopeMismatch { expected });
        }
        let canonical = CanonicalRequest {
            method: request.method(),
            resource,
            query: request.uri().query().unwrap_or_default(),
            headers: request.headers(),
            additional: &additional_headers(request.headers(), &self.additional_headers),
        };
        let text = SignedText::new(&canonical, &self.date, &self.scope);
        let key = SigningKey::derive(credentials.access_key_secret(), expected);
        let is_match = key.verify(text.string_to_sign(), &self.signature);
        // In the header form the signature does not cover the id, so compare it as well.
        if !is_match || self.access_key_id != credentials.access_key_id() {
            return Err(VerifyError::SignatureMismatch {
                string_to_sign: text.string_to_sign_text().to_owned(),
            });
        }
        if self.security_token.as_deref().map(String::as_str) != credentials.security_token() {
            return Err(VerifyError::SecurityTokenMismatch);
        }
        Ok(())
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("form", &self.form)
            .field("access_key_id", &self.access_key_id)
            .field("date", &self.date.iso8601())
            .field("scope", &self.scope)
            .field("additional_headers", &self.additional_headers)
            .field("has_security_token", &self.security_token.is_some())
            .finish_non_exhaustive()
    }
}

/// The value of a header that must not be repeated.
fn one<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, VerifyError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .to_str()
            .map(|text| Some(text.trim()))
            .map_err(|_| malformed(name, "must be ASCII")),
        (Some(_), Some(_)) => Err(malformed(name, "must not be repeated")),
    }
}

/// The parameters of the query form, decoded, in the order of [`name::QUERY_FORM`].
struct QueryForm([Option<Zeroizing<String>>; name::QUERY_FORM.len()]);

impl QueryForm {
    /// `None` if the query has none of them.
    fn parse(query: &str) -> Result<Option<Self>, VerifyError> {
        let mut found = Self(Default::default());
        for (name, value) in parameters(query) {
            let Some(index) = name::QUERY_FORM.iter().position(|known| known.as_bytes() == &*name)
            else {
                continue;
            };
            let known = name::QUERY_FORM[index];
            let value = String::from_utf8(value.into_owned())
                .map_err(|_| malformed(known, "must be UTF-8"))?;
            if found.0[index].replace(Zeroizing::new(value)).is_some() {
                return Err(malformed(known, "must not be repeated"));
            }
        }
        Ok(found.0.iter().any(Option::is_some).then_some(found))
    }

    fn into_authorization(self) -> Result<Authorization, VerifyError> {
        let [version, date, expires, credential, security_token, additional_headers, signature] =
            &self.0;
        let required = |value: &Option<Zeroizing<String>>, known: &'static str| {
            value.clone().ok_or(malformed(known, "must be present"))
        };
        if version.as_deref().map(String::as_str) != Some(ALGORITHM) {
            return Err(malformed(name::SIGNATURE_VERSION, "must be OSS4-HMAC-SHA256"));
        }
        let expires = required(expires, name::EXPIRES)?;
        let seconds = expires
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| expires.parse().ok())
            .flatten();
        Authorization::new(
            AuthorizationForm::Query {
                expires: Duration::from_secs(
                    seconds.ok_or(malformed(name::EXPIRES, "must be a number of seconds"))?,
                ),
            },
            &required(credential, name::CREDENTIAL)?,
            &required(date, name::DATE)?,
            additional_headers.as_deref().map_or("", String::as_str),
            security_token.as_deref().map(String::as_str),
            &required(signature, name::SIGNATURE)?,
        )
    }
}

const fn malformed(part: &'static str, rule: &'static str) -> VerifyError {
    VerifyError::Malformed { part, rule }
}

/// Why a request is not authorized.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// The request carries no authorization.
    Missing,
    /// The authorization cannot be parsed.
    #[non_exhaustive]
    Malformed {
        /// The invalid part, such as `x-oss-date`.
        part: &'static str,
        /// The rule that the part breaks.
        rule: &'static str,
    },
    /// The date of the request is more than 15 minutes before or after the server's time.
    TimeTooSkewed,
    /// The presigned request has expired, or is not valid yet.
    OutsideValidity,
    /// The scope does not match the date of the request and the resource.
    #[non_exhaustive]
    ScopeMismatch {
        /// The right scope.
        expected: String,
    },
    /// The signature does not match the request, the resource and the credentials.
    #[non_exhaustive]
    SignatureMismatch {
        /// The string to sign as computed here. Compare it with the signer's.
        string_to_sign: String,
    },
    /// The security token of the request is not the one of the credentials.
    SecurityTokenMismatch,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the request carries no authorization"),
            Self::Malformed { part, rule } => write!(f, "{part} {rule}"),
            Self::TimeTooSkewed => f.write_str("the request's date is more than 15 minutes off"),
            Self::OutsideValidity => {
                f.write_str("the presigned request has expired or is not valid yet")
            }
            Self::ScopeMismatch { expected } => write!(f, "the scope must be {expected}"),
            Self::SignatureMismatch { .. } => {
                f.write_str("the signature does not match the request")
            }
            Self::SecurityTokenMismatch => {
                f.write_str("the security token does not belong to the AccessKey id")
            }
        }
    }
}

impl std::error::Error for VerifyError {}
