//! Parses XML error documents, including incomplete ones.

/// The children of an `Error` element that have only text, by their names without a namespace
/// prefix. The element is the root, or inside of an `ErrorResponse`, whose other children are
/// included. For a truncated document, returns the complete children.
pub(super) fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let Some(Tag { name: root, mut rest, .. }) = open_tag(text) else { return fields };
    let is_wrapped = is_local(root, "ErrorResponse");
    if !is_wrapped && !is_local(root, "Error") {
        return fields;
    }
    loop {
        let Some(Tag { name, rest: after, is_empty }) = open_tag(rest) else {
            // The end of an inner `Error`: more children may follow.
            match rest.trim_start().strip_prefix("</").and_then(|rest| rest.split_once('>')) {
                Some((name, after)) if is_wrapped && is_local(name.trim_end(), "Error") => {
                    rest = after;
                }
                _ => return fields,
            }
            continue;
        };
        if is_empty {
            fields.push((local(name).to_owned(), String::new()));
            rest = after;
        } else if is_wrapped && is_local(name, "Error") {
            rest = after;
        } else {
            let Some((content, after)) = split_at_end(after, name) else { return fields };
            if let Some(value) = unescaped(content) {
                fields.push((local(name).to_owned(), value));
            }
            rest = after;
        }
    }
}

/// `Code` of `oss:Code`.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or_default()
}

fn is_local(name: &str, expected: &str) -> bool {
    local(name).eq_ignore_ascii_case(expected)
}

struct Tag<'a> {
    name: &'a str,
    rest: &'a str,
    /// `<Name/>`.
    is_empty: bool,
}

/// The start tag at the beginning of `text`, after white space, comments and declarations. `None`
/// for anything else.
fn open_tag(text: &str) -> Option<Tag<'_>> {
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
    let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
    let name = tag.split_ascii_whitespace().next()?;
    (!tag.starts_with(char::is_whitespace) && !name.contains(['/', '<'])).then_some(Tag {
        name,
        rest,
        is_empty,
    })
}

/// Splits `text` at the end tag of `name`.
fn split_at_end<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let end_tag = format!("</{name}");
    let mut from = 0;
    loop {
        let start = from + text[from..].find(&end_tag)?;
        from = start + end_tag.len();
        if let Some(rest) = text[from..].trim_start().strip_prefix('>') {
            return Some((&text[..start], rest));
        }
    }
}

/// The unescaped text of an element; `None` if it has children.
fn unescaped(content: &str) -> Option<String> {
    let content = content.trim();
    if let Some(data) = content.strip_prefix("<![CDATA[").and_then(|data| data.strip_suffix("]]>"))
    {
        return Some(data.to_owned());
    }
    if content.contains('<') {
        return None;
    }
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        // No entity is longer. Without this limit, many ampersands would take quadratic time.
        let end = after.bytes().take(MAX_ENTITY).position(|byte| byte == b';');
        let entity = end.and_then(|end| Some((entity(&after[..end])?, &after[end + 1..])));
        rest = match entity {
            Some((character, after)) => {
                out.push(character);
                after
            }
            // A bare ampersand, as in hand-written documents.
            None => {
                out.push('&');
                after
            }
        };
    }
    out.push_str(rest);
    Some(out)
}

/// `&#x10FFFF;` with some leading zeros.
pub(super) const MAX_ENTITY: usize = 16;

pub(super) fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn xml_is_read_with_entities_comments_cdata_and_attributes() {
        let text = "<?xml version=\"1.0\"?><!DOCTYPE x><!-- > --><Error xmlns='x'> <Code a=\"b\">A&amp;B</Code>\
                    <Message><![CDATA[<b> & ]]></Message><Null></Null><Nested><Code>no</Code></Nested>\
                    <EC>&#65;&#x42;&#xD800;&unknown;&</EC></Error>";
        let expected =
            [("Code", "A&B"), ("Message", "<b> & "), ("Null", ""), ("EC", "AB&#xD800;&unknown;&")];
        assert_eq!(fields(text), pairs(&expected));
    }

    #[test]
    fn entities_are_unescaped() {
        for (text, expected) in [
            ("&lt;&gt;&amp;&quot;&apos;", "<>&\"'"),
            ("&#60;&#x3e;&#X3E;&#x1F600;", "<>>😀"),
            ("&amp;lt;", "&lt;"),
            ("&LT; &nbsp; &#; &#x; &;", "&LT; &nbsp; &#; &#x; &;"),
            // The longest entity that is read, and one more digit.
            ("&#x000000000003E;", ">"),
            ("&#x0000000000003E;", "&#x0000000000003E;"),
        ] {
            assert_eq!(unescaped(text).unwrap(), expected);
        }
    }

    #[test]
    fn children_before_a_break_in_xml_are_read() {
        let text = "<Error><Code>SlowDown</Code><Message>m</Message></Error>";
        for end in 0..=text.len() {
            let expected = match end {
                0..28 => &[][..],
                28..48 => &[("Code", "SlowDown")][..],
                _ => &[("Code", "SlowDown"), ("Message", "m")][..],
            };
            assert_eq!(fields(&text[..end]), pairs(expected), "{}", &text[..end]);
        }
    }

    #[test]
    fn namespaces_wrappers_and_empty_elements_hide_nothing() {
        let expected = [("Code", "SlowDown"), ("Message", "m")];
        for text in [
            "<Error xmlns=\"http://doc.oss-cn-hangzhou.aliyuncs.com\"><Code>SlowDown</Code><Message>m</Message></Error>",
            "<oss:Error xmlns:oss='x'><oss:Code>SlowDown</oss:Code><oss:Message>m</oss:Message></oss:Error>",
            "<ErrorResponse><Error><Code>SlowDown</Code><Message>m</Message></Error></ErrorResponse>",
            "<ErrorResponse xmlns='x'>\n <a:Error>\n<a:Code>SlowDown</a:Code></a:Error ><Message>m</Message></ErrorResponse>",
            "<ErrorResponse><Code>SlowDown</Code><Message>m</Message></ErrorResponse>",
            "<error><Code >SlowDown</Code ><Message\n>m</Message\n></error>",
            "<Error><Code>SlowDown</Code><Message>m</Message>",
        ] {
            assert_eq!(fields(text), pairs(&expected), "{text}");
        }
        let text = "<Error><HostId/><RequestId a='b' /><Code>SlowDown</Code></Error>";
        assert_eq!(fields(text), pairs(&[("HostId", ""), ("RequestId", ""), ("Code", "SlowDown")]));
        for text in [
            "",
            "<",
            "<Fault><Code>a</Code></Fault>",
            "<html><Error><Code>a</Code></Error></html>",
            "< Error><Code>a</Code>",
        ] {
            assert_eq!(fields(text), [], "{text}");
        }
        assert_eq!(fields("<Error><Code>a</Codex></Code></Error>"), [], "an element with children");
        for text in [
            "<Error><Code>a</Code></Error><Message>m</Message>",
            "<ErrorResponse><Error><Code>a</Code></Error></ErrorResponse><Message>m</Message>",
        ] {
            assert_eq!(fields(text), pairs(&[("Code", "a")]), "the root has ended");
        }
    }
}
