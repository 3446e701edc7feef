use base64ct::{Base64, Encoding};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use serde_json::{Map, Value};

use super::redact::Secrets;
use super::{header, xml};

/// The error document of a response, in any format, as far as it can be parsed. `fields` has all
/// text members.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorDocument {
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) ec: Option<String>,
    pub(crate) server_time: Option<String>,
    pub(crate) fields: Vec<(String, String)>,
}

impl ErrorDocument {
    /// Parses the document from `body` or, if it is missing, from the header that replaces it. The
    /// first character decides the format, because gateways send wrong content types.
    pub(crate) fn parse(headers: &HeaderMap, body: &[u8]) -> Self {
        let document = Self::parse_text(body);
        if document.code.is_some() {
            return document;
        }
        let in_header = headers
            .get(header::ERR)
            .and_then(|err| Base64::decode_vec(err.to_str().ok()?.trim()).ok());
        let in_header = in_header.map(|text| Self::parse_text(&text));
        in_header
            .filter(|in_header| in_header.code.is_some() || document.message.is_none())
            .unwrap_or(document)
    }

    fn parse_text(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let text = text.trim_start_matches('\u{feff}').trim();
        match text.as_bytes().first() {
            Some(b'{') => Self::parse_json(text),
            Some(b'<') => Self::from_fields(xml::fields(text)),
            _ => Self::default(),
        }
    }

    fn parse_json(text: &str) -> Self {
        let Ok(Value::Object(document)) = serde_json::from_str(text) else {
            return Self::from_fields(recover_json_fields(text));
        };
        let document = match member(&document, "ErrorResponse") {
            Some(Value::Object(wrapped)) => wrapped,
            _ => &document,
        };
        match member(document, "Error") {
            Some(Value::Object(error)) => Self::from_fields(text_members(error)),
            None if member(document, "Code").is_some_and(Value::is_string) => {
                Self::from_fields(text_members(document))
            }
            _ => {
                let message =
                    member(document, "Message").and_then(Value::as_str).map(str::to_owned);
                Self { message, ..Self::default() }
            }
        }
    }

    fn from_fields(fields: Vec<(String, String)>) -> Self {
        let named = |name: &str| {
            // An empty member counts as missing, so that it does not hide one in another spelling.
            let mut filled = fields.iter().filter(|(_, value)| !value.is_empty());
            let exact = filled.clone().find(|(field, _)| field == name);
            let found =
                exact.or_else(|| filled.find(|(field, _)| field.eq_ignore_ascii_case(name)));
            found.map(|(_, value)| value.clone())
        };
        let [code, message, request_id, ec, server_time] =
            ["Code", "Message", "RequestId", "EC", "ServerTime"].map(named);
        Self { code, message, request_id, ec, server_time, fields }
    }
}

/// Whether the body of a 2xx has no error: it is empty, `null`, or a JSON object without an error
/// at any depth. Anything else is not from OSS.
pub(super) fn is_empty_or_without_error(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    let is_well = |value: Value| (value.is_object() || value.is_null()) && !has_error(&value);
    body.is_empty() || serde_json::from_slice(body).is_ok_and(is_well)
}

/// Whether a member belongs to an error, such as `Error`, `ErrorResponse`, `errors`, `Code`,
/// `failedKeys` or `"success": false`.
fn has_error(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| {
            let name = name.to_ascii_lowercase();
            matches!(&*name, "code" | "message")
                || ["error", "exception", "fail"].iter().any(|word| name.contains(word))
                || (name == "success" && *value == Value::Bool(false))
                || has_error(value)
        }),
        Value::Array(values) => values.iter().any(has_error),
        _ => false,
    }
}

/// Finds a member by its name. An exact match is preferred to one that differs in case.
pub(crate) fn member<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let in_any_case = || {
        members.iter().find(|(member, _)| member.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    members.get(name).or_else(in_any_case)
}

fn text_members(members: &Map<String, Value>) -> Vec<(String, String)> {
    members
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// The important members of truncated or broken JSON, as far as they are complete.
fn recover_json_fields(text: &str) -> Vec<(String, String)> {
    let recover = |name: &str| {
        let quoted = format!("\"{name}\"");
        let after = &text[text.find(&quoted)? + quoted.len()..];
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        // A stream, because it ends after the string. The rest may be broken.
        let value: Value = serde_json::Deserializer::from_str(value).into_iter().next()?.ok()?;
        Some((name.to_owned(), value.as_str()?.to_owned()))
    };
    ["Code", "Message", "RequestId", "EC", "ServerTime", "Endpoint"]
        .iter()
        .filter_map(|name| recover(name))
        .collect()
}

/// Describes a body that is not an error document, on one line: its encoding or its beginning.
pub(super) fn shown(headers: &HeaderMap, body: &[u8], secrets: &Secrets<'_>) -> String {
    const SHOWN_CHARS: usize = 120;
    if let Some(encoding) = encoding(headers, body) {
        return format!("the body is {encoding}-encoded");
    }
    // Redacts before cutting, because half a secret at the cut would not be found.
    let text = secrets.redact(String::from_utf8_lossy(body).into_owned());
    let mut words = String::new();
    for word in text.split_whitespace() {
        if words.len() > 4 * SHOWN_CHARS {
            break;
        }
        words.extend([if words.is_empty() { "" } else { " " }, word]);
    }
    if words.is_empty() {
        return "the body is empty".to_owned();
    }
    let cut: String = words.chars().take(SHOWN_CHARS).collect();
    format!("the body is {cut:?}")
}

/// The encoding that hides the document. It was not requested, but a gateway may add one.
fn encoding(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    const GZIP: &[u8] = b"\x1f\x8b";
    let named = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let mut named =
        named.map(|name| name.trim().to_ascii_lowercase()).filter(|name| name != "identity");
    let is_name = |name: &String| {
        !name.is_empty() && name.len() <= 20 && name.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match named.find(is_name) {
        // The header is wrong, because the body is text.
        Some(_)
            if body.is_empty()
                || body
                    .iter()
                    .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) =>
        {
            None
        }
        Some(name) => Some(name),
        None => body.starts_with(GZIP).then(|| "gzip".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_before_a_break_in_json_are_read() {
        let text = r#"{"Error":{"Message":"m","Code":"SlowDown","EC":"E"}}"#;
        for end in 0..text.len() {
            let document = ErrorDocument::parse(&HeaderMap::new(), &text.as_bytes()[..end]);
            assert_eq!(
                document.code.as_deref(),
                (end >= 41).then_some("SlowDown"),
                "{}",
                &text[..end]
            );
            assert_eq!(document.message.as_deref(), (end >= 23).then_some("m"), "{}", &text[..end]);
        }
    }

    #[test]
    fn empty_member_does_not_hide_another_spelling() {
        for (text, code, ec) in [
            ("<Error><Code>a</Code><eC></eC><Ec>x</Ec></Error>", Some("a"), Some("x")),
            ("<Error><EC></EC><ec>x</ec><Code/></Error>", None, Some("x")),
            ("<Error><code>b</code><Code></Code></Error>", Some("b"), None),
            ("<Error><code>b</code><Code>a</Code><EC> </EC></Error>", Some("a"), None),
            (r#"{"Error":{"Ec":"","eC":"x","code":"b","Code":""}}"#, Some("b"), Some("x")),
        ] {
            let document = ErrorDocument::parse(&HeaderMap::new(), text.as_bytes());
            assert_eq!((document.code.as_deref(), document.ec.as_deref()), (code, ec), "{text}");
        }
    }

    #[test]
    fn wrapped_document_is_read() {
        for text in [
            r#"{"ErrorResponse":{"Error":{"Code":"a","Message":"m"}}}"#,
            r#"{"errorresponse":{"Code":"a","Message":"m"}}"#,
            r#"{"Error":{"Code":"a","Message":"m"},"RequestId":"r"}"#,
        ] {
            let document = ErrorDocument::parse(&HeaderMap::new(), text.as_bytes());
            assert_eq!(
                (document.code.as_deref(), document.message.as_deref()),
                (Some("a"), Some("m")),
                "{text}"
            );
        }
    }

    #[test]
    fn header_replaces_a_missing_document() {
        let base64 = Base64::encode_string(br#"{"Error":{"Code":"a"}}"#);
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static(header::ERR),
            base64.parse().unwrap(),
        )]);
        for (body, code) in [
            ("", "a"),
            ("oops", "a"),
            ("\x1f\u{8b}", "a"),
            (r#"{"Error":{"Message":"m"}}"#, "a"),
            (r#"{"Code":"b"}"#, "b"),
        ] {
            assert_eq!(
                ErrorDocument::parse(&headers, body.as_bytes()).code.as_deref(),
                Some(code),
                "{body:?}"
            );
        }
    }

    #[test]
    fn other_bodies_are_abbreviated() {
        let shown = |body: &[u8]| shown(&HeaderMap::new(), body, &Secrets::none());
        assert_eq!(shown(b" \n"), "the body is empty");
        assert_eq!(shown(b"<h1>\n 502\x1b </h1>"), r#"the body is "<h1> 502\u{1b} </h1>""#);
        assert_eq!(shown(&[b'x'; 2000]).len(), 134);
        assert_eq!(shown("😀 ".repeat(100).as_bytes()).chars().count(), 134);
    }

    #[test]
    fn encoded_bodies_are_described() {
        let gzip: &[u8] = b"\x1f\x8b\x08\0\0\xff";
        let other: &[u8] = b"\x0b\x02\x80\xff";
        let long = "x".repeat(21);
        for (header, body, expected) in [
            ("", gzip, "the body is gzip-encoded"),
            ("gzip", gzip, "the body is gzip-encoded"),
            ("GZip", gzip, "the body is gzip-encoded"),
            ("identity, br", other, "the body is br-encoded"),
            ("zstd", other, "the body is zstd-encoded"),
            ("gzip", b"oops", "the body is \"oops\""),
            ("gzip", b"", "the body is empty"),
            ("identity", b"oops", "the body is \"oops\""),
            (&long, b"\xff", "the body is \"\u{fffd}\""),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_ENCODING, header.parse().unwrap())]);
            assert_eq!(shown(&headers, body, &Secrets::none()), expected, "{header} {body:?}");
        }
    }
}
