//! The keys from the command line, from files and from stdin, as one stream.

mod counted;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::{error, fmt, vec};

use self::counted::Counted;
use crate::key_lines::{BadLine, KeyInput, KeyLines, Rejection, Rules, input};
use crate::{input_text, key_list};

/// The maximum size of a JSON array, which is read into memory.
const LONGEST_ARRAY: u64 = 8 * 1024 * 1024;

type Reader = BufReader<Counted<Box<dyn Read + Send>>>;

/// The maximum number of bytes to count for the confirmation prompt. This takes some seconds.
const LONGEST_SURVEY: u64 = 256 * 1024 * 1024;

/// The name of an array on the command line. It is not shown, because such an input has no name.
const ARGUMENT: &str = "--keys";

/// All inputs in the order of the command line, `--keys` before `--keys-from`, as an iterator of
/// keys.
pub(crate) struct Source {
    inputs: VecDeque<(String, Input)>,
    /// Whether some inputs are streams.
    is_stream: bool,
    /// The bytes of all inputs, if every size is known.
    size: Option<u64>,
    read: Arc<AtomicU64>,
    skips_bad_lines: bool,
    /// Inputs that ended without a key.
    empty: Vec<String>,
}

enum Input {
    Array(vec::IntoIter<String>),
    Lines(KeyLines<Reader>),
}

/// The keys of all inputs, if they can be read twice.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// The number of keys, including duplicates.
    pub(crate) keys: u64,
    /// The first key and the last one.
    pub(crate) ends: Option<(String, String)>,
}

impl Survey {
    fn add(&mut self, key: String) {
        self.keys += 1;
        match &mut self.ends {
            Some((_, last)) => *last = key,
            None => self.ends = Some((key.clone(), key)),
        }
    }
}

impl Source {
    /// Opens all inputs. Reads JSON arrays completely and the beginning of the others. Rejects
    /// input that is obviously not lines of keys.
    pub(crate) fn open(
        arrays: &[String],
        paths: &[PathBuf],
        rules: Rules,
    ) -> Result<Self, SourceError> {
        let mut source = Self {
            inputs: VecDeque::new(),
            is_stream: false,
            size: Some(0),
            read: Arc::new(AtomicU64::new(0)),
            skips_bad_lines: rules.skips_bad_lines,
            empty: Vec::new(),
        };
        let stdin = |paths: &[PathBuf]| paths.iter().filter(|path| path.as_os_str() == "-").count();
        let lists = arrays.iter().filter(|list| *list == STDIN).count();
        if lists > 1 || (lists == 1 && stdin(paths) > 0) {
            return Err(SourceError::new(LIST, "stdin is given twice, but can be read only once"));
        }
        for array in arrays {
            let (name, text) = read_list(array)?;
            let option = if name == ARGUMENT { LIST } else { &format!("{LIST} {array}") };
            let keys = key_list::parse(&text).map_err(|reason| SourceError::new(option, reason))?;
            source.inputs.push_back((name, Input::Array(keys.into_iter())));
        }
        let mut pipes = Vec::new();
        for path in paths {
            // Two readers of one pipe would split its lines between them.
            if let Some(pipe) = input::pipe(path) {
                if pipes.contains(&pipe) {
                    let option = format!("--keys-from {}", path.display());
                    return Err(SourceError::new(
                        &option,
                        "this pipe is given twice, but can be read only once",
                    ));
                }
                pipes.push(pipe);
            }
            let input = KeyInput::open(path, rules).map_err(|rejection| SourceError {
                input: format!("--keys-from {}", input::name(path)),
                rejection,
            })?;
            source.add(input);
        }
        Ok(source)
    }

    fn add(&mut self, input: KeyInput) {
        let KeyInput { name, syntax, reader, file } = input;
        // stdin has a size as well if it is a file, but cannot be read twice.
        let size = file.as_ref().filter(|file| file.has_name()).map(|file| file.size());
        let reader =
            BufReader::with_capacity(64 * 1024, Counted::new(reader, Arc::clone(&self.read)));
        self.size = self.size.zip(size).map(|(sum, size)| sum + size);
        self.is_stream = true;
        self.inputs.push_back((name, Input::Lines(KeyLines::new(reader, syntax, file))));
    }

    /// Reads all inputs once more to count their keys. `None` if one of them can only be read once,
    /// or if they have more than 256 MiB together.
    ///
    /// # Errors
    ///
    /// The errors that would also end the run: a file that changed, and a bad line unless such
    /// lines are skipped.
    pub(crate) fn survey(&self) -> Result<Option<Survey>, InputError> {
        if self.is_stream && self.size.is_none_or(|size| size > LONGEST_SURVEY) {
            return Ok(None);
        }
        let mut survey = Survey::default();
        for (name, input) in &self.inputs {
            let input_error = |bad_line| InputError::new(&bad_line, name);
            match input {
                Input::Array(keys) => {
                    keys.as_slice().iter().for_each(|key| survey.add(key.clone()));
                }
                Input::Lines(lines) => {
                    let Some(lines) = lines.again().map_err(input_error)? else { return Ok(None) };
                    for key in lines {
                        match key {
                            Ok(key) => survey.add(key),
                            Err(BadLine::NoKey { .. }) if self.skips_bad_lines => {}
                            Err(bad_line) => return Err(input_error(bad_line)),
                        }
                    }
                }
            }
        }
        Ok(Some(survey))
    }

    /// The same inputs from their beginning, to read them again. `None` if one of them can only be
    /// read once.
    ///
    /// # Errors
    ///
    /// If a file has changed.
    pub(crate) fn again(&self) -> Result<Option<Self>, InputError> {
        let mut source = Self {
            inputs: VecDeque::new(),
            is_stream: self.is_stream,
            size: None,
            read: Arc::default(),
            skips_bad_lines: self.skips_bad_lines,
            empty: Vec::new(),
        };
        for (name, input) in &self.inputs {
            let input = match input {
                Input::Array(keys) => Input::Array(keys.as_slice().to_vec().into_iter()),
                Input::Lines(lines) => {
                    let again =
                        lines.again().map_err(|bad_line| InputError::new(&bad_line, name))?;
                    let Some(again) = again else { return Ok(None) };
                    let counter = Arc::clone(&source.read);
                    Input::Lines(again.with_reader(|reader| {
                        let reader: Box<dyn Read + Send> = Box::new(reader);
                        BufReader::with_capacity(64 * 1024, Counted::new(reader, counter))
                    }))
                }
            };
            source.inputs.push_back((name.clone(), input));
        }
        Ok(Some(source))
    }

    /// The number of bytes to read, if known in advance.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size.filter(|_| self.is_stream)
    }

    /// The live counter of bytes read.
    pub(crate) fn bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// The names of all inputs that have one, for messages.
    pub(crate) fn names(&self) -> String {
        let names = self.inputs.iter().map(|(name, _)| name.as_str());
        names.filter(|name| *name != ARGUMENT).collect::<Vec<_>>().join(", ")
    }

    /// The names of inputs that ended without a key since the last call.
    pub(crate) fn take_empty(&mut self) -> Vec<String> {
        std::mem::take(&mut self.empty)
    }
}

impl Iterator for Source {
    type Item = Result<String, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((name, input)) = self.inputs.front_mut() {
            let next = match input {
                Input::Array(keys) => keys.next().map(Ok),
                Input::Lines(lines) => lines.next(),
            };
            if let Some(key) = next {
                return Some(key.map_err(|bad_line| InputError::new(&bad_line, name)));
            }
            if let Some((name, Input::Lines(lines))) = self.inputs.pop_front()
                && lines.is_empty()
            {
                self.empty.push(name);
            }
        }
        None
    }
}

/// Additional advice for a line without a key.
pub(crate) const SKIP: &str = "with --on-bad-key skip, which skips such lines";

/// An error while an input is read, with its place: `keys.txt, line 7: not UTF-8`.
#[derive(Debug, Clone)]
pub(crate) struct InputError {
    pub(crate) text: String,
    /// The advice, if it is more than to correct a line.
    pub(crate) help: Option<&'static str>,
    /// The line is invalid, but later lines can be read.
    pub(crate) can_go_on: bool,
}

impl InputError {
    fn new(bad_line: &BadLine, name: &str) -> Self {
        let can_go_on = matches!(bad_line, BadLine::NoKey { .. });
        Self { text: bad_line.in_input(name), help: bad_line.help(), can_go_on }
    }
}

/// With the advice on its own line.
impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match self.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None if self.can_go_on => write!(f, "\nhelp: correct it, or try again {SKIP}"),
            None => Ok(()),
        }
    }
}

impl error::Error for InputError {}

/// The option, for errors.
const LIST: &str = "--keys";

/// Means stdin, as in ossutil.
const STDIN: &str = "-";

/// The name and the text of an argument of `--keys`: the keys, `file://PATH`, or `-`.
fn read_list(argument: &str) -> Result<(String, String), SourceError> {
    let (name, read): (_, io::Result<Box<dyn Read>>) = match argument.strip_prefix("file://") {
        Some(path) => (path, File::open(path).map(|file| Box::new(file) as _)),
        None if argument == STDIN => ("stdin", Ok(Box::new(io::stdin()))),
        None => {
            key_list::reject_path(argument).map_err(|reason| SourceError::new(LIST, reason))?;
            let text = input_text::without_mark(argument.as_bytes());
            return Ok((ARGUMENT.to_owned(), String::from_utf8_lossy(text).into_owned()));
        }
    };
    let read = || {
        let mut content = Vec::new();
        read?.take(LONGEST_ARRAY + 1).read_to_end(&mut content)?;
        if content.len() as u64 > LONGEST_ARRAY {
            let rule = "more than 8 MiB: write one key per line and use --keys-from";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, rule));
        }
        Ok(content)
    };
    let content =
        read().map_err(|error| SourceError::new(LIST, format!("cannot read {name:?}: {error}")))?;
    let rejected = |reason, help| SourceError {
        input: LIST.to_owned(),
        rejection: Rejection { line: None, reason, help },
    };
    let content = input_text::checked(&content)
        .map_err(|not_text| rejected(format!("{name:?} {not_text}"), Some(not_text.help())))?;
    let text =
        str::from_utf8(content).map_err(|_| rejected(format!("{name:?} is not UTF-8"), None))?;
    Ok((name.to_owned(), text.to_owned()))
}

/// An input that cannot be used. Found before the first request.
#[derive(Debug)]
pub(crate) struct SourceError {
    input: String,
    rejection: Rejection,
}

impl SourceError {
    fn new(input: &str, reason: impl fmt::Display) -> Self {
        Self {
            input: input.to_owned(),
            rejection: Rejection { line: None, reason: reason.to_string(), help: None },
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.input, self.rejection)
    }
}

impl error::Error for SourceError {}
