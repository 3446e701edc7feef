//! Checks text input: keys, settings, certificates and credentials. Handles byte order marks and
//! other encodings in one place.

use std::{error, fmt};

const MARK: &[u8] = "\u{feff}".as_bytes();

/// The offset of a tar archive's magic bytes.
const TAR: usize = 257;

/// Enough bytes to distinguish UTF-16 and UTF-32 from other data with NUL bytes.
const PATTERN: usize = 4096;

/// `bytes` without a UTF-8 byte order mark, which some editors add.
pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes)
}

/// `bytes` without a byte order mark, if they begin with UTF-8 text.
///
/// # Errors
///
/// If they are compressed, in another encoding, or binary. Later bytes are checked by the reader,
/// which knows the line.
pub(crate) fn checked(bytes: &[u8]) -> Result<&[u8], NotText> {
    match NotText::of(bytes) {
        Some(not_text) => Err(not_text),
        None => Ok(without_mark(bytes)),
    }
}

/// The kind of data that is not UTF-8 text. Does not show the data, because it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotText {
    Utf16,
    Utf32,
    /// The name, and the command that unpacks it to stdout.
    Packed(&'static str, &'static str),
    /// The name of a binary format.
    Binary(&'static str),
    /// Text separated by NUL bytes, as `find -print0` writes it.
    NulSeparated,
    /// An unknown binary format.
    Nul,
}

/// The first bytes of each format. No plausible key begins with one of them.
const FORMATS: [(&[u8], NotText); 26] = [
    (b"\x1f\x8b", NotText::Packed("gzip data", "gzip -dc")),
    (b"\x1f\x9d", NotText::Packed("data of compress", "gzip -dc")),
    (b"\x28\xb5\x2f\xfd", NotText::Packed("zstd data", "zstd -dc")),
    (b"\xfd7zXZ\0", NotText::Packed("xz data", "xz -dc")),
    (b"\x04\x22\x4d\x18", NotText::Packed("lz4 data", "lz4 -dc")),
    (b"LZIP\x01", NotText::Packed("lzip data", "lzip -dc")),
    (b"\xff\x06\0\0sNaPpY", NotText::Packed("snappy data", "snzip -dc")),
    (b"PK\x03\x04", NotText::Packed("a zip archive", "unzip -p")),
    (b"PK\x05\x06", NotText::Packed("a zip archive", "unzip -p")),
    (b"7z\xbc\xaf\x27\x1c", NotText::Packed("a 7z archive", "7z e -so")),
    (b"Rar!\x1a\x07", NotText::Packed("a rar archive", "unrar p -inul")),
    (b"PAR1\x15", NotText::Binary("a Parquet file")),
    (b"PAR1\x19", NotText::Binary("a Parquet file")),
    (b"PARE\x15", NotText::Binary("a Parquet file")),
    (b"Obj\x01", NotText::Binary("an Avro file")),
    (b"ORC\x08", NotText::Binary("an ORC file")),
    (b"ARROW1\0\0", NotText::Binary("an Arrow file")),
    (b"SQLite format 3\0", NotText::Binary("an SQLite database")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", NotText::Binary("an Office file")),
    (b"%PDF-", NotText::Binary("a PDF file")),
    (b"{\\rtf", NotText::Binary("an RTF file")),
    (b"\x89PNG", NotText::Binary("a PNG image")),
    (b"\x89HDF", NotText::Binary("an HDF5 file")),
    (b"\x93NUMPY", NotText::Binary("a NumPy file")),
    (b"\x7fELF", NotText::Binary("a program")),
    (b"\x80\x04\x95", NotText::Binary("a Python pickle")),
];

impl NotText {
    fn of(bytes: &[u8]) -> Option<Self> {
        let (utf16, utf32): ([&[u8]; 2], [&[u8]; 2]) =
            ([b"\xff\xfe", b"\xfe\xff"], [b"\xff\xfe\0\0", b"\0\0\xfe\xff"]);
        let begins = |marks: [&[u8]; 2]| marks.iter().any(|mark| bytes.starts_with(mark));
        if begins(utf32) {
            return Some(Self::Utf32);
        }
        if let Some((_, format)) = FORMATS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return Some(*format);
        }
        if begins(utf16) {
            return Some(Self::Utf16);
        }
        // The digit is the block size.
        if bytes.starts_with(b"BZh") && bytes.get(4..10) == Some(b"1AY&SY") {
            return Some(Self::Packed("bzip2 data", "bzip2 -dc"));
        }
        if bytes.get(TAR..TAR + 5) == Some(b"ustar") {
            return Some(Self::Packed("a tar archive", "tar -xOf"));
        }
        bytes.contains(&0).then(|| Self::with_nul(bytes))
    }

    fn with_nul(bytes: &[u8]) -> Self {
        let head = &bytes[..bytes.len().min(PATTERN) / 4 * 4];
        let units = head.len() / 4;
        let mut zeros = [0; 4];
        for (position, byte) in head.iter().enumerate() {
            zeros[position % 4] += usize::from(*byte == 0);
        }
        let (most, few) =
            (|count: usize| count * 10 >= units * 9, |count: usize| count * 10 <= units);
        let many = |count: usize| count * 10 >= units * 4;
        let [a, b, c, d] = zeros;
        let is_control = |byte: &u8| *byte < 0x20 && !b"\0\t\n\r".contains(byte);
        if units > 0
            && ((most(b) && most(c) && most(d) && few(a))
                || (most(a) && most(b) && most(c) && few(d)))
        {
            Self::Utf32
        } else if units > 0
            && ((many(b) && many(d) && few(a) && few(c))
                || (many(a) && many(c) && few(b) && few(d)))
        {
            Self::Utf16
        } else if bytes[0] != 0 && !bytes.iter().any(is_control) && is_utf8_so_far(bytes) {
            Self::NulSeparated
        } else {
            Self::Nul
        }
    }

    /// The advice.
    pub(crate) fn help(self) -> String {
        match self {
            Self::Utf16 => "convert it to UTF-8 first: iconv -f UTF-16 -t UTF-8".to_owned(),
            Self::Utf32 => "convert it to UTF-8 first: iconv -f UTF-32 -t UTF-8".to_owned(),
            Self::Packed(_, command) => format!("unpack it first: {command}"),
            Self::Binary(_) => "export it as text first".to_owned(),
            Self::NulSeparated => {
                "put each part on a line of its own first: tr '\\0' '\\n'".to_owned()
            }
            Self::Nul => "check that this is the right file".to_owned(),
        }
    }
}

/// Whether this is UTF-8, which may be cut within a character.
fn is_utf8_so_far(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).err().is_none_or(|error| error.error_len().is_none())
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf16 => f.write_str("is UTF-16 text; expected UTF-8"),
            Self::Utf32 => f.write_str("is UTF-32 text; expected UTF-8"),
            Self::Packed(what, _) | Self::Binary(what) => {
                write!(f, "is {what}; expected UTF-8 text")
            }
            Self::NulSeparated => {
                f.write_str("looks like text with NUL bytes between its parts; expected lines")
            }
            Self::Nul => f.write_str("holds NUL bytes, so it is binary; expected UTF-8 text"),
        }
    }
}

impl error::Error for NotText {}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn utf32(text: &str, bytes: fn(u32) -> [u8; 4]) -> Vec<u8> {
        text.chars().flat_map(|c| bytes(c.into())).collect()
    }

    #[test]
    fn other_encodings_are_recognized() {
        for text in ["doc-001\ndoc-002\n", "doc-1", "ключ-1\r\nключ-2\r\n"] {
            let with_mark = format!("\u{feff}{text}");
            for (text, is_marked) in [(text, false), (&with_mark, true)] {
                for bytes in [utf16(text, u16::to_le_bytes), utf16(text, u16::to_be_bytes)] {
                    let found = NotText::of(&bytes).unwrap();
                    // Without a mark, Cyrillic text in UTF-16 is only recognized as not UTF-8.
                    assert!(
                        found == NotText::Utf16
                            || (!is_marked && !text.is_ascii() && found == NotText::Nul),
                        "{text:?}"
                    );
                }
                for bytes in [utf32(text, u32::to_le_bytes), utf32(text, u32::to_be_bytes)] {
                    let found = NotText::of(&bytes).unwrap();
                    assert!(
                        found == NotText::Utf32
                            || (!is_marked && !text.is_ascii() && found == NotText::Nul),
                        "{text:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn binary_formats_are_recognized() {
        for (magic, format) in FORMATS {
            let file = [magic, b"\x8b\x10\n\xff\0"].concat();
            assert_eq!(NotText::of(&file), Some(format));
        }
        for (file, text) in [
            (b"BZh91AY&SY\x10".to_vec(), "is bzip2 data; expected UTF-8 text"),
            ([&[b'x'; TAR][..], b"ustar\0"].concat(), "is a tar archive; expected UTF-8 text"),
            (
                b"doc-1\0doc-2\0".to_vec(),
                "looks like text with NUL bytes between its parts; expected lines",
            ),
            (b"doc-1\ndoc\x01\0".to_vec(), "holds NUL bytes, so it is binary; expected UTF-8 text"),
        ] {
            let found = NotText::of(&file).unwrap();
            assert_eq!(found.to_string(), text);
            assert!(!found.help().is_empty());
        }
    }

    #[test]
    fn utf_8_text_is_accepted() {
        for text in [
            "",
            "\u{feff}",
            "\u{feff}doc-1",
            "doc-1\n",
            "BZh",
            "PAR1-001",
            "PK-1",
            "ключ",
            "\u{1f600}",
            "7z",
            "Obj",
        ] {
            let expected = text.strip_prefix('\u{feff}').unwrap_or(text);
            assert_eq!(checked(text.as_bytes()), Ok(expected.as_bytes()), "{text:?}");
        }
    }
}
