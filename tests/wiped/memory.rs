//! Searches the memory of a process with `/proc/PID/maps` and `/proc/PID/mem`.

use std::fs::{File, read_to_string};
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

use zeroize::Zeroize;

const PAGE: usize = 4096;
/// Masks needles. HMAC masks keys with other bytes.
const MASK: u8 = 0xa5;

/// Bytes to search for. Masked, so that the search does not find them here.
pub(crate) struct Needle(Vec<u8>);

impl Needle {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(bytes.iter().map(|byte| byte ^ MASK).collect())
    }

    /// Random letters that exist nowhere yet. Use an unusual length: freed memory of a common size
    /// is soon overwritten.
    pub(crate) fn random(length: usize) -> Self {
        let letter = |_| b'a' + (RandomState::new().hash_one(()) % 26) as u8;
        Self((0..length).map(|number| letter(number) ^ MASK).collect())
    }

    pub(crate) fn letters(&self) -> impl Iterator<Item = char> {
        self.0.iter().map(|byte| char::from(byte ^ MASK))
    }

    /// The unmasked letters, in one allocation.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        text.extend(self.letters());
        text
    }

    /// Masked, to pass to another process.
    pub(crate) fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn from_hex(hex: &str) -> Self {
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        Self((0..hex.len()).step_by(2).map(byte).collect())
    }
}

/// The number of copies of each needle in this process.
pub(crate) fn copies<'a>(needles: impl IntoIterator<Item = &'a Needle>) -> Vec<usize> {
    copies_in("self", needles)
}

/// The number of copies of each needle in a process. Counts each half, plain or with all bytes
/// masked by the same value, as in HMAC, and returns the larger number.
pub(crate) fn copies_in<'a>(
    process: &str,
    needles: impl IntoIterator<Item = &'a Needle>,
) -> Vec<usize> {
    // One search at a time, because a search would find the buffer of another one.
    static SEARCH: Mutex<()> = Mutex::new(());
    let _alone = SEARCH.lock().unwrap_or_else(PoisonError::into_inner);
    let halves = needles
        .into_iter()
        .flat_map(|Needle(bytes)| <[_; 2]>::from(bytes.split_at(bytes.len() / 2)));
    let mut halves: Vec<(&[u8], usize)> = halves.map(|half| (half, 0)).collect();
    let memory = File::open(format!("/proc/{process}/mem"))
        .expect("a process can read its own memory and that of its children");
    for line in read_to_string(format!("/proc/{process}/maps")).unwrap().lines() {
        let mut words = line.split(' ');
        let (from, to) = words.next().unwrap().split_once('-').unwrap();
        if words.next().unwrap().starts_with("rw") {
            let address = |hex| u64::from_str_radix(hex, 16).unwrap();
            search(&memory, address(from), address(to), &mut halves);
        }
    }
    halves.chunks(2).map(|halves| halves[0].1.max(halves[1].1)).collect()
}

/// Counts the needles in a range of addresses. Wipes each page from the buffer before it reads the
/// next one, which may be the buffer itself. Keeps the end of a page, where a needle may begin; it
/// is too short to be a whole one.
fn search(memory: &File, from: u64, to: u64, needles: &mut [(&[u8], usize)]) {
    let longest = needles.iter().map(|(needle, _)| needle.len()).max().unwrap();
    let mut buffer = vec![0; longest - 1 + PAGE];
    for address in (from..to).step_by(PAGE) {
        // Unmapped in the meantime, or a device.
        if memory.read_exact_at(&mut buffer[longest - 1..], address).is_err() {
            break;
        }
        if buffer.iter().all(|&byte| byte == 0) {
            continue;
        }
        for (needle, copies) in &mut *needles {
            // Needles that end in this page.
            for window in buffer[longest - needle.len()..].windows(needle.len()) {
                // A mask of 0 would match the masked needle itself.
                let mask = window[0] ^ needle[0];
                *copies += usize::from(
                    mask != 0 && window.iter().zip(*needle).all(|(a, b)| a ^ b == mask),
                );
            }
        }
        buffer.copy_within(PAGE.., 0);
        buffer[longest - 1..].zeroize();
    }
    buffer.zeroize();
}

/// Runs `work` and then `search`, with the stack of `work` still in place.
pub(crate) fn left_alone<T: Send>(work: impl FnOnce() -> T + Send, search: impl FnOnce(T)) {
    let ((done, results), (searched, end)) = (channel(), channel::<()>());
    thread::scope(|scope| {
        scope.spawn(move || {
            done.send(work()).unwrap();
            let _ = end.recv();
        });
        search(results.recv().unwrap());
        drop(searched);
    });
}
