//! The common parts of STS calls: address, dates, responses.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Uri};
use zeroize::Zeroizing;

use super::error::SourceErrorKind;
use super::response::Received;
use super::{Credentials, SourceError, parse_uri};
use crate::InvalidValue;
use crate::operation::Secrets;
use crate::signing::{RequestDate, percent_encode};

pub(super) const VERSION: &str = "2015-04-01";

/// The requested lifetime of a session, in seconds.
const LIFETIME: &str = "3600";

/// The role to assume, and the address of STS.
#[derive(Debug, Clone)]
pub(super) struct Sts {
    address: Uri,
    role_arn: String,
    session_name: String,
}

impl Sts {
    pub(super) fn new(role_arn: &str) -> Result<Self, InvalidValue> {
        let is_text = role_arn.bytes().all(|byte| byte.is_ascii_graphic());
        if !role_arn.starts_with("acs:ram::") || !is_text {
            let rule = "must be an ARN, such as acs:ram::1234567890123456:role/my-role";
            return Err(InvalidValue::new("role ARN", rule, role_arn));
        }
        Ok(Self {
            address: Uri::from_static("https://sts.aliyuncs.com"),
            role_arn: role_arn.to_owned(),
            session_name: "oss-delete-vectors".to_owned(),
        })
    }

    pub(super) fn set_session_name(&mut self, name: &str) -> Result<(), InvalidValue> {
        let is_part =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'-');
        if !(2..=64).contains(&name.len()) || !name.bytes().all(is_part) {
            let rule = "must be 2 to 64 characters of A-Z, a-z, 0-9 and ._@-";
            return Err(InvalidValue::new("role session name", rule, name));
        }
        name.clone_into(&mut self.session_name);
        Ok(())
    }

    pub(super) fn set_address(&mut self, uri: &str) -> Result<(), InvalidValue> {
        self.address = parse_uri("STS address", uri)?;
        Ok(())
    }

    /// A `POST` of a form with these fields and those of the role.
    pub(super) fn request(&self, path: &str, fields: &[(&str, &str)]) -> Request<Bytes> {
        let role = [
            ("DurationSeconds", LIFETIME),
            ("RoleArn", self.role_arn.as_str()),
            ("RoleSessionName", self.session_name.as_str()),
        ];
        let mut request = Request::new(form(role.iter().chain(fields)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = super::with_path(&self.address, path);
        let headers = request.headers_mut();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        let host = self.address.authority().map_or("", |authority| authority.as_str());
        headers.insert(HOST, host.parse().expect("an authority is a header value"));
        request
    }

    /// Parses the credentials of a response. `Err(Some)` if the clock of this host is wrong: the
    /// time of the service, for another attempt.
    pub(super) fn credentials(
        &self,
        now: SystemTime,
        response: &Received,
        secrets: &Secrets<'_>,
    ) -> Result<Credentials, (SourceErrorKind, Option<SystemTime>)> {
        if response.status.is_success() {
            return response.credentials(now, Some("Credentials")).map_err(|kind| match kind {
                // The value may contain what was sent to the server.
                SourceErrorKind::Invalid(value) => (SourceErrorKind::Invalid(value.hidden()), None),
                kind => (kind, None),
            });
        }
        let kind = response.error(secrets);
        let is_skewed = matches!(&kind, SourceErrorKind::Rejected { code: Some(code), .. }
            if code.starts_with("InvalidTimeStamp"));
        let date = response.date().filter(|_| is_skewed);
        Err((kind, date))
    }

    pub(super) fn failed(&self, kind: SourceErrorKind) -> SourceError {
        SourceError::new(self.to_string(), kind)
    }
}

/// The name of the source, for messages.
impl std::fmt::Display for Sts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = self.address.authority().map_or("", |authority| authority.as_str());
        write!(f, "STS at {host}, for {}", self.role_arn)
    }
}

/// `2026-09-03T12:00:00Z`.
pub(super) fn timestamp(time: SystemTime) -> String {
    let date = RequestDate::new(time);
    let text = date.iso8601();
    let [year, month, day] = [&text[..4], &text[4..6], &text[6..8]];
    let [hour, minute, second] = [&text[9..11], &text[11..13], &text[13..15]];
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")
}

/// `a=b&c=d`, percent-encoded. Its memory is wiped when the last owner is dropped, because a field
/// may be a token.
pub(super) fn form<'a>(fields: impl Iterator<Item = &'a (&'a str, &'a str)> + Clone) -> Bytes {
    // At most three bytes per byte. A growing buffer would leave copies behind.
    let room = fields.clone().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(room));
    for (name, value) in fields {
        if !out.is_empty() {
            out.push(b'&');
        }
        percent_encode(name.as_bytes(), &mut out);
        out.push(b'=');
        percent_encode(value.as_bytes(), &mut out);
    }
    Bytes::from_owner(out)
}
