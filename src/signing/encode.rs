use std::borrow::Cow;

/// Appends `bytes` to `out`, percent-encoded except for `A-Za-z0-9-._~`, with upper-case digits.
pub(crate) fn percent_encode(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte),
            _ => out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
}

/// Decodes the text of a query parameter. `+` is a space; a `%` without two hex digits stays.
pub(super) fn percent_decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = match (byte, tail) {
            (b'%', [high, low, ..]) => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        rest = match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                &tail[2..]
            }
            None => {
                out.push(if byte == b'+' { b' ' } else { byte });
                tail
            }
        };
    }
    Cow::Owned(out)
}

/// `bytes` in lower-case hex.
pub(crate) fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut out = [0; 64];
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    out
}

/// Decodes 64 lower-case hex digits. Rejects upper case, so that a signature has only one form.
pub(super) fn unhex(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() != 64 || text.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(out)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_round_trips_every_byte() {
        let all: Vec<u8> = (0..=255).collect();
        let mut encoded = Vec::new();
        percent_encode(&all, &mut encoded);
        assert_eq!(percent_decode(&encoded), all.as_slice());
        assert_eq!(encoded.iter().filter(|&&byte| byte == b'%').count(), 256 - 66);
    }

    #[test]
    fn percent_decoding_keeps_invalid_escapes() {
        for (text, meaning) in [
            ("a+b", "a b"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%2f%2F", "//"),
            ("100%25", "100%"),
        ] {
            assert_eq!(percent_decode(text.as_bytes()), meaning.as_bytes(), "{text}");
        }
    }

    #[test]
    fn hex_has_only_one_form() {
        let bytes = std::array::from_fn(|index| u8::try_from(index * 8).unwrap());
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        for text in [
            "",
            "00",
            &"0".repeat(63),
            &"0".repeat(66),
            &"A".repeat(64),
            &"g".repeat(64),
            &"é".repeat(32),
        ] {
            assert_eq!(unhex(text.as_bytes()), None, "{text}");
        }
    }
}
