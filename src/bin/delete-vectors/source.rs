//! The keys, from the command line, from files and from stdin: one after the other, as a stream.

mod identity;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::{error, fmt, vec};

use oss_delete_vectors::Key;

pub(crate) use self::identity::Identity;
use self::identity::{Head, Tee};
use crate::key_lines::{BadLine, Format, KeyLines};

/// The most that is read of a JSON array: it is held in memory.
const LONGEST_ARRAY: u64 = 8 * 1024 * 1024;

type Reader = BufReader<Tee<Box<dyn Read + Send>>>;

/// All inputs, in the order of the command line: `--keys` before `--keys-from`. An iterator of keys.
pub(crate) struct Source {
    inputs: VecDeque<(String, Input)>,
    heads: Vec<Arc<Head>>,
    /// Keys, where all of them are in memory.
    count: Option<usize>,
    /// Bytes, where all inputs tell how many they have.
    size: Option<u64>,
    read: Arc<AtomicU64>,
}

enum Input {
    Array(vec::IntoIter<String>),
    Lines(KeyLines<Reader>),
}

impl Source {
    /// Opens all inputs. Of JSON arrays all is read, of others nothing.
    pub(crate) fn open(arrays: &[String], paths: &[PathBuf], format: Option<Format>) -> Result<Self, SourceError> {
        let read = Arc::new(AtomicU64::new(0));
        let mut source = Self { inputs: VecDeque::new(), heads: Vec::new(), count: Some(0), size: Some(0), read };
        for array in arrays {
            let (name, json) = read_array(array)?;
            let keys = parse_array(&json).map_err(|reason| SourceError::new(&name, reason))?;
            source.count = source.count.map(|count| count + keys.len());
            source.heads.push(Arc::new(Head::of_bytes(&json)));
            source.inputs.push_back((name, Input::Array(keys.into_iter())));
        }
        if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
            return Err(SourceError::new("--keys-from -", "stdin can be read once"));
        }
        for path in paths {
            source.open_lines(path, format)?;
        }
        Ok(source)
    }

    fn open_lines(&mut self, path: &Path, format: Option<Format>) -> Result<(), SourceError> {
        let name = if is_stdin(path) { "stdin".to_owned() } else { format!("{}", path.display()) };
        let refused = |reason: &str| SourceError::new(&format!("--keys-from {name}"), reason);
        let format = format.map_or_else(|| Format::of_path(path), Ok).map_err(refused)?;
        let unreadable = |error: io::Error| refused(&format!("cannot be read: {error}"));
        let (reader, head): (Box<dyn Read + Send>, _) = if is_stdin(path) {
            (Box::new(io::stdin()), Head::new(None))
        } else {
            let mut file = File::open(path).map_err(unreadable)?;
            let kind = file.metadata().map_err(unreadable)?.file_type();
            if kind.is_dir() {
                return Err(refused("cannot be read: it is a folder"));
            }
            let head = if kind.is_file() { Head::of_file(&mut file).map_err(unreadable)? } else { Head::new(None) };
            (Box::new(file), head)
        };
        let size = head.size();
        let head = Arc::new(head);
        let noted = size.is_none().then(|| Arc::clone(&head));
        let reader = BufReader::with_capacity(64 * 1024, Tee::new(reader, noted, Arc::clone(&self.read)));
        self.size = self.size.zip(size).map(|(sum, size)| sum + size);
        self.count = None;
        self.heads.push(head);
        self.inputs.push_back((name, Input::Lines(KeyLines::new(reader, format))));
        Ok(())
    }

    /// How many keys there are, duplicates among them, where that is known beforehand.
    pub(crate) fn count(&self) -> Option<usize> {
        self.count
    }

    /// How many bytes there are to read, where that is known beforehand.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size.filter(|_| self.count.is_none())
    }

    /// How many bytes were read, now and later.
    pub(crate) fn bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// The names of all inputs, for people.
    pub(crate) fn names(&self) -> String {
        self.inputs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// What the inputs are known by, now and later: the heads of pipes are known as far as they were read.
    pub(crate) fn identities(&self) -> impl Fn() -> Vec<Identity> + Send + use<> {
        let heads = self.heads.clone();
        move || heads.iter().map(|head| head.identity()).collect()
    }

    /// Checks that the inputs are those that were known by `known`. Reads their heads to see.
    pub(crate) fn check(&mut self, known: &[Identity]) -> Result<(), SourceError> {
        if self.inputs.len() != known.len() {
            let (now, then) = (self.inputs.len(), known.len());
            return Err(SourceError::new(
                "the keys",
                format!("they come from {now} inputs, and those of the checkpoint from {then}"),
            ));
        }
        for ((name, input), (head, known)) in self.inputs.iter_mut().zip(self.heads.iter().zip(known)) {
            let other = |what: &str| SourceError::new(name, format!("not the input of the checkpoint: {what}"));
            if head.size() != known.size {
                return Err(other("its size is another"));
            }
            if let (Input::Lines(lines), None) = (input, known.size) {
                lines.reader.get_mut().read_ahead(known.head).map_err(|error| SourceError::new(name, error))?;
            }
            if head.identity() != *known {
                return Err(other("it begins otherwise"));
            }
        }
        Ok(())
    }
}

impl Iterator for Source {
    type Item = Result<String, Trouble>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((name, input)) = self.inputs.front_mut() {
            let next = match input {
                Input::Array(keys) => keys.next().map(Ok),
                Input::Lines(lines) => lines.next(),
            };
            match next {
                Some(Ok(key)) => return Some(Ok(key)),
                Some(Err(error)) => {
                    let can_go_on = matches!(error, BadLine::NoKey { .. });
                    return Some(Err(Trouble { text: error.in_input(name), can_go_on }));
                }
                None => _ = self.inputs.pop_front(),
            }
        }
        None
    }
}

/// What is wrong with an input in the middle of it, and where: `keys.txt, line 7: not UTF-8`.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) text: String,
    /// A line is bad, and those after it can be read.
    pub(crate) can_go_on: bool,
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The name and the text of what `--keys` says: JSON, or `file://PATH` of a file that holds it.
fn read_array(argument: &str) -> Result<(String, Vec<u8>), SourceError> {
    let Some(path) = argument.strip_prefix("file://") else {
        return Ok(("--keys".to_owned(), argument.as_bytes().to_vec()));
    };
    let read = || {
        let mut json = Vec::new();
        File::open(path)?.take(LONGEST_ARRAY + 1).read_to_end(&mut json)?;
        if json.len() as u64 > LONGEST_ARRAY {
            let rule = "more than 8 MiB: write the keys one a line, for --keys-from";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, rule));
        }
        Ok(json)
    };
    let json = read().map_err(|error| SourceError::new("--keys", format!("cannot read {path:?}: {error}")))?;
    Ok(("--keys".to_owned(), json))
}

fn parse_array(json: &[u8]) -> Result<Vec<String>, String> {
    let keys: Vec<String> = serde_json::from_slice(json)
        .map_err(|error| format!(r#"not a JSON array of strings like '["doc-001","doc-002"]': {error}"#))?;
    if keys.is_empty() {
        return Err("must be one key or more, and is none".to_owned());
    }
    for (position, key) in keys.iter().enumerate() {
        Key::new(key).map_err(|invalid| format!("[{position}]: {invalid}"))?;
    }
    Ok(keys)
}

/// An input that cannot be used, found before anything is sent.
#[derive(Debug)]
pub(crate) struct SourceError {
    input: String,
    reason: String,
}

impl SourceError {
    fn new(input: &str, reason: impl fmt::Display) -> Self {
        Self { input: input.to_owned(), reason: reason.to_string() }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.input, self.reason)
    }
}

impl error::Error for SourceError {}
