//! `.ossutilconfig`: values are in the reported lines, and errors contain only line numbers.

use crate::program::ossutilconfig::{KEYS, Profiles, SyntaxError};

/// Parses any text as a configuration file.
pub fn config_file(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let profiles = match Profiles::parse(text) {
        Ok(profiles) => profiles,
        Err(error) => return check_error(text, &error),
    };
    let read = values_of(&profiles);
    for (name, values) in &read {
        assert!(profiles.get(&name.to_ascii_uppercase()).is_some(), "profile names ignore case");
        for (line, value) in values.iter().flatten() {
            let there = text.split('\n').nth(line - 1).expect("a line of the file");
            let there = there.trim_ascii();
            let is_there = there.ends_with(value) || there.ends_with(&format!("{value}\""));
            assert!(!value.is_empty() && is_there, "{value:?} is not in line {line}");
        }
    }
    check_doubles(text, &read);
    // Line ends, comments and other sections change nothing.
    let windows = text.replace("\r\n", "\n").replace('\n', "\r\n");
    assert_eq!(values_of(&Profiles::parse(&windows).expect("the same file")), read);
    let longer = format!("{text}\n# a comment\n ; another\n[other section]\nany text");
    assert_eq!(values_of(&Profiles::parse(&longer).expect("other sections are skipped")), read);
}

type Values = Vec<(String, Vec<Option<(usize, String)>>)>;

/// Each profile, with the line and the value of each key.
fn values_of(profiles: &Profiles<'_>) -> Values {
    let value = |name: &str, key: &str| {
        let value = profiles.get(name).expect("a listed profile").get(key)?;
        Some((value.line, value.text.to_owned()))
    };
    profiles
        .names()
        .map(|name| (name.to_owned(), KEYS.iter().map(|key| value(name, key)).collect()))
        .collect()
}

/// A repeated key is an error with both lines, because it is unclear which value is meant.
fn check_doubles(text: &str, read: &Values) {
    for (key, value) in read.iter().flat_map(|(_, values)| KEYS.iter().zip(values)) {
        let Some((first, _)) = *value else { continue };
        let mut lines: Vec<&str> = text.split('\n').collect();
        let again = format!("{} = other", key.replace('-', "_").to_uppercase());
        lines.insert(first, &again);
        let error = Profiles::parse(&lines.join("\n")).err();
        assert_eq!(error, Some(SyntaxError::DoubledKey { key, line: first + 1, first }));
    }
}

/// Text of the file may be a secret, so an error is one of these sentences.
fn check_error(text: &str, error: &SyntaxError) {
    let lines = text.split('\n').count();
    let expected = match *error {
        SyntaxError::Neither { line } => {
            (line, 0, "neither a [section] nor key = value".to_owned())
        }
        SyntaxError::NoSection { line } => (line, 0, "a key before the first [section]".to_owned()),
        SyntaxError::DoubledProfile { line, first } => {
            (line, first, format!("the same profile as in line {first}"))
        }
        SyntaxError::DoubledKey { key, line, first } => {
            assert!(KEYS.contains(&key));
            (line, first, format!("{key} is repeated; the first one is in line {first}"))
        }
    };
    let (line, first, sentence) = expected;
    assert!(first < line && line <= lines);
    assert_eq!(error.to_string(), format!("line {line}: {sentence}"));
}
