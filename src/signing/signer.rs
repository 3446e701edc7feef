use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue};
use http::request::Request;
use http::uri::{PathAndQuery, Uri};

use super::canonical_request::{CanonicalRequest, additional_headers, parameters, write_names};
use super::encode::{hex, percent_encode};
use super::signing_key::SigningKey;
use super::string_to_sign::{SignedText, scope};
use super::{ALGORITHM, RequestDate, Resource, UNSIGNED_PAYLOAD, name};
use crate::{Credentials, InvalidValue};

const OSS_CONTENT_SHA256: HeaderName = HeaderName::from_static(name::CONTENT_SHA256);
const OSS_DATE: HeaderName = HeaderName::from_static(name::DATE);
const OSS_SECURITY_TOKEN: HeaderName = HeaderName::from_static(name::SECURITY_TOKEN);

/// The length of an `Authorization` header without the id, the scope and additional headers, to
/// allocate it once, at its exact size.
const AUTHORIZATION_LEN: usize = ALGORITHM.len() + " Credential=/,Signature=".len() + 64;

/// Signs any `http::Request` for one resource with one pair of credentials, in the header or in the
/// query.
///
/// Keep a signer and share it between threads: it derives the signing key once a day and formats
/// the date once a second. Signing a request again replaces its signature, in either form, so that
/// a retry can sign the same request once more.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use oss_delete_vectors::{Credentials, signing::{Resource, Signer}};
///
/// let resource = Resource::new("cn-hangzhou", "1234567890123456", "examplebucket")?;
/// let signer = Signer::new(resource, Credentials::new("LTAI5tExample", "my-secret")?);
/// let mut request = http::Request::post("https://example.com/?deleteVectors").body(())?;
/// signer.sign(&mut request, UNIX_EPOCH + Duration::from_secs(1_702_743_657));
/// assert_eq!(request.headers()["x-oss-date"], "20231216T162057Z");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct Signer {
    resource: Resource,
    credentials: Credentials,
    /// Sorted and unique.
    additional_headers: Vec<HeaderName>,
    security_token: Option<HeaderValue>,
    /// Cached from the last signature.
    stamp: Mutex<Option<Stamp>>,
}

/// The date in the formats of the headers, and the key of the day. All signatures of one second
/// share it.
#[derive(Clone)]
struct Stamp {
    date: RequestDate,
    rfc1123: HeaderValue,
    iso8601: HeaderValue,
    key: Arc<SigningKey>,
}

impl Signer {
    /// Signs for `resource` (a [`Resource`] or a [`&Target`](crate::Target)) with `credentials`.
    #[must_use]
    pub fn new(resource: impl Into<Resource>, credentials: Credentials) -> Self {
        let security_token = credentials.security_token().map(|token| {
            let mut value = HeaderValue::from_str(token).expect("credentials hold header text");
            value.set_sensitive(true);
            value
        });
        Self {
            resource: resource.into(),
            credentials,
            additional_headers: Vec::new(),
            security_token,
            stamp: Mutex::new(None),
        }
    }

    /// Also signs these headers, if a request has them and they are not empty. `content-type`,
    /// `content-md5` and `x-oss-*` are always signed.
    #[must_use]
    pub fn with_additional_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.additional_headers.extend(names);
        self.additional_headers.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        self.additional_headers.dedup();
        self
    }

    /// The resource that requests are signed for.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The credentials that sign.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Signs in the header, for a request that is sent at once: it is valid within 15 minutes of
    /// `time`.
    ///
    /// Sets `authorization`, `date`, `x-oss-date`, `x-oss-content-sha256` and, for STS credentials,
    /// `x-oss-security-token`. Removes a signature from the query. Set all signed headers before
    /// the call. `time` is the current time of the service, which compares it with its own clock. A
    /// time before 1970 or after 9999 becomes the nearest one that can be written.
    pub fn sign<B>(&self, request: &mut Request<B>, time: SystemTime) -> Signature {
        let Stamp { date, rfc1123, iso8601, key } = self.stamp(time);
        if let Some(uri) = without_query_form(request.uri()) {
            *request.uri_mut() = uri;
        }
        let headers = request.headers_mut();
        headers.insert(DATE, rfc1123);
        // In the order of the signature, which sorts them.
        headers.insert(OSS_CONTENT_SHA256, HeaderValue::from_static(UNSIGNED_PAYLOAD));
        headers.insert(OSS_DATE, iso8601);
        match &self.security_token {
            Some(token) => headers.insert(OSS_SECURITY_TOKEN, token.clone()),
            None => headers.remove(OSS_SECURITY_TOKEN),
        };
        let mut additional = additional_headers(headers, &self.additional_headers);
        additional.retain(|name| name != AUTHORIZATION);
        let query = request.uri().query().unwrap_or_default();
        let signature =
            self.signature(request.method(), query, request.headers(), &additional, &date, &key);

        let id = self.credentials.access_key_id();
        let mut value = Vec::with_capacity(AUTHORIZATION_LEN + id.len() + key.scope().len());
        value.extend_from_slice(ALGORITHM.as_bytes());
        value.extend_from_slice(b" Credential=");
        value.extend_from_slice(id.as_bytes());
        value.push(b'/');
        value.extend_from_slice(key.scope().as_bytes());
        if !additional.is_empty() {
            value.extend_from_slice(b",AdditionalHeaders=");
            write_names(&additional, &mut value);
        }
        value.extend_from_slice(b",Signature=");
        value.extend_from_slice(&hex(&signature.value));
        let mut value =
            HeaderValue::from_maybe_shared(Bytes::from(value)).expect("every part is header text");
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        signature
    }

    /// Signs in the query (presigns). A host without the credentials can send the request, many
    /// times, from 15 minutes before `time` until `expires` after it.
    ///
    /// Writes the signature into the URI and removes `authorization`, `date`, `x-oss-date`,
    /// `x-oss-content-sha256` and `x-oss-security-token` from the headers. The other signed
    /// headers, such as `content-type` and `content-md5`, must be sent unchanged. The URI contains
    /// the signature and the security token: keep it secret. `Debug` of the request prints it.
    /// `expires` is rounded down to seconds. The signer does not limit it; the service may.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with the field `presigned uri` if the URI would be longer than 65534 bytes,
    /// or if it cannot have a query (`*`, or an authority alone). The request is then unchanged.
    pub fn presign<B>(
        &self,
        request: &mut Request<B>,
        time: SystemTime,
        expires: Duration,
    ) -> Result<Signature, InvalidValue> {
        let Stamp { date, key, .. } = self.stamp(time);
        // Copies, so that the request is unchanged if its new URI is invalid.
        let mut headers = request.headers().clone();
        for stale in [AUTHORIZATION, DATE, OSS_DATE, OSS_CONTENT_SHA256, OSS_SECURITY_TOKEN] {
            headers.remove(stale);
        }
        let additional = additional_headers(&headers, &self.additional_headers);
        let base = without_query_form(request.uri()).unwrap_or_else(|| request.uri().clone());

        let mut target =
            base.path_and_query().map_or("/", PathAndQuery::as_str).as_bytes().to_vec();
        target.push(if base.query().is_some() { b'&' } else { b'?' });
        let mut append = |name: &str, value: &[u8]| {
            target.extend_from_slice(name.as_bytes());
            target.push(b'=');
            percent_encode(value, &mut target);
            target.push(b'&');
        };
        append(name::SIGNATURE_VERSION, ALGORITHM.as_bytes());
        append(name::DATE, date.iso8601().as_bytes());
        append(name::EXPIRES, expires.as_secs().to_string().as_bytes());
        append(
            name::CREDENTIAL,
            format!("{}/{}", self.credentials.access_key_id(), key.scope()).as_bytes(),
        );
        if let Some(token) = self.credentials.security_token() {
            append(name::SECURITY_TOKEN, token.as_bytes());
        }
        if !additional.is_empty() {
            let mut names = Vec::new();
            write_names(&additional, &mut names);
            append(name::ADDITIONAL_HEADERS, &names);
        }
        let unsigned = str::from_utf8(&target).expect("a URI is text").split_once('?');
        let query = unsigned.map_or("", |(_, query)| query);
        let signature = self.signature(request.method(), query, &headers, &additional, &date, &key);
        target.extend_from_slice(name::SIGNATURE.as_bytes());
        target.push(b'=');
        target.extend_from_slice(&hex(&signature.value));

        *request.uri_mut() = with_path_and_query(&base, target)?;
        *request.headers_mut() = headers;
        Ok(signature)
    }

    fn stamp(&self, time: SystemTime) -> Stamp {
        let mut last = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stamp) = last.as_ref().filter(|last| last.date.is_of(time)) {
            return stamp.clone();
        }
        let date = RequestDate::new(time);
        let key = match last.take() {
            Some(last) if last.date.day() == date.day() => last.key,
            _ => {
                let scope = scope(&date, self.resource.region());
                SigningKey::derive(self.credentials.access_key_secret(), scope)
            }
        };
        let iso8601 = HeaderValue::from_str(date.iso8601()).expect("a date is ASCII");
        last.insert(Stamp { date, rfc1123: date.rfc1123(), iso8601, key }).clone()
    }

    #[inline] // Signing is 4 % slower without it.
    fn signature(
        &self,
        method: &Method,
        query: &str,
        headers: &HeaderMap,
        additional: &[HeaderName],
        date: &RequestDate,
        key: &SigningKey,
    ) -> Signature {
        let canonical =
            CanonicalRequest { method, resource: &self.resource, query, headers, additional };
        let text = SignedText::new(&canonical, date, key.scope());
        let value = key.sign(text.string_to_sign());
        Signature { text, value }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("resource", &self.resource)
            .field("credentials", &self.credentials)
            .field("additional_headers", &self.additional_headers)
            .finish_non_exhaustive()
    }
}

/// A signature, and the text that was signed. Compare that text with the one that a server reports
/// with `SignatureDoesNotMatch`.
///
/// `Display` prints the signature in hex, as it is sent. `Debug` prints neither signature nor text.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    text: SignedText,
    value: [u8; 32],
}

impl Signature {
    /// The canonical request. Contains the security token of STS credentials: keep it out of logs.
    #[must_use]
    pub fn canonical_request(&self) -> &[u8] {
        self.text.canonical_request()
    }

    /// The string to sign: algorithm, date, scope and the hash of the canonical request.
    #[must_use]
    pub fn string_to_sign(&self) -> &str {
        self.text.string_to_sign_text()
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&hex(&self.value)).expect("hex is ASCII"))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").finish_non_exhaustive()
    }
}

/// `uri` without the parameters of the query form, and the rest unchanged. `None` if it has no such
/// parameter.
fn without_query_form(uri: &Uri) -> Option<Uri> {
    // The names begin with `x-oss-`, and may be escaped.
    let query = uri.query().filter(|query| query.contains(['-', '%']))?;
    let is_kept = |part: &&str| {
        parameters(part).all(|(name, _)| {
            name::QUERY_FORM.iter().all(|signed| signed.as_bytes() != name.as_ref())
        })
    };
    let kept: Vec<&str> = query.split('&').filter(is_kept).collect();
    let mut target = uri.path().as_bytes().to_vec();
    if !kept.is_empty() {
        target.push(b'?');
        target.extend_from_slice(kept.join("&").as_bytes());
    }
    Some(with_path_and_query(uri, target).expect("removing parameters keeps a URI valid"))
}

fn with_path_and_query(uri: &Uri, target: Vec<u8>) -> Result<Uri, InvalidValue> {
    let mut parts = uri.clone().into_parts();
    let invalid =
        || InvalidValue::without_value("presigned uri", "must have a path and at most 65534 bytes");
    parts.path_and_query =
        Some(PathAndQuery::from_maybe_shared(Bytes::from(target)).map_err(|_| invalid())?);
    Uri::from_parts(parts).map_err(|_| invalid())
}
