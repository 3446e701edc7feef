//! Parses the text of an `.ossutilconfig`: INI, parsed strictly because an ambiguous secret is an
//! error.

use std::{error, fmt};

/// The supported keys. Files may use any case, and `_` or nothing instead of `-`.
pub(crate) const KEYS: [&str; 22] = [
    "access-key-id",
    "access-key-secret",
    "sts-token",
    "region",
    "endpoint",
    "account-id",
    "mode",
    "process-command",
    "credential-process",
    "credential-process-timeout",
    "credential-uri",
    "ecs-role-name",
    "external-id",
    "oidc-provider-arn",
    "oidc-token-file-path",
    "role-arn",
    "role-session-name",
    "source-profile",
    "addressing-style",
    "connect-timeout",
    "read-timeout",
    "retry-times",
];

/// Keys of ossutil that have no effect here, each with the values that match the behaviour anyway.
const UNSUPPORTED: [(&str, &[&str]); 5] = [
    ("language", &["en"]),
    ("loglevel", &["off"]),
    ("output-format", &["raw"]),
    ("sign-version", &["v4"]),
    ("skip-verify-cert", &["false"]),
];

/// Keys that a `[buckets NAME]` section can override.
const BUCKET_KEYS: [&str; 3] = ["region", "endpoint", "addressing-style"];

/// The sections `[default]`, also known as `[profile default]`, `[profile NAME]`, and
/// `[buckets NAME]`.
pub(crate) struct Profiles<'a>(Vec<Profile<'a>>);

pub(crate) struct Profile<'a> {
    pub(crate) name: &'a str,
    is_bucket: bool,
    /// Keys without an effect, and their lines.
    unsupported: Vec<(&'static str, usize)>,
    /// The line of the heading, counted from 1, as all lines.
    line: usize,
    values: Vec<Value<'a>>,
}

/// The value of a key. No `Debug`, because it may be a secret.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a> {
    key: &'static str,
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

impl<'a> Profiles<'a> {
    /// Parses lines that end in LF or CRLF. Lines that begin with `#` or `;` are comments. Values
    /// are trimmed. Double quotes around a value without other quotes are removed, as in the
    /// samples of ossutil. Otherwise a value is taken verbatim, with backslashes, `#` and `=`.
    ///
    /// Other sections and keys belong to ossutil, and are skipped with any content.
    pub(crate) fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let mut profiles: Vec<Profile<'a>> = Vec::new();
        let mut section = Section::None;
        for (line, text) in (1..).zip(text.split('\n')) {
            let text = text.trim_ascii();
            if text.is_empty() || text.starts_with(['#', ';']) {
                continue;
            }
            if let Some(rest) = text.strip_prefix('[') {
                let heading = rest.strip_suffix(']').ok_or(SyntaxError::Neither { line })?;
                section = match section_name(heading) {
                    None => Section::Other,
                    Some((name, is_bucket)) => {
                        if let Some(found) = find(&profiles, name, is_bucket) {
                            return Err(SyntaxError::DoubledProfile { line, first: found.line });
                        }
                        let (values, unsupported) = (Vec::new(), Vec::new());
                        profiles.push(Profile { name, is_bucket, unsupported, line, values });
                        Section::Profile
                    }
                };
                continue;
            }
            match section {
                Section::None => return Err(SyntaxError::NoSection { line }),
                Section::Other => {}
                Section::Profile => {
                    profiles.last_mut().expect("pushed with its heading").take(line, text)?;
                }
            }
        }
        Ok(Self(profiles))
    }

    /// Finds the profile of this name, in any case.
    pub(crate) fn get(&self, name: &str) -> Option<&Profile<'a>> {
        find(&self.0, name, false)
    }

    /// Finds the section of a bucket.
    pub(crate) fn bucket(&self, name: &str) -> Option<&Profile<'a>> {
        find(&self.0, name, true)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(|profile| !profile.is_bucket).map(|profile| profile.name)
    }
}

/// The section of a line.
enum Section {
    None,
    /// The last profile so far.
    Profile,
    Other,
}

fn find<'p, 'a>(
    profiles: &'p [Profile<'a>],
    name: &str,
    is_bucket: bool,
) -> Option<&'p Profile<'a>> {
    let is_it = |profile: &&Profile<'_>| {
        profile.is_bucket == is_bucket && profile.name.eq_ignore_ascii_case(name)
    };
    profiles.iter().find(is_it)
}

/// The name of a profile or of a bucket, and whether it is a bucket. `None` for other sections.
fn section_name(heading: &str) -> Option<(&str, bool)> {
    let heading = heading.trim_ascii();
    if heading.eq_ignore_ascii_case("default") {
        return Some((heading, false));
    }
    let (word, name) = heading.split_once([' ', '\t'])?;
    let is_bucket = word.eq_ignore_ascii_case("buckets");
    (is_bucket || word.eq_ignore_ascii_case("profile")).then(|| (name.trim_ascii(), is_bucket))
}

impl<'a> Profile<'a> {
    /// The value of a key. An empty value counts as missing.
    pub(crate) fn get(&self, key: &str) -> Option<Value<'a>> {
        self.values.iter().find(|value| value.key == key && !value.text.is_empty()).copied()
    }

    fn take(&mut self, line: usize, text: &'a str) -> Result<(), SyntaxError> {
        let (key, text) = text.split_once('=').ok_or(SyntaxError::Neither { line })?;
        let key = key.trim_ascii();
        // `access-key-secret: abc=` is not a pair. Parsing it as one would lose the secret
        // silently.
        if key.is_empty()
            || !key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        {
            return Err(SyntaxError::Neither { line });
        }
        let value = unquoted(text.trim_ascii());
        let known = KEYS.into_iter().find(|known| letters(known).eq(letters(key)));
        let known = known.filter(|known| !self.is_bucket || BUCKET_KEYS.contains(known));
        let Some(key) = known else {
            let is_it = |known: &str| letters(known).eq(letters(key));
            if let Some((key, plain)) = UNSUPPORTED.into_iter().find(|(known, _)| is_it(known))
                && !plain.iter().any(|plain| plain.eq_ignore_ascii_case(value))
                && !value.is_empty()
            {
                self.unsupported.push((key, line));
            }
            return Ok(());
        };
        if let Some(Value { line: first, .. }) = self.values.iter().find(|value| value.key == key) {
            return Err(SyntaxError::DoubledKey { key, line, first: *first });
        }
        self.values.push(Value { key, text: value, line });
        Ok(())
    }

    /// The keys without an effect, and their lines.
    pub(crate) fn unsupported(&self) -> &[(&'static str, usize)] {
        &self.unsupported
    }
}

/// Removes the double quotes around a value. If there are quotes inside, all of them are part of
/// the value.
fn unquoted(text: &str) -> &str {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).unwrap_or(text)
}

/// The part of a key that is compared.
fn letters(key: &str) -> impl Iterator<Item = u8> {
    key.bytes().filter(|byte| !matches!(byte, b'-' | b'_')).map(|byte| byte.to_ascii_lowercase())
}

/// An error and its line. The content of the line is not shown, because it may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SyntaxError {
    Neither { line: usize },
    NoSection { line: usize },
    DoubledProfile { line: usize, first: usize },
    DoubledKey { key: &'static str, line: usize, first: usize },
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Neither { line } => write!(f, "line {line}: neither a [section] nor key = value"),
            Self::NoSection { line } => write!(f, "line {line}: a key before the first [section]"),
            Self::DoubledProfile { line, first } => {
                write!(f, "line {line}: the same profile as in line {first}")
            }
            Self::DoubledKey { key, line, first } => {
                write!(f, "line {line}: {key} is repeated; the first one is in line {first}")
            }
        }
    }
}

impl error::Error for SyntaxError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each profile with its values and their lines.
    fn parsed(text: &str) -> Vec<String> {
        let Profiles(profiles) =
            Profiles::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let values = |profile: &Profile<'_>| {
            profile
                .values
                .iter()
                .map(|Value { key, text, line }| format!(" {line}:{key}={text}"))
                .collect::<String>()
        };
        profiles
            .iter()
            .map(|profile| format!("{}:{}{}", profile.line, profile.name, values(profile)))
            .collect()
    }

    #[test]
    fn profiles_with_their_values() {
        let text = "# mine\n[default]\nregion=cn-hangzhou\n\n ; yours\n[profile prod]\n  accessKeyID = id \n\tmode\t=\tAK\t\n";
        let expected = ["2:default 3:region=cn-hangzhou", "6:prod 7:access-key-id=id 8:mode=AK"];
        assert_eq!(parsed(text), expected);
        assert_eq!(parsed(&text.replace('\n', "\r\n")), expected);
        for nothing in ["", "# nothing", "\r\n\n"] {
            assert!(parsed(nothing).is_empty(), "{nothing:?}");
        }
    }

    #[test]
    fn keys_are_compared_without_case_hyphens_and_underscores() {
        for key in [
            "access-key-secret",
            "access_key_secret",
            "accessKeySecret",
            "ACCESSKEYSECRET",
            "Access-Key_Secret",
        ] {
            assert_eq!(parsed(&format!("[default]\n{key}=x")), ["1:default 2:access-key-secret=x"]);
        }
        for key in KEYS {
            assert_eq!(parsed(&format!("[default]\n{key}=x")), [format!("1:default 2:{key}=x")]);
        }
    }

    #[test]
    fn values_are_verbatim() {
        for value in [
            "a#b", "#", "; c", "a=b=", "=", "\"a", "a\"", "\"a\"b\"", "'a'", r"a\n\\", "a b",
            "[a]", "%(x)s", "$X", "ключ",
        ] {
            assert_eq!(
                parsed(&format!("[default]\nsts-token = {value} ")),
                [format!("1:default 2:sts-token={value}")]
            );
        }
        for (text, value) in [("\"a b\"", "a b"), (" \"\" ", ""), ("\" a\"", " a"), ("\"", "\"")] {
            let file = format!("[default]\nsts-token ={text}");
            assert_eq!(parsed(&file), [format!("1:default 2:sts-token={value}")]);
        }
        let profiles = Profiles::parse("[default]\nsts-token=\nregion=r").unwrap();
        let profile = profiles.get("default").unwrap();
        assert!(profile.get("sts-token").is_none(), "an empty value counts as missing");
        assert_eq!(profile.get("region").map(|value| (value.text, value.line)), Some(("r", 3)));
    }

    #[test]
    fn a_profile_is_found_by_its_name_in_any_case() {
        let profiles =
            Profiles::parse("[Profile Prod]\n[DEFAULT]\n[profile a b]\n[ profile\tc ]").unwrap();
        assert_eq!(profiles.names().collect::<Vec<_>>(), ["Prod", "DEFAULT", "a b", "c"]);
        for name in ["prod", "default", "A B", "C"] {
            assert!(profiles.get(name).is_some(), "{name}");
        }
        assert!(profiles.get("pro").is_none());
        assert!(Profiles::parse("[profile default]").unwrap().get("default").is_some());
    }

    #[test]
    fn unknown_sections_and_keys_are_skipped() {
        let text = "[Credentials]\nregion=x\nregion=y\nno pair\n[default]\nlanguage=EN\nlanguage=CH\n[profile]\n[buckets a]\nregion=z\nmode=AK";
        assert_eq!(parsed(text), ["5:default", "9:a 10:region=z"]);
        let text =
            "[default]\nlogLevel=info\nskip_verify_cert=true\nlanguage=EN\nother=1\nsign-version=";
        let profiles = Profiles::parse(text).unwrap();
        let unsupported = profiles.get("default").unwrap().unsupported();
        assert_eq!(unsupported, [("loglevel", 2), ("skip-verify-cert", 3)]);
    }

    #[test]
    fn ambiguous_lines_are_rejected() {
        use SyntaxError::{DoubledKey, DoubledProfile, Neither, NoSection};
        for (text, expected) in [
            ("region=x", NoSection { line: 1 }),
            ("# x\nsecret", NoSection { line: 2 }),
            ("[default]\nsecret", Neither { line: 2 }),
            ("[default]\n\n=secret", Neither { line: 3 }),
            ("[default]\naccess-key-secret: abc=", Neither { line: 2 }),
            ("[default]\nexport region=x", Neither { line: 2 }),
            ("[default", Neither { line: 1 }),
            ("[default] # mine", Neither { line: 1 }),
            ("[other]\n[profile x", Neither { line: 2 }),
            (
                "[default]\r\nregion=x\r\nREGION=x\r\n",
                DoubledKey { key: "region", line: 3, first: 2 },
            ),
            (
                "[default]\nstsToken=\nsts_token=x",
                DoubledKey { key: "sts-token", line: 3, first: 2 },
            ),
            ("[default]\n[profile default]", DoubledProfile { line: 2, first: 1 }),
            ("[profile a]\n[other]\n[profile A]", DoubledProfile { line: 3, first: 1 }),
        ] {
            assert_eq!(Profiles::parse(text).err(), Some(expected), "{text:?}");
        }
    }
}
