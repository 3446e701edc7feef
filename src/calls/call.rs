use std::fmt;
use std::ops::Range;
use std::time::Duration;

use super::trace::CallSpan;
use crate::{InvalidValue, Key, KeyBatch};

/// Keys to delete for one caller, and how long to wait for the result.
///
/// ```
/// use std::time::Duration;
/// use oss_delete_vectors::calls::Call;
///
/// let call = Call::new(["doc-1#0", "doc-1#1"])?.timeout(Duration::from_secs(5));
/// assert_eq!(call.len(), 2);
/// assert_eq!(Call::new(["doc-1", ""]).unwrap_err().field(), "keys[1]");
/// # Ok::<_, oss_delete_vectors::InvalidValue>(())
/// ```
#[derive(Debug)]
pub struct Call {
    pub(super) keys: CallKeys,
    pub(super) timeout: Option<Duration>,
    pub(super) span: CallSpan,
}

impl Call {
    /// A call with any number of keys, possibly none. Copies them.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] with the field `keys[n]`, counted from 0, if that is not a valid [`Key`].
    pub fn new<I>(keys: I) -> Result<Self, InvalidValue>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let keys = CallKeys::new(keys)?;
        Ok(Self { span: CallSpan::new(keys.len()), keys, timeout: None })
    }

    /// Adds a key.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new). The call is then unchanged.
    pub fn push(&mut self, key: &str) -> Result<(), InvalidValue> {
        let key = Key::new(key).map_err(|invalid| invalid.of_key(self.len()))?;
        self.keys.push(key.as_str());
        Ok(())
    }

    /// How long the call waits, measured from its [`begin`](super::Calls::begin). Without a limit
    /// by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the timeout if none is set.
    #[must_use]
    pub fn default_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = self.timeout.or(timeout);
        self
    }

    /// The number of keys, including duplicates.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it has no keys. Such a call succeeds at once.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The keys of one call, as they were given: valid, in order, with duplicates.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct CallKeys {
    /// All keys, concatenated: one allocation instead of one per key.
    text: String,
    /// The end of each key in `text`.
    ends: Vec<usize>,
}

impl CallKeys {
    fn new<I: IntoIterator<Item: AsRef<str>>>(keys: I) -> Result<Self, InvalidValue> {
        let keys = keys.into_iter();
        let mut all = Self { text: String::new(), ends: Vec::with_capacity(keys.size_hint().0) };
        for (position, key) in keys.enumerate() {
            let key = Key::new(key.as_ref()).map_err(|invalid| invalid.of_key(position))?;
            if position == 0 {
                // Most calls have keys of about the same length.
                let keys = all.ends.capacity().min(KeyBatch::MAX_KEYS);
                all.text.reserve(keys * key.as_str().len());
            }
            all.push(key.as_str());
        }
        Ok(all)
    }

    pub(super) fn push(&mut self, key: &str) {
        self.text.push_str(key);
        self.ends.push(self.text.len());
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[index]]
    }

    pub(super) fn key(&self, index: usize) -> Key<'_> {
        Key::new(self.get(index)).expect("checked by `push`")
    }

    pub(super) fn range(&self, range: Range<usize>) -> impl Iterator<Item = &str> {
        range.map(|index| self.get(index))
    }
}

/// Prints the number of keys, because a call may have many.
impl fmt::Debug for CallKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.len())
    }
}
