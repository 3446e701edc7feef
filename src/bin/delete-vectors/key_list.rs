//! The argument of `--keys`: a list as in ossutil, or a JSON array.
//!
//! A key may be any text, and deleting a key that does not exist is not an error. So ambiguous
//! input is rejected, with both readings.

use std::path::Path;

use oss_delete_vectors::Key;
use serde_json::json;

use crate::text::json_line;

/// Parses `doc-001,doc-002` or `["doc-001","doc-002"]`.
pub(crate) fn parse(text: &str) -> Result<Vec<String>, String> {
    let trimmed = text.trim();
    let keys = match serde_json::from_str::<Vec<String>>(trimmed) {
        Ok(keys) => keys,
        // Text that looks like JSON is never split into keys.
        Err(error) if trimmed.starts_with(['[', '{', '"']) => {
            let list: Vec<&str> = trimmed.split(',').collect();
            return Err(format!(
                "not a JSON array of strings like '[\"doc-001\",\"doc-002\"]': {error}\n\
                 help: if it is not JSON but a list of keys, write '{}'",
                json_line(&json!(list))
            ));
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
                "has an empty key between its commas: leave the comma out, or, if it is part of a key, write '{}'",
                json_line(&json!([text]))
            ));
        }
    }
    Ok(keys.into_iter().map(str::to_owned).collect())
}

fn both(key: &str, trimmed: &str, what: &str) -> String {
    let [exact, trimmed] = [key, trimmed].map(|key| json_line(&json!([key])));
    format!("{key:?} {what}: write '{exact}' if they are part of the key, '{trimmed}' if not")
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
        for text in ["[a,b]", r#""a","b""#, "{\"key\":\"a\"}", "[1,2]", "[\"a\""] {
            let error = parse(text).unwrap_err();
            let list = serde_json::json!(text.split(',').collect::<Vec<_>>());
            let list = format!("\nhelp: if it is not JSON but a list of keys, write '{list}'");
            assert!(error.starts_with("not a JSON array of strings like "), "{text}: {error}");
            assert!(error.ends_with(&list), "{text}: {error}");
        }
        // Characters that could garble a terminal are escaped as in JSON.
        assert_eq!(
            parse("a\u{7f}\u{202e},,b").unwrap_err(),
            r#"has an empty key between its commas: leave the comma out, or, if it is part of a key, write '["a\u007f\u202e,,b"]'"#
        );
        let error = reject_path("Cargo.toml").unwrap_err();
        assert!(
            error.contains("--keys file://Cargo.toml") && error.contains(r#"'["Cargo.toml"]'"#)
        );
        assert_eq!(reject_path("no-such-file"), Ok(()));
    }
}
