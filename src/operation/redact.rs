//! Removes secrets that a server echoes in its response.

use std::cell::OnceCell;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use crate::Credentials;

/// The minimum length of a secret that is removed. Shorter ones are examples, and would match in
/// any text.
const MIN_LENGTH: usize = 8;

/// The secrets that no error may contain.
#[expect(missing_debug_implementations, reason = "a secret is never shown")]
pub struct Secrets<'a>(Vec<Secret<'a>>);

struct Secret<'a> {
    plain: &'a str,
    placeholder: &'static str,
    /// The part that is in every base64 of a text with the secret.
    base64: OnceCell<Vec<Zeroizing<String>>>,
}

impl<'a> Secrets<'a> {
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn of(credentials: &'a Credentials) -> Self {
        let token = credentials.security_token().map(|token| (token, "[security token]"));
        let secret = (credentials.access_key_secret(), "[AccessKey secret]");
        Self::new(token.into_iter().chain([secret]))
    }

    pub(crate) fn of_text(plain: &'a str, placeholder: &'static str) -> Self {
        Self::new([(plain, placeholder)].into_iter())
    }

    fn new(secrets: impl Iterator<Item = (&'a str, &'static str)>) -> Self {
        let secrets = secrets.filter(|(plain, _)| plain.len() >= MIN_LENGTH);
        let secrets = secrets.map(|(plain, placeholder)| Secret {
            plain,
            placeholder,
            base64: OnceCell::new(),
        });
        Self(secrets.collect())
    }

    /// `text` without the secrets: plain, escaped (percent-encoding, JSON or XML, once or several
    /// times), in hex, or in base64.
    pub(crate) fn redact(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| secret.redact(&text).unwrap_or(text))
    }
}

impl Secret<'_> {
    /// `None` if the secret is not in `text`.
    fn redact(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let (mut copied, mut at) = (0, 0);
        // No form of a secret is shorter than the secret.
        while text.len() - at >= self.plain.len() {
            let rest = &text[at..];
            if let Some(length) = self.length_in(rest) {
                out.push_str(&text[copied..at]);
                out.push_str(self.placeholder);
                at += length;
                copied = at;
            } else {
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
        (copied > 0).then(|| out + &text[copied..])
    }

    /// The length of the secret at the beginning of `text`, in any form.
    fn length_in(&self, text: &str) -> Option<usize> {
        let base64 = self.base64.get_or_init(|| in_base64(self.plain));
        let encoded = || base64.iter().find_map(|base64| wrapped(text, base64));
        escaped(text, self.plain).or_else(|| hex(text, self.plain)).or_else(encoded)
    }
}

/// The length of `secret` at the beginning of `text`. Each character may be escaped differently,
/// and lines may be wrapped.
fn escaped(text: &str, secret: &str) -> Option<usize> {
    let length = |text: &str, c| {
        let length = percent(text, c).or_else(|| backslash(text, c)).or_else(|| entity(text, c));
        // In a decoded form, a plus sign has become a space.
        length.or_else(|| {
            (text.starts_with(c) || (c == '+' && text.starts_with(' '))).then(|| c.len_utf8())
        })
    };
    secret.chars().try_fold(0, |at, c| {
        let unwrapped =
            || skip_white_space(text, at).and_then(|at| Some(at + length(&text[at..], c)?));
        length(&text[at..], c).map(|length| at + length).or_else(unwrapped)
    })
}

/// The length of `encoded` at the beginning of `text`. Lines may be wrapped.
fn wrapped(text: &str, encoded: &str) -> Option<usize> {
    encoded.chars().try_fold(0, |at, c| {
        let at = if text[at..].starts_with(c) { at } else { skip_white_space(text, at)? };
        text[at..].starts_with(c).then(|| at + c.len_utf8())
    })
}

/// The end of the white space that begins at `at`. `None` if there is no white space, and at the
/// beginning of the text.
fn skip_white_space(text: &str, at: usize) -> Option<usize> {
    let end = text.len() - text[at..].trim_start().len();
    (at > 0 && end > at).then_some(end)
}

/// `%2B`, `%252B` if it was encoded twice, or `%u002b`.
fn percent(text: &str, c: char) -> Option<usize> {
    let utf16 = || number(text.strip_prefix("%u")?.get(..4)?, 16, c).map(|digits| digits + 2);
    utf8_percent(text, c).or_else(utf16)
}

fn utf8_percent(text: &str, c: char) -> Option<usize> {
    c.encode_utf8(&mut [0; 4]).bytes().try_fold(0, |at, byte| {
        let encoded = text[at..].strip_prefix('%')?;
        let rest = strip_all(encoded, "25");
        if byte == b'%' {
            // The last `25` is the percent sign itself.
            return (rest.len() < encoded.len()).then(|| text.len() - rest.len());
        }
        (rest.get(..2).and_then(hex_byte) == Some(byte)).then(|| text.len() - rest.len() + 2)
    })
}

/// `\u002b`, `\u{2b}`, `\x2b`, `\053` and `\+`, with any number of backslashes.
fn backslash(text: &str, c: char) -> Option<usize> {
    let rest = strip_all(text.strip_prefix('\\')?, "\\");
    let code = |prefix, digits| {
        number(rest.strip_prefix(prefix)?.get(..digits)?, 16, c).map(|digits| digits + 1)
    };
    let braces =
        || number(rest.strip_prefix("u{")?.split_once('}')?.0, 16, c).map(|digits| digits + 3);
    let octal = || number(rest.get(..3)?, 8, c);
    // A backslash of the secret is one of the skipped ones.
    let itself = || if c == '\\' { Some(0) } else { rest.starts_with(c).then(|| c.len_utf8()) };
    Some(
        text.len() - rest.len()
            + code('u', 4)
                .or_else(braces)
                .or_else(|| code('x', 2))
                .or_else(octal)
                .or_else(itself)?,
    )
}

/// `&#43;`, `&#x2b;`, `&plus;`-like names of XML, and `&amp;#43;`.
fn entity(text: &str, c: char) -> Option<usize> {
    let encoded = text.strip_prefix('&')?;
    [strip_all(encoded, "amp;"), encoded].into_iter().find_map(|rest| {
        let end = rest.bytes().take(super::xml::MAX_ENTITY).position(|byte| byte == b';')?;
        (super::xml::entity(&rest[..end]) == Some(c)).then(|| text.len() - rest.len() + end + 1)
    })
}

/// Two digits for each byte, optionally with spaces or colons between them.
fn hex(text: &str, secret: &str) -> Option<usize> {
    secret.bytes().try_fold(0, |at, byte| {
        let rest = text[at..].trim_start_matches([' ', ':']);
        (rest.get(..2).and_then(hex_byte) == Some(byte)).then(|| text.len() - rest.len() + 2)
    })
}

/// The parts that are in the base64 of any text with the secret: one for each offset in a group of
/// three bytes, in both alphabets.
fn in_base64(secret: &str) -> Vec<Zeroizing<String>> {
    let aligned = (0..3).map(|before| {
        let mut padded = Zeroizing::new(Vec::with_capacity(before + secret.len()));
        padded.resize(before, 0);
        padded.extend_from_slice(secret.as_bytes());
        let mut encoded = Zeroizing::new(Base64::encode_string(&padded));
        // Without the characters that depend on the neighbours of the secret.
        let whole = padded.len() * 8 / 6;
        encoded.truncate(whole);
        encoded.drain(..(before * 8).div_ceil(6));
        encoded
    });
    let standard: Vec<_> = aligned.collect();
    let url_safe: Vec<_> = standard
        .iter()
        .map(|text| Zeroizing::new(text.replace('+', "-").replace('/', "_")))
        .collect();
    standard.into_iter().chain(url_safe).collect()
}

/// The number of digits, if they are the code of `c`.
fn number(digits: &str, radix: u32, c: char) -> Option<usize> {
    (u32::from_str_radix(digits, radix) == Ok(u32::from(c))).then_some(digits.len())
}

fn hex_byte(digits: &str) -> Option<u8> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten()
}

fn strip_all<'a>(mut text: &'a str, prefix: &str) -> &'a str {
    while let Some(rest) = text.strip_prefix(prefix) {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "CAIS/+ %&\\\"é=x";

    fn redacted(text: &str) -> String {
        let credentials = Credentials::new("id", TOKEN).unwrap();
        Secrets::of(&credentials).redact(text.to_owned())
    }

    fn each(encode: impl Fn(char) -> String) -> String {
        TOKEN.chars().map(encode).collect()
    }

    #[test]
    fn every_form_of_a_secret_is_removed() {
        let percent =
            |c: char| c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let base64_of = |text: &str| Base64::encode_string(text.as_bytes());
        let base64 = |around: &str| base64_of(&[around, TOKEN, around].concat());
        for text in [
            TOKEN.to_owned(),
            each(percent),
            each(percent).to_lowercase(),
            each(percent).replace('%', "%2525"),
            each(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { percent(c) }),
            each(|c| format!("\\u{:04x}", u32::from(c))),
            each(|c| format!("\\\\u{:04X}", u32::from(c))),
            each(|c| format!("\\u{{{:x}}}", u32::from(c))),
            each(|c| format!("%u{:04x}", u32::from(c))),
            TOKEN
                .bytes()
                .map(|byte| format!("\\{byte:03o}"))
                .collect::<String>()
                .replace("\\303\\251", "é"),
            TOKEN.replace('/', "/\r\n\t"),
            each(percent).replace("%2F", "%2F\n"),
            TOKEN.replace('+', " "),
            each(|c| format!("&#{};", u32::from(c))),
            each(|c| format!("&#x{:X};", u32::from(c))),
            each(|c| format!("&#x{:013X};", u32::from(c))),
            each(|c| format!("&amp;amp;#{};", u32::from(c))),
            serde_json::json!(TOKEN).as_str().unwrap().replace('/', "\\/"),
            serde_json::json!(TOKEN).to_string(),
            TOKEN.replace('&', "&amp;").replace('"', "&quot;"),
            TOKEN.bytes().map(|byte| format!("{byte:02x} ")).collect(),
            TOKEN.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ] {
            for text in [text.clone(), format!("é{text}{text}é")] {
                let redacted = redacted(&text);
                let rest = redacted.replace("[AccessKey secret]", "");
                assert!(
                    ["", "\"\"", " ", "éé", "é\"\"\"\"é", "é é"].contains(&&*rest),
                    "{text}: {redacted}"
                );
            }
        }
        for around in ["", "a", "ab", "abc", "é"] {
            let lines: Vec<String> = base64(around)
                .as_bytes()
                .chunks(5)
                .map(|line| String::from_utf8_lossy(line).into())
                .collect();
            for text in [
                base64(around),
                base64(around).replace('+', "-").replace('/', "_"),
                lines.join("\r\n"),
            ] {
                let redacted = redacted(&text);
                let (before, after) = redacted.split_once("[AccessKey secret]").unwrap();
                // What is around it, and up to two characters on each side that have a part of it.
                let rest = before.len() + after.trim_start().len();
                assert!(
                    rest <= base64_of(&[around, around].concat()).len() + 4,
                    "{text}: {redacted}"
                );
            }
        }
    }

    #[test]
    fn other_text_is_kept() {
        let cut = &TOKEN[..TOKEN.len() - 1];
        for text in [
            "",
            "C",
            "é",
            cut,
            &each(|c| format!("&#{};", u32::from(c)))[1..],
            "%%%2525252525%é",
            "\\\\\\\\",
            "&amp;&amp;&",
        ] {
            assert_eq!(redacted(text), text);
        }
        for (secret, expected) in [
            ("s", "as-is,as-ever"),
            ("is,as-e", "as-is,as-ever"),
            ("is,as-ev", "as-[AccessKey secret]er"),
        ] {
            let credentials = Credentials::new("id", secret).unwrap();
            assert_eq!(Secrets::of(&credentials).redact("as-is,as-ever".to_owned()), expected);
        }
        let text = Secrets::none().redact(TOKEN.to_owned());
        assert_eq!(text, TOKEN);
    }
}
