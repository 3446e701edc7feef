use std::borrow::Cow;

use base64ct::{Base64, Encoding};
use http::HeaderMap;
use serde_json::{Map, Value};

use super::header;

/// What could be read of an answer's error document, whatever its form. `fields` holds all its members that are text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorDocument {
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) ec: Option<String>,
    pub(super) fields: Vec<(String, String)>,
}

impl ErrorDocument {
    /// Reads the document in `body` or, where that is empty, in the header that stands in for it. The content type is not
    /// asked: gateways get it wrong, and the first character tells.
    pub(super) fn parse(headers: &HeaderMap, body: &[u8]) -> Self {
        let decoded;
        let body = if body.is_empty() {
            decoded = headers.get(header::ERR).and_then(|err| Base64::decode_vec(err.to_str().ok()?.trim()).ok());
            decoded.as_deref().unwrap_or_default()
        } else {
            body
        };
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        match text.as_bytes().first() {
            Some(b'{') => Self::parse_json(text),
            Some(b'<') => Self::from_fields(xml_fields(text)),
            _ => Self::default(),
        }
    }

    fn parse_json(text: &str) -> Self {
        let Ok(Value::Object(document)) = serde_json::from_str(text) else {
            return Self::from_fields(recover_json_fields(text));
        };
        match member(&document, "Error") {
            Some(Value::Object(error)) => Self::from_fields(text_members(error)),
            None if member(&document, "Code").is_some_and(Value::is_string) => Self::from_fields(text_members(&document)),
            _ => {
                let message = member(&document, "Message").and_then(Value::as_str).map(str::to_owned);
                Self { message, ..Self::default() }
            }
        }
    }

    fn from_fields(fields: Vec<(String, String)>) -> Self {
        let named = |name: &str| {
            // An empty one is as good as none, and hides none that is written otherwise.
            let mut filled = fields.iter().filter(|(_, value)| !value.is_empty());
            let exact = filled.clone().find(|(field, _)| field == name);
            let found = exact.or_else(|| filled.find(|(field, _)| field.eq_ignore_ascii_case(name)));
            found.map(|(_, value)| value.clone())
        };
        Self { code: named("Code"), message: named("Message"), request_id: named("RequestId"), ec: named("EC"), fields }
    }
}

/// Whether the body of a 2xx speaks of no error: empty, or JSON that has none in it. Anything else is somebody else's page.
pub(super) fn is_empty_or_without_error(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    body.is_empty()
        || match serde_json::from_slice(body) {
            Ok(Value::Object(document)) => ["Error", "Code"].iter().all(|name| member(&document, name).is_none()),
            Ok(_) => true,
            Err(_) => false,
        }
}

/// A member by its name, in this spelling or else in any case.
fn member<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let in_any_case = || members.iter().find(|(member, _)| member.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    members.get(name).or_else(in_any_case)
}

fn text_members(members: &Map<String, Value>) -> Vec<(String, String)> {
    members.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// What can be told from JSON that is cut short or broken: the members that matter, where they are whole.
fn recover_json_fields(text: &str) -> Vec<(String, String)> {
    let recover = |name: &str| {
        let quoted = format!("\"{name}\"");
        let after = &text[text.find(&quoted)? + quoted.len()..];
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        // A stream ends where the string does: what follows may be broken.
        let value: Value = serde_json::Deserializer::from_str(value).into_iter().next()?.ok()?;
        Some((name.to_owned(), value.as_str()?.to_owned()))
    };
    ["Code", "Message", "RequestId", "EC"].iter().filter_map(|name| recover(name)).collect()
}

/// The children of an `Error` root that hold text alone. A document that breaks off gives what stands before the break.
fn xml_fields(text: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let Some((root, mut rest)) = open_tag(text) else { return fields };
    if root != "Error" {
        return fields;
    }
    while let Some((name, after)) = open_tag(rest) {
        let close = format!("</{name}>");
        let Some(end) = after.find(&close) else { break };
        if let Some(value) = xml_text(&after[..end]) {
            fields.push((name.to_owned(), value));
        }
        rest = &after[end + close.len()..];
    }
    fields
}

/// The name of the element that `text` begins with and what follows its tag, past white space, comments and declarations.
/// `None` for anything else, an end tag among it.
fn open_tag(text: &str) -> Option<(&str, &str)> {
    let mut text = text.trim_start();
    loop {
        let end = if text.starts_with("<!--") {
            "-->"
        } else if text.starts_with("<?") || text.starts_with("<!") {
            ">"
        } else {
            break;
        };
        text = text.split_once(end)?.1.trim_start();
    }
    let (tag, rest) = text.strip_prefix('<')?.split_once('>')?;
    let name = tag.split_ascii_whitespace().next()?;
    (!name.contains(['/', '<'])).then_some((name, rest))
}

/// The text of an element, unescaped; `None` where it has children.
fn xml_text(content: &str) -> Option<String> {
    let content = content.trim();
    if let Some(data) = content.strip_prefix("<![CDATA[").and_then(|data| data.strip_suffix("]]>")) {
        return Some(data.to_owned());
    }
    if content.contains('<') {
        return None;
    }
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        // The longest entity ends in sight: to look further for each ampersand would take a square of the time.
        let end = after.bytes().take(LONGEST_ENTITY).position(|byte| byte == b';');
        let entity = end.and_then(|end| Some((xml_entity(&after[..end])?, &after[end + 1..])));
        rest = match entity {
            Some((character, after)) => {
                out.push(character);
                after
            }
            // A bare ampersand, as hand-written documents have it.
            None => {
                out.push('&');
                after
            }
        };
    }
    out.push_str(rest);
    Some(out)
}

/// `&#x10FFFF;`, and some leading zeros.
const LONGEST_ENTITY: usize = 16;

fn xml_entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

/// A short, printable beginning of a body that is no error document, for the message in its stead.
pub(super) fn shown(body: &[u8]) -> Cow<'static, str> {
    const SHOWN_CHARS: usize = 120;
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * SHOWN_CHARS)]);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return Cow::Borrowed("an empty body");
    }
    let cut: String = words.chars().take(SHOWN_CHARS).collect();
    Cow::Owned(format!("{cut:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(text: &str) -> Vec<(String, String)> {
        ErrorDocument::parse(&HeaderMap::new(), text.as_bytes()).fields
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn xml_is_read_with_entities_comments_cdata_and_attributes() {
        let text = "\u{feff}<?xml version=\"1.0\"?><!DOCTYPE x><!-- > --><Error xmlns='x'> <Code a=\"b\">A&amp;B</Code>\
                    <Message><![CDATA[<b> & ]]></Message><Null></Null><Nested><Code>no</Code></Nested>\
                    <EC>&#65;&#x42;&#xD800;&unknown;&</EC></Error>";
        let expected = [("Code", "A&B"), ("Message", "<b> & "), ("Null", ""), ("EC", "AB&#xD800;&unknown;&")];
        assert_eq!(xml(text), pairs(&expected));
    }

    #[test]
    fn xml_gives_what_stands_before_it_breaks_off() {
        let text = "<Error><Code>SlowDown</Code><Message>m</Message></Error>";
        for end in 0..=text.len() {
            let expected = match end {
                0..28 => &[][..],
                28..48 => &[("Code", "SlowDown")][..],
                _ => &[("Code", "SlowDown"), ("Message", "m")][..],
            };
            assert_eq!(xml(&text[..end]), pairs(expected), "{}", &text[..end]);
        }
    }

    #[test]
    fn json_gives_what_stands_before_it_breaks_off() {
        let text = r#"{"Error":{"Message":"m","Code":"SlowDown","EC":"E"}}"#;
        for end in 0..text.len() {
            let document = ErrorDocument::parse(&HeaderMap::new(), &text.as_bytes()[..end]);
            assert_eq!(document.code.as_deref(), (end >= 41).then_some("SlowDown"), "{}", &text[..end]);
            assert_eq!(document.message.as_deref(), (end >= 23).then_some("m"), "{}", &text[..end]);
        }
    }

    #[test]
    fn an_empty_member_hides_none() {
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
    fn a_body_that_is_no_document_is_shown_in_short() {
        assert_eq!(shown(b" \n"), "an empty body");
        assert_eq!(shown(b"<h1>\n 502\x1b </h1>"), r#""<h1> 502\u{1b} </h1>""#);
        assert_eq!(shown(&[b'x'; 2000]).len(), 122);
    }
}
