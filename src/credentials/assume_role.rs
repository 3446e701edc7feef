//! A role assumed with other credentials.

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::error::SourceErrorKind;
use super::response::Received;
use super::source::{Reply, Source, Step};
use super::sts::{self, Sts};
use super::{Credentials, secret_header};
use crate::InvalidValue;
use crate::operation::Secrets;
use crate::signing::{hex, on_wiped_stack};

/// A RAM role assumed with the credentials of another source, by a signed call of STS.
///
/// A request that is rejected because of its timestamp is sent again with the time of STS.
#[derive(Debug, Clone)]
pub struct AssumeRole {
    sts: Sts,
    base: Source,
    external_id: Option<String>,
    /// The sender of the last request, and whether it used the time of STS.
    sent: Option<(Credentials, bool)>,
}

impl AssumeRole {
    /// The role, and the source whose credentials may assume it.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the field `role ARN`.
    pub fn new(base: impl Into<Source>, role_arn: &str) -> Result<Self, InvalidValue> {
        Ok(Self { sts: Sts::new(role_arn)?, base: base.into(), external_id: None, sent: None })
    }

    /// As [`Oidc::session_name`](super::Oidc::session_name).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn session_name(mut self, name: &str) -> Result<Self, InvalidValue> {
        self.sts.set_session_name(name)?;
        Ok(self)
    }

    /// The external id that the role requires.
    #[must_use]
    pub fn external_id(self, id: &str) -> Self {
        Self { external_id: Some(id.to_owned()), ..self }
    }

    /// As [`Oidc::sts_address`](super::Oidc::sts_address).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn sts_address(mut self, uri: &str) -> Result<Self, InvalidValue> {
        self.sts.set_address(uri)?;
        Ok(self)
    }

    pub(super) fn start(&mut self, now: SystemTime) -> Step {
        self.sent = None;
        let step = self.base.start(now);
        self.proceed(now, step)
    }

    pub(super) fn handle(&mut self, now: SystemTime, reply: Reply) -> Step {
        let Some((base, has_time)) = self.sent.take() else {
            let step = self.base.handle(now, reply);
            return self.proceed(now, step);
        };
        let kind = match reply {
            Reply::Failure(error) => SourceErrorKind::Unreachable(error),
            Reply::File(_) => SourceErrorKind::NotAsked,
            Reply::Response(response) => {
                let response = Received::new(response);
                match self.sts.credentials(now, &response, &Secrets::of(&base)) {
                    Ok(credentials) => return Step::Done(Ok(credentials)),
                    Err((_, Some(time))) if !has_time => return self.send(time, base, true),
                    Err((kind, _)) => kind,
                }
            }
        };
        Step::Done(Err(self.sts.failed(kind)))
    }

    /// Sends the call when the base has credentials.
    fn proceed(&mut self, now: SystemTime, step: Step) -> Step {
        match step {
            Step::Done(Ok(base)) => self.send(now, base, false),
            step => step,
        }
    }

    fn send(&mut self, time: SystemTime, base: Credentials, has_time: bool) -> Step {
        let external_id = self.external_id.as_deref().map(|id| ("ExternalId", id));
        let mut request = self.sts.request("/", external_id.as_slice());
        sign(&mut request, "AssumeRole", sts::VERSION, &nonce(time, &base), time, &base);
        self.sent = Some((base, has_time));
        Step::Send(request)
    }
}

/// The name of the source, for messages.
impl fmt::Display for AssumeRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.sts, self.base)
    }
}

/// Unique for a key and a time, to the nanosecond. STS rejects a repeated nonce.
fn nonce(time: SystemTime, base: &Credentials) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let text = format!("{since} {}", base.access_key_id());
    sha256(text.as_bytes())[..32].to_owned()
}

/// Signs with ACS3-HMAC-SHA256, like all calls of the Alibaba Cloud API. A query must be in
/// canonical form.
fn sign(
    request: &mut Request<Bytes>,
    action: &str,
    version: &str,
    nonce: &str,
    time: SystemTime,
    credentials: &Credentials,
) {
    let content = sha256(request.body());
    let date = sts::timestamp(time);
    let headers = request.headers_mut();
    for (name, value) in [
        ("x-acs-action", action),
        ("x-acs-content-sha256", &content),
        ("x-acs-date", &date),
        ("x-acs-signature-nonce", nonce),
        ("x-acs-version", version),
    ] {
        let value = HeaderValue::from_str(value).expect("every value is visible ASCII");
        headers.insert(HeaderName::from_static(name), value);
    }
    if let Some(token) = credentials.security_token() {
        let token = secret_header(token).expect("a token is a header value");
        headers.insert("x-acs-security-token", token);
    }
    let mut headers: Vec<_> = request.headers().iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let (method, uri) = (request.method().as_str(), request.uri());
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let lines = headers.iter().flat_map(|(name, value)| {
        [name.as_str(), ":", value.to_str().unwrap_or_default().trim(), "\n"]
    });
    let before = [method, "\n", path, "\n", query, "\n"].into_iter();
    let parts = before.chain(lines).chain(["\n", &names, "\n", &content]);
    // Contains the token, so it is wiped, and must not be reallocated.
    let mut canonical = Zeroizing::new(String::with_capacity(parts.clone().map(str::len).sum()));
    parts.for_each(|part| canonical.push_str(part));
    let to_sign = format!("ACS3-HMAC-SHA256\n{}", sha256(canonical.as_bytes()));
    let signature = on_wiped_stack(|| {
        let mac = Hmac::<Sha256>::new_from_slice(credentials.access_key_secret().as_bytes());
        let mac = mac.expect("HMAC takes keys of any length").chain_update(to_sign.as_bytes());
        hex(&mac.finalize().into_bytes().into())
    });
    let signature = String::from_utf8_lossy(&signature).into_owned();
    let id = credentials.access_key_id();
    let value =
        format!("ACS3-HMAC-SHA256 Credential={id},SignedHeaders={names},Signature={signature}");
    let value = HeaderValue::from_str(&value).expect("every part is visible ASCII");
    request.headers_mut().insert(AUTHORIZATION, value);
}

fn sha256(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&hex(&Sha256::digest(bytes).into())).into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// The example in the API reference, "Request syntax and signature method V3".
    #[test]
    fn the_signature_is_that_of_the_reference() {
        let query =
            "ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai";
        let mut request = Request::post(format!("https://ecs.cn-shanghai.aliyuncs.com/?{query}"))
            .header("host", "ecs.cn-shanghai.aliyuncs.com")
            .body(Bytes::new())
            .unwrap();
        let credentials = Credentials::new("YourAccessKeyId", "YourAccessKeySecret").unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(1_698_315_752);
        let nonce = "3156853299f313e23d1673dc12e1703d";
        sign(&mut request, "RunInstances", "2014-05-26", nonce, time, &credentials);
        assert_eq!(
            request.headers()["authorization"],
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,\
             SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,\
             Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
    }

    #[test]
    fn nonces_are_unique() {
        let credentials = Credentials::new("id", "secret").unwrap();
        let nonces =
            [0, 1, 2].map(|nanos| nonce(UNIX_EPOCH + Duration::from_nanos(nanos), &credentials));
        assert!(nonces[0] != nonces[1] && nonces[1] != nonces[2], "{nonces:?}");
    }
}
