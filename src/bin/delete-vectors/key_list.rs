//! The argument of `--keys`: a list as in ossutil, or a JSON array.
//!
//! A key may be any text, and deleting a key that does not exist is not an error. So ambiguous
//! input is rejected, with both readings.

use std::borrow::Cow;
use std::path::Path;

use oss_delete_vectors::Key;
use serde_json::{Value, json};

use crate::text::json_line;
use crate::usage_error::{quoted, shortened};

/// Parses `doc-001,doc-002` or `["doc-001","doc-002"]`.
pub(crate) fn parse(text: &str) -> Result<Vec<String>, String> {
    let trimmed = text.trim();
    let keys = match serde_json::from_str::<Vec<String>>(trimmed) {
        Ok(keys) => keys,
        // Text that looks like JSON is never split into keys.
        Err(error) if trimmed.starts_with(['[', '{', '"']) => {
            return Err(no_strings(trimmed, &error));
        }
        Err(_) => list(text.trim_end_matches(['\n', '\r']))?,
    };
    if keys.is_empty() {
        return Err("must have at least one key".to_owned());
    }
    for (position, key) in keys.iter().enumerate() {
        Key::new(key).map_err(|invalid| format!("[{position}]: {invalid}"))?;
    }
    Ok(keys)
}

/// The reason why JSON, or text that looks like it, is not an array of strings.
fn no_strings(text: &str, error: &serde_json::Error) -> String {
    let elements = match serde_json::from_str(text) {
        Ok(Value::Array(elements)) => elements,
        parsed => {
            let error = error.to_string();
            let error = shortened(&error);
            let reason =
                format!("not a JSON array of strings like '[\"doc-001\",\"doc-002\"]': {error}");
            // A comma inside of a JSON value does not separate keys.
            let list = match parsed {
                Ok(_) => vec![text],
                Err(_) => text.split(',').collect(),
            };
            return match as_json(&list) {
                Some(json) => {
                    format!("{reason}\nhelp: if it is not JSON but a list of keys, write '{json}'")
                }
                None => format!("{reason}\nhelp: write the keys as a JSON array of strings"),
            };
        }
    };
    let mut numbered = elements.iter().enumerate();
    let (position, element) =
        numbered.find(|(_, element)| !element.is_string()).expect("an element is not a string");
    let reason = format!("[{position}]: must be a string, not {}", shortened(&json_line(element)));
    if element.get("key").is_some_and(Value::is_string) {
        format!("{reason}\nhelp: jq -r '.[].key' prints the keys, and --keys-from - reads them")
    } else {
        reason
    }
}

/// The JSON of these keys, unless it is too long to be read.
fn as_json(keys: &[&str]) -> Option<String> {
    let json = json_line(&json!(keys));
    matches!(shortened(&json), Cow::Borrowed(_)).then_some(json)
}

/// `write '["a,b"]'`, or what to write if that is too long to be read.
fn write_as(keys: &[&str]) -> String {
    as_json(keys).map_or("write a JSON array".to_owned(), |json| format!("write '{json}'"))
}

/// Rejects a single key that is also the name of a file.
pub(crate) fn reject_path(text: &str) -> Result<(), String> {
    if text.is_empty() || !Path::new(text).is_file() {
        return Ok(());
    }
    Err(format!(
        "{text:?} is the name of a file, and could be a key\nhelp: --keys file://{text} or --keys-from {text} reads the \
         file; --keys '{}' is the key",
        json_line(&json!([text]))
    ))
}

/// Splits at commas. Spaces, line ends and empty items could belong to a key or to the list.
fn list(text: &str) -> Result<Vec<String>, String> {
    if text.contains(['\n', '\r']) {
        return Err("holds several lines: --keys-from reads one key per line".to_owned());
    }
    let keys: Vec<&str> = text.split(',').collect();
    for key in &keys {
        let trimmed = key.trim();
        if trimmed.len() < key.len() {
            return Err(both(key, trimmed, "has spaces around it"));
        }
        if key.is_empty() && keys.len() > 1 {
            return Err(format!(
                "has an empty key between its commas: leave the comma out, or, if it is part of a key, {}",
                write_as(&[text])
            ));
        }
    }
    Ok(keys.into_iter().map(str::to_owned).collect())
}

fn both(key: &str, trimmed: &str, what: &str) -> String {
    let quoted = quoted(key);
    match (as_json(&[key]), as_json(&[trimmed])) {
        (Some(exact), Some(trimmed)) => format!(
            "{quoted} {what}: write '{exact}' if they are part of the key, '{trimmed}' if not"
        ),
        _ => format!("{quoted} {what}: remove them, or write a JSON array"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_and_json_are_read() {
        for (text, expected) in [
            ("key", &["key"][..]),
            ("key,key1", &["key", "key1"]),
            ("key,key1\r\n", &["key", "key1"]),
            ("a b,1,null,-x", &["a b", "1", "null", "-x"]),
            ("a\"b,c[d],e{", &["a\"b", "c[d]", "e{"]),
            (r#" ["a,b", "c d"] "#, &["a,b", "c d"]),
            (r#"[" a"]"#, &[" a"]),
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn long_values_are_cut_in_errors() {
        let long = "x".repeat(20_000);
        for text in [
            format!("[{{\"key\":\"{long}\"}}]"),
            format!("[{long}]"),
            format!("\"{long}\""),
            format!("{{\"{long}\":1}}"),
            format!("{long},,"),
            format!(" {long},b"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.len() < 500, "{error}");
        }
    }

    #[test]
    fn ambiguous_input_is_rejected_with_both_readings() {
        for (text, expected) in [
            (
                "a, b",
                r#"" b" has spaces around it: write '[" b"]' if they are part of the key, '["b"]' if not"#,
            ),
            (
                "a ,b",
                r#""a " has spaces around it: write '["a "]' if they are part of the key, '["a"]' if not"#,
            ),
            (
                "a,,b",
                r#"has an empty key between its commas: leave the comma out, or, if it is part of a key, write '["a,,b"]'"#,
            ),
            (
                "a,",
                r#"has an empty key between its commas: leave the comma out, or, if it is part of a key, write '["a,"]'"#,
            ),
            ("a\nb", "holds several lines: --keys-from reads one key per line"),
            ("[]", "must have at least one key"),
            ("", "[0]: key must be 1 to 1024 characters, not \"\""),
            (r#"["a",""]"#, "[1]: key must be 1 to 1024 characters, not \"\""),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected, "{text:?}");
        }
        for text in ["[a,b]", r#""a","b""#, "{\"key\":\"a\"}", "{\"a\":1,\"b\":2}", "[\"a\""] {
            let error = parse(text).unwrap_err();
            let parts = if text.ends_with('}') { vec![text] } else { text.split(',').collect() };
            let list = serde_json::json!(parts);
            let list = format!("\nhelp: if it is not JSON but a list of keys, write '{list}'");
            assert!(error.starts_with("not a JSON array of strings like "), "{text}: {error}");
            assert!(error.ends_with(&list), "{text}: {error}");
        }
        // Characters that could garble a terminal are escaped as in JSON.
        assert_eq!(
            parse("a\u{7f}\u{202e},,b").unwrap_err(),
            r#"has an empty key between its commas: leave the comma out, or, if it is part of a key, write '["a\u007f\u202e,,b"]'"#
        );
        for (text, expected) in [
            ("[1,2]", "[0]: must be a string, not 1"),
            (r#"["a",null]"#, "[1]: must be a string, not null"),
            (
                r#"["a",{"key":"b","n":1}]"#,
                "[1]: must be a string, not {\"key\":\"b\",\"n\":1}\n\
                 help: jq -r '.[].key' prints the keys, and --keys-from - reads them",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected, "{text}");
        }
        let error = reject_path("Cargo.toml").unwrap_err();
        assert!(
            error.contains("--keys file://Cargo.toml") && error.contains(r#"'["Cargo.toml"]'"#)
        );
        assert_eq!(reject_path("no-such-file"), Ok(()));
    }
}
