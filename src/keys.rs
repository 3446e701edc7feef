//! Keys and batches of them: parsed once, then always valid.

mod unique;

use std::fmt;
use std::ops::Range;

use crate::Invalid;
use unique::UniqueIndex;

/// The key of one vector: 1 to 1024 Unicode characters, any of them.
///
/// Borrows its text; see [`KeyBatch`] for owned keys.
///
/// ```
/// use oss_delete_vectors::Key;
///
/// let key = Key::new("doc-001")?;
/// assert_eq!(key.as_str(), "doc-001");
/// assert_eq!(Key::new("").unwrap_err().to_string(), r#"key must be 1 to 1024 characters, not """#);
/// # Ok::<_, oss_delete_vectors::Invalid>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<'a>(&'a str);

impl<'a> Key<'a> {
    /// The longest key, in Unicode scalar values.
    pub const MAX_CHARS: usize = 1024;

    const RULE: &'static str = "must be 1 to 1024 characters";

    /// Takes `text` as a key.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when `text` is empty or longer than [`Key::MAX_CHARS`].
    pub fn new(text: &'a str) -> Result<Self, Invalid> {
        if Self::accepts(text) { Ok(Self(text)) } else { Err(Invalid::new("key", Self::RULE, text)) }
    }

    /// The key's text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    fn accepts(text: &str) -> bool {
        // Bytes bound characters on both sides, so that hardly any key has its characters counted.
        match text.len() {
            0 => false,
            1..=Self::MAX_CHARS => true,
            bytes if bytes > 4 * Self::MAX_CHARS => false,
            _ => text.chars().count() <= Self::MAX_CHARS,
        }
    }
}

impl AsRef<str> for Key<'_> {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// The keys of one request: 1 to 500, each once, in the order in which they first came.
///
/// Equal batches hold the same keys in the same order, whatever was dropped on the way.
///
/// ```
/// use oss_delete_vectors::KeyBatch;
///
/// let batch = KeyBatch::new(["b", "a", "b"])?;
/// assert_eq!(batch.iter().map(|key| key.as_str()).collect::<Vec<_>>(), ["b", "a"]);
/// assert_eq!(batch.duplicates(), 1);
/// # Ok::<_, oss_delete_vectors::Invalid>(())
/// ```
#[derive(Clone)]
pub struct KeyBatch {
    /// All keys one after another: one allocation instead of one a key.
    text: String,
    /// Where each key ends in `text`.
    ends: Vec<u32>,
    duplicates: usize,
}

#[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
impl KeyBatch {
    /// The most keys that one request takes.
    pub const MAX_KEYS: usize = 500;

    const RULE: &'static str = "must be 1 to 500 unique keys";

    /// Collects `keys`, dropping those that came before.
    ///
    /// # Errors
    ///
    /// [`Invalid`] naming the field `keys` when there is no key or a 501st unique one (the rest is not read), or `keys[n]`
    /// (counted from 0) when that key is not one; see [`Key`].
    pub fn new<I>(keys: I) -> Result<Self, Invalid>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let keys = keys.into_iter();
        let expected = keys.size_hint().0.min(Self::MAX_KEYS);
        let mut batch = Self { text: String::new(), ends: Vec::with_capacity(expected), duplicates: 0 };
        let mut seen = UniqueIndex::with_capacity(expected);
        for (position, key) in keys.enumerate() {
            let key = key.as_ref();
            if !Key::accepts(key) {
                return Err(Invalid::new(format!("keys[{position}]"), Key::RULE, key));
            }
            if !seen.insert(key, |index| batch.text_of(index)) {
                batch.duplicates += 1;
            } else if batch.len() == Self::MAX_KEYS {
                return Err(Invalid::new("keys", Self::RULE, "501 or more"));
            } else {
                batch.text.push_str(key);
                batch.ends.push(u32::try_from(batch.text.len()).expect("500 keys of 4096 bytes fit"));
            }
        }
        if batch.ends.is_empty() { Err(Invalid::new("keys", Self::RULE, "none")) } else { Ok(batch) }
    }

    /// How many keys the batch holds, 1 to 500.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many keys were dropped because they were in the batch already.
    #[must_use]
    pub fn duplicates(&self) -> usize {
        self.duplicates
    }

    /// The keys, in the order in which they first came.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Key<'_>> + ExactSizeIterator + Clone {
        (0..self.len()).map(|index| Key(self.text_of(index)))
    }

    /// Bytes of all keys together.
    pub(crate) fn text_len(&self) -> usize {
        self.text.len()
    }

    fn text_of(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[Range { start: start as usize, end: self.ends[index] as usize }]
    }
}

impl From<Key<'_>> for KeyBatch {
    fn from(key: Key<'_>) -> Self {
        let end = u32::try_from(key.0.len()).expect("a key has at most 4096 bytes");
        Self { text: key.0.to_owned(), ends: vec![end], duplicates: 0 }
    }
}

impl PartialEq for KeyBatch {
    fn eq(&self, other: &Self) -> bool {
        self.ends == other.ends && self.text == other.text
    }
}

impl Eq for KeyBatch {}

impl fmt::Debug for KeyBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(Key::as_str)).finish()
    }
}
