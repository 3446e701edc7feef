//! Credentials in the JSON of services and programs.

use std::collections::BTreeMap;
use std::mem::take;

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::Credentials;
use crate::InvalidValue;

/// Members by name, borrowed from the JSON, because a copy would not be wiped.
pub(super) type Members<'a> = BTreeMap<String, &'a RawValue>;

const MISSING: &str = "is missing";

impl Credentials {
    /// Parses credentials in JSON: of the ECS metadata service, of STS, of a credentials URI, or of
    /// a credential process, in the form of ossutil (`AccessKeyId`, `AccessKeySecret`,
    /// `SecurityToken`, `Expiration`) or of the Alibaba Cloud CLI (`mode`, `access_key_id`,
    /// `access_key_secret`, `sts_token`, `expiration`).
    ///
    /// Names are compared without case, `-` and `_`. `null` and empty text count as missing. With
    /// mode `AK` the token is ignored. The expiration is not compared with a clock.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the member, never with a secret: the text is not a JSON object, a
    /// member is missing or breaks its rule (see [`new`](Self::new)), `mode` is neither `AK` nor
    /// `StsToken`, or `Code` is not `Success`.
    ///
    /// ```
    /// use oss_delete_vectors::Credentials;
    ///
    /// let json = r#"{"AccessKeyId": "STS.Example", "AccessKeySecret": "my-secret", "SecurityToken": "CAIS...",
    ///     "Expiration": "2026-09-03T12:00:00Z"}"#;
    /// let credentials = Credentials::from_json(json.as_bytes())?;
    /// assert!(credentials.expiration().is_some());
    /// # Ok::<_, oss_delete_vectors::InvalidValue>(())
    /// ```
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidValue> {
        Self::from_members(&members(json)?)
    }

    pub(super) fn from_members(members: &Members<'_>) -> Result<Self, InvalidValue> {
        let required = |name, other| {
            text(members, name, other)?.ok_or(InvalidValue::without_value(name, MISSING))
        };
        if text(members, "Code", "")?.is_some_and(|code| *code != "Success") {
            return Err(InvalidValue::without_value("Code", "must be Success"));
        }
        let mode = text(members, "mode", "")?;
        let is = |name: &str| mode.as_deref().is_some_and(|mode| mode.eq_ignore_ascii_case(name));
        if mode.is_some() && !is("AK") && !is("StsToken") {
            return Err(InvalidValue::without_value("mode", "must be StsToken or AK"));
        }
        let id = required("AccessKeyId", "")?;
        let mut secret = required("AccessKeySecret", "")?;
        let mut token = match text(members, "SecurityToken", "sts_token")? {
            None if is("StsToken") => {
                return Err(InvalidValue::without_value("SecurityToken", MISSING));
            }
            token => token.filter(|_| !is("AK")).unwrap_or_default(),
        };
        let credentials = Self::new(&*id, take(&mut *secret))?;
        let credentials = credentials.with_security_token(take(&mut *token))?;
        match text(members, "Expiration", "")? {
            Some(expiration) => credentials.with_expiration_text(&expiration),
            None => Ok(credentials),
        }
    }
}

/// The members of a JSON object. Errors of `serde_json` are dropped, because they may quote the
/// text.
pub(super) fn members(json: &[u8]) -> Result<Members<'_>, InvalidValue> {
    let rule = "must be a JSON object";
    serde_json::from_slice(json).map_err(|_| InvalidValue::without_value("output", rule))
}

/// The text of a member, by either name. `null` and empty text count as missing.
fn text(
    members: &Members<'_>,
    name: &'static str,
    other: &str,
) -> Result<Option<Zeroizing<String>>, InvalidValue> {
    let is = |given: &str, name: &str| !name.is_empty() && letters(given).eq(letters(name));
    let found = members.iter().find(|(given, _)| is(given, name) || is(given, other));
    let Some(json) = found.map(|(_, value)| value.get()).filter(|json| *json != "null") else {
        return Ok(None);
    };
    let quoted = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
    let text = quoted.and_then(unescape);
    let text = text.ok_or(InvalidValue::without_value(name, "must be a string"))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// The part of a name that is compared.
fn letters(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(|byte| !matches!(byte, b'-' | b'_')).map(|byte| byte.to_ascii_lowercase())
}

/// Unescapes a JSON string without its quotes. `None` if an escape is half a character. The result
/// is never longer than `json`, so its buffer is not reallocated.
fn unescape(json: &str) -> Option<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(json.len()));
    let mut rest = json;
    while let Some((before, escape)) = rest.split_once('\\') {
        text.push_str(before);
        let (character, length) = unescape_one(escape)?;
        text.push(character);
        rest = &escape[length..];
    }
    text.push_str(rest);
    Some(text)
}

/// The character of an escape, and its length in `escape`.
fn unescape_one(escape: &str) -> Option<(char, usize)> {
    let unit = |escape: &str| u16::from_str_radix(escape.strip_prefix('u')?.get(..4)?, 16).ok();
    let character = match escape.chars().next()? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let first = unit(escape)?;
            let second = escape[5..].strip_prefix('\\').and_then(unit);
            let character = char::decode_utf16([first].into_iter().chain(second)).next()?.ok()?;
            return Some((character, if character.len_utf16() == 1 { 5 } else { 11 }));
        }
        itself => itself,
    };
    Some((character, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings_are_unescaped_like_in_serde_json() {
        for json in [
            "",
            "a b",
            r"\/\\",
            r#"\"a\b\f\n\r\t\"#,
            r"CAIS\/x\u003d\u003D",
            r"\u00e9é\u20ac",
            r"\ud83d\ude00\u0041",
            r"\ud83d",
            r"\ud83dx",
            r"\ud83d\u0041",
            r"\ude00",
            r"\u00",
            r"\ud83d\ude0",
        ] {
            let read = serde_json::from_str::<String>(&format!("\"{json}\"")).ok();
            assert_eq!(unescape(json).as_deref(), read.as_ref(), "{json}");
        }
        let text = unescape(r"\u0041\u0042").unwrap();
        assert_eq!((text.as_str(), text.capacity()), ("AB", 12));
    }
}
