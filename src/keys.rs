//! Keys and batches of keys: checked once, then always valid.

mod iter;
mod unique;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use crate::InvalidValue;
use unique::UniqueIndex;

pub use iter::Keys;

/// The key of one vector: any 1 to 1024 Unicode characters.
///
/// Borrows its text. A [`KeyBatch`] owns keys.
///
/// ```
/// use oss_delete_vectors::Key;
///
/// let key = Key::new("doc-001")?;
/// assert_eq!(key.as_str(), "doc-001");
/// let error = Key::new("").unwrap_err();
/// assert_eq!(error.to_string(), r#"key must be 1 to 1024 characters, not """#);
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<'a>(&'a str);

impl<'a> Key<'a> {
    /// The maximum length of a key, in Unicode scalar values.
    pub const MAX_CHARS: usize = 1024;

    const RULE: &'static str = "must be 1 to 1024 characters";

    /// Checks that `text` is a key.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if `text` is empty or longer than [`Key::MAX_CHARS`].
    pub fn new(text: &'a str) -> Result<Self, InvalidValue> {
        if Self::accepts(text) {
            Ok(Self(text))
        } else {
            Err(InvalidValue::new("key", Self::RULE, text))
        }
    }

    /// The key's text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    fn accepts(text: &str) -> bool {
        // A character has 1 to 4 bytes, so that only few keys have to be counted.
        match text.len() {
            0 => false,
            1..=Self::MAX_CHARS => true,
            bytes if bytes > 4 * Self::MAX_CHARS => false,
            _ => text.chars().count() <= Self::MAX_CHARS,
        }
    }
}

impl<'a> TryFrom<&'a str> for Key<'a> {
    type Error = InvalidValue;

    /// Same as [`Key::new`].
    fn try_from(text: &'a str) -> Result<Self, InvalidValue> {
        Self::new(text)
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

/// The keys of one request: 1 to 500 unique keys, in the order of their first occurrence.
///
/// Two batches are equal if they hold the same keys in the same order. Dropped duplicates do not
/// count.
///
/// ```
/// use oss_delete_vectors::KeyBatch;
///
/// let batch = KeyBatch::new(["b", "a", "b"])?;
/// assert_eq!(batch.iter().map(|key| key.as_str()).collect::<Vec<_>>(), ["b", "a"]);
/// assert_eq!(batch.duplicates(), 1);
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
/// ```
#[derive(Clone)]
pub struct KeyBatch {
    /// All keys, concatenated: one allocation instead of one per key.
    text: String,
    /// The end of each key in `text`.
    ends: Vec<u32>,
    duplicates: usize,
}

#[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
impl KeyBatch {
    /// The maximum number of keys in a request.
    pub const MAX_KEYS: usize = 500;

    /// Collects `keys` and drops duplicates.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with the field `keys` if there are no keys or more than 500 unique ones; it
    /// stops reading at the 501st. With the field `keys[n]`, counted from 0, if that is not a valid
    /// [`Key`].
    pub fn new<I>(keys: I) -> Result<Self, InvalidValue>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let keys = keys.into_iter();
        let mut batch = BatchBuilder::with_capacity(keys.size_hint().0.min(Self::MAX_KEYS));
        for (position, key) in keys.enumerate() {
            let key = key.as_ref();
            if !Key::accepts(key) {
                return Err(InvalidValue::new(format!("keys[{position}]"), Key::RULE, key));
            }
            if batch.insert(Key(key)) == Inserted::Full {
                return Err(InvalidValue::without_value(
                    "keys",
                    "must be 1 to 500 unique keys, got more",
                ));
            }
        }
        batch.take().ok_or_else(|| {
            InvalidValue::without_value("keys", "must be 1 to 500 unique keys, got none")
        })
    }

    /// The number of keys, 1 to 500.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The number of duplicates that were dropped.
    #[must_use]
    pub fn duplicates(&self) -> usize {
        self.duplicates
    }

    /// The keys, in the order of their first occurrence.
    #[must_use]
    pub fn iter(&self) -> Keys<'_> {
        Keys { batch: self, left: 0..self.len() }
    }

    /// An empty batch to fill. It is valid from its first key on.
    fn for_keys(count: usize) -> Self {
        Self { text: String::new(), ends: Vec::with_capacity(count), duplicates: 0 }
    }

    /// Splits the batch: this one keeps the first `len` keys. Neither part may be empty.
    pub(crate) fn split_off(&mut self, len: usize) -> Self {
        let cut = self.ends[len - 1];
        let ends = self.ends.split_off(len).into_iter().map(|end| end - cut).collect();
        Self { text: self.text.split_off(cut as usize), ends, duplicates: 0 }
    }

    /// The bytes of each key. Cheaper than `iter`, which checks for character boundaries.
    pub(crate) fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        let (text, mut start) = (self.text.as_bytes(), 0);
        self.ends
            .iter()
            .map(move |&end| &text[std::mem::replace(&mut start, end as usize)..end as usize])
    }

    /// All keys, concatenated.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn text_of(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[Range { start: start as usize, end: self.ends[index] as usize }]
    }
}

/// Collects the unique keys of a batch, one by one.
pub(crate) struct BatchBuilder {
    batch: KeyBatch,
    seen: UniqueIndex,
}

/// The result of adding a key to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inserted {
    New,
    /// The key with this number in the batch is the same.
    Duplicate(u16),
    /// The key was not added: it is new, but the batch already holds [`KeyBatch::MAX_KEYS`].
    Full,
}

impl BatchBuilder {
    pub(crate) fn with_capacity(keys: usize) -> Self {
        Self { batch: KeyBatch::for_keys(keys), seen: UniqueIndex::with_capacity(keys) }
    }

    pub(crate) fn insert(&mut self, key: Key<'_>) -> Inserted {
        let Self { batch, seen } = self;
        let found = match batch.len() {
            KeyBatch::MAX_KEYS => match seen.find(key.0, |index| batch.text_of(index)) {
                None => return Inserted::Full,
                found => found,
            },
            _ => seen.insert(key.0, |index| batch.text_of(index)),
        };
        if let Some(of) = found {
            batch.duplicates += 1;
            return Inserted::Duplicate(of);
        }
        if batch.text.is_empty() {
            // Most indexes have keys of one length, so that a batch rarely grows again.
            batch.text.reserve(key.0.len() * batch.ends.capacity());
        }
        batch.text.push_str(key.0);
        batch.ends.push(u32::try_from(batch.text.len()).expect("500 keys of 4096 bytes fit"));
        Inserted::New
    }

    /// The number of unique keys so far.
    pub(crate) fn len(&self) -> usize {
        self.batch.len()
    }

    /// Takes the batch and leaves the builder empty. `None` if there are no keys.
    pub(crate) fn take(&mut self) -> Option<KeyBatch> {
        if self.len() == 0 {
            return None;
        }
        self.seen.clear();
        // The next batch is usually as large.
        let next = KeyBatch::for_keys(self.len());
        Some(std::mem::replace(&mut self.batch, next))
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

impl Hash for KeyBatch {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ends.hash(state);
        self.text.hash(state);
    }
}

impl fmt::Debug for KeyBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(Key::as_str)).finish()
    }
}
