//! Reads bytes that may hold a secret, and wipes every buffer that held them.

use std::io::{self, Read};

use zeroize::Zeroizing;

const FIRST_BUFFER: usize = 16 * 1024;

/// Reads to the end. A full buffer is wiped after it is copied to a larger one.
pub(super) fn read_to_end(mut reader: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(vec![0; FIRST_BUFFER]);
    let mut length = 0;
    loop {
        if length == content.len() {
            let mut larger = Zeroizing::new(vec![0; 2 * length]);
            larger[..length].copy_from_slice(&content);
            content = larger;
        }
        match reader.read(&mut content[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    content.truncate(length);
    Ok(content)
}

/// Unescapes a JSON string without its quotes; `None` if it escapes half a character. The result is
/// never longer than `json`, so its buffer never moves.
pub(super) fn unescape(json: &str) -> Option<Zeroizing<String>> {
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

/// The character of an escape, and how much of `escape` it takes.
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

    /// Gives one byte at a time, and is interrupted before each.
    struct Slow<'a>(&'a [u8], bool);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let length = buffer.len().min(1);
            self.0.read(&mut buffer[..length])
        }
    }

    #[test]
    fn all_is_read_whatever_its_length() {
        for length in [0, 1, FIRST_BUFFER - 1, FIRST_BUFFER, FIRST_BUFFER + 1, 5 * FIRST_BUFFER] {
            let content: Vec<u8> = (0..length).map(|number| number as u8).collect();
            assert_eq!(*read_to_end(&content[..]).unwrap(), content);
            assert_eq!(*read_to_end(Slow(&content, false)).unwrap(), content);
        }
    }

    #[test]
    fn json_strings_say_what_serde_json_reads_in_them() {
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
