//! What an input is known by: its size, and the hash of its head.

use std::io::{self, Cursor, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How much of an input is its head.
const HEAD: usize = 64 * 1024;

/// An input, as a checkpoint remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Bytes; `None` of a pipe.
    pub(crate) size: Option<u64>,
    /// How many bytes were hashed.
    pub(crate) head: u64,
    sha256: String,
}

impl Identity {
    pub(crate) fn to_json(&self) -> Value {
        json!({ "size": self.size, "head": self.head, "sha256": self.sha256 })
    }

    /// `None`: not what `to_json` gave.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let size = value.get("size")?;
        if !(size.is_null() || size.is_u64()) {
            return None;
        }
        let head = value.get("head")?.as_u64().filter(|&head| head <= HEAD as u64)?;
        Some(Self { size: size.as_u64(), head, sha256: value.get("sha256")?.as_str()?.to_owned() })
    }
}

/// The head of an input, as far as it was read.
pub(super) struct Head {
    size: Option<u64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    hash: Sha256,
    len: usize,
}

impl Head {
    pub(super) fn new(size: Option<u64>) -> Self {
        Self { size, state: Mutex::default() }
    }

    /// Of an input that is in memory.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        let head = Self::new(Some(bytes.len() as u64));
        head.add(bytes);
        head
    }

    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    pub(super) fn identity(&self) -> Identity {
        let State { hash, len } = &*self.lock();
        let sha256 = hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Identity { size: self.size, head: *len as u64, sha256 }
    }

    pub(super) fn add(&self, bytes: &[u8]) {
        let mut state = self.lock();
        let count = bytes.len().min(HEAD - state.len);
        state.hash.update(&bytes[..count]);
        state.len += count;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts what is read, and notes the head of an input that cannot be read twice.
pub(super) struct Tee<R> {
    /// Read before it was asked for.
    ahead: Cursor<Vec<u8>>,
    reader: R,
    head: Option<Arc<Head>>,
    read: Arc<AtomicU64>,
}

impl<R: Read> Tee<R> {
    pub(super) fn new(reader: R, head: Option<Arc<Head>>, read: Arc<AtomicU64>) -> Self {
        Self { ahead: Cursor::default(), reader, head, read }
    }

    /// Reads as many `bytes`, to know the head, or all there are; they are there to be read all the same.
    pub(super) fn read_ahead(&mut self, bytes: u64) -> io::Result<()> {
        self.reader.by_ref().take(bytes).read_to_end(self.ahead.get_mut())?;
        if let Some(head) = &self.head {
            head.add(self.ahead.get_ref());
        }
        Ok(())
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut count = self.ahead.read(buffer)?;
        if count == 0 {
            count = self.reader.read(buffer)?;
            if let Some(head) = &self.head {
                head.add(&buffer[..count]);
            }
        }
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tee(text: &str) -> (Tee<&[u8]>, Arc<Head>) {
        let head = Arc::new(Head::new(None));
        (Tee::new(text.as_bytes(), Some(Arc::clone(&head)), Arc::default()), head)
    }

    #[test]
    fn what_was_read_ahead_is_read_once_and_hashed_once() {
        let (mut tee, head) = tee("abcdef");
        tee.read_ahead(4).unwrap();
        let known = Head::of_bytes(b"abcd").identity();
        assert_eq!(head.identity().sha256, known.sha256);
        let mut text = String::new();
        tee.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), tee.read.load(Ordering::Relaxed)), ("abcdef", 6));
        assert_eq!(head.identity().sha256, Head::of_bytes(b"abcdef").identity().sha256);
    }

    #[test]
    fn an_input_that_is_shorter_or_other_is_not_the_same() {
        let known = Head::of_bytes(b"abcd").identity();
        for text in ["abc", "abxd", ""] {
            let (mut tee, head) = tee(text);
            tee.read_ahead(known.head).unwrap();
            assert_ne!(head.identity().sha256, known.sha256, "{text}");
        }
    }

    #[test]
    fn only_the_head_is_kept() {
        let long = "x".repeat(HEAD + 1);
        let (mut tee, head) = tee(&long);
        io::copy(&mut tee, &mut io::sink()).unwrap();
        assert_eq!((head.identity().head, tee.read.load(Ordering::Relaxed)), (HEAD as u64, HEAD as u64 + 1));
        assert_eq!(head.identity().sha256, Head::of_bytes(&long.as_bytes()[..HEAD]).identity().sha256);
        assert_eq!(Identity::from_json(&head.identity().to_json()), Some(head.identity()));
    }
}
