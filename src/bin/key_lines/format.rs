//! Detects the format of an input from the option, or from its name and first lines.

use std::fmt;
use std::path::Path;

use clap::ValueEnum;
use serde_json::Value;

use super::unlike::Unlike;
use crate::input_text;

/// The format of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // The line is the key.
    Lines,
    // A JSON string, or an object with the member `key`.
    Jsonl,
}

/// The options for lines.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    /// `None`: detected for each input.
    pub(crate) format: Option<Format>,
    /// Whether lines without a key are skipped, and do not end the run.
    pub(crate) skips_bad_lines: bool,
}

/// How the lines of an input are parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// The line is the key, without checks.
    Given,
    /// The line is the key, unless it looks like something else.
    Guessed,
    Json,
}

/// The beginning of an input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample<'a> {
    pub(crate) bytes: &'a [u8],
    /// Whether this is the whole input.
    pub(crate) is_all: bool,
}

impl<'a> Sample<'a> {
    /// The complete UTF-8 lines that are not blank, each with its number.
    fn lines(self) -> impl Iterator<Item = (u64, &'a str)> + Clone {
        let Self { bytes, is_all } = self;
        let complete = if is_all {
            bytes.len()
        } else {
            bytes.iter().rposition(|&byte| byte == b'\n').unwrap_or(0)
        };
        let lines = bytes[..complete]
            .split(|&byte| byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let lines =
            lines.map(|line| str::from_utf8(input_text::without_mark(line)).unwrap_or_default());
        (1..).zip(lines).filter(|(_, line)| !line.trim_ascii().is_empty())
    }

    /// Whether its complete lines decide the format: one line that is not blank, or two if the
    /// first one may be the heading of a table. Otherwise the format would depend on when lines
    /// arrive.
    pub(crate) fn is_enough(self, rules: Rules) -> bool {
        let complete = self.bytes.iter().rposition(|&b| b == b'\n').unwrap_or(0);
        let has_line = !input_text::without_mark(&self.bytes[..complete]).trim_ascii().is_empty();
        let mut lines = self.lines();
        let first =
            lines.next().filter(|(_, line)| rules.format.is_none() && Unlike::needs_another(line));
        has_line && (first.is_none() || lines.next().is_some())
    }
}

impl Syntax {
    /// Decides how an input is parsed. Rejects it before any key is returned.
    pub(crate) fn of(sample: Sample<'_>, path: &Path, rules: Rules) -> Result<Self, Rejection> {
        input_text::checked(sample.bytes).map_err(|not_text| Rejection {
            line: None,
            reason: not_text.to_string(),
            help: Some(not_text.help()),
        })?;
        let first = sample.lines().next();
        let is_of_failed_keys = first.is_some_and(|(_, line)| is_failed_key(line));
        let syntax = match rules.format {
            Some(Format::Jsonl) => Self::Json,
            Some(Format::Lines) => match first {
                Some((number, line)) if is_of_failed_keys => {
                    let reason =
                        format!("is a line of --failed-keys ({}), not a key", excerpt(line));
                    let help = "leave out --keys-format lines: such files are recognised, and read as JSON Lines";
                    return Err(Rejection::new(Some(number), reason, help));
                }
                _ => Self::Given,
            },
            None if is_of_failed_keys => Self::Json,
            None => Self::of_name(path)?,
        };
        match syntax {
            Self::Given => {}
            Self::Guessed => reject_unlike(sample, rules)?,
            Self::Json => {
                if let Some((number, line)) = first.filter(|_| !rules.skips_bad_lines) {
                    reject_not_json(number, line)?;
                }
            }
        }
        Ok(syntax)
    }

    /// By the file extension.
    fn of_name(path: &Path) -> Result<Self, Rejection> {
        match path.extension().unwrap_or_default().to_ascii_lowercase().to_str() {
            Some("jsonl" | "ndjson") => Ok(Self::Json),
            Some("json") => Err(Rejection::new(
                None,
                "a .json file holds one array, not one key per line",
                "give an array with --keys file://PATH; \
                 for a JSON string or an object on each line add --keys-format jsonl",
            )),
            _ => Ok(Self::Guessed),
        }
    }
}

/// Rejects lines that are not keys, in this sample. If bad lines are skipped, only the first line
/// and all lines together are checked.
fn reject_unlike(sample: Sample<'_>, rules: Rules) -> Result<(), Rejection> {
    let lines = sample.lines();
    let Some((first, line)) = lines.clone().next() else { return Ok(()) };
    let rejection = |number, line, unlike| Rejection::unlike(number, line, unlike);
    if let Some(unlike) = Unlike::of_line(line).or_else(|| Unlike::of_first(line)) {
        return Err(rejection(first, line, unlike));
    }
    if let Some(unlike) = Unlike::of_lines(&lines.clone().map(|(_, line)| line), sample.is_all) {
        return Err(rejection(first, line, unlike));
    }
    let mut others = lines
        .filter(|_| !rules.skips_bad_lines)
        .filter_map(|(number, line)| Some((number, line, Unlike::of_line(line)?)));
    others.next().map_or(Ok(()), |(number, line, unlike)| Err(rejection(number, line, unlike)))
}

/// Rejects a first line that shows that lines are not separate JSON values.
fn reject_not_json(number: u64, line: &str) -> Result<(), Rejection> {
    const JSON: &str = "write a JSON string, or an object with the member key, on each line: jq -c";
    let error = match serde_json::from_str::<Value>(line) {
        Ok(Value::Array(_)) => {
            let reason = format!(
                "looks like a JSON array ({}); expected JSON with one key per line",
                excerpt(line)
            );
            return Err(Rejection::new(Some(number), reason, &format!("{JSON} '.[]'")));
        }
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let reason = format!("not JSON: {error}, in {}", excerpt(line));
    let is_like_json = line.trim_start().starts_with(['"', '{', '[']);
    let help =
        if is_like_json { JSON } else { "add --keys-format lines if each line is a key as it is" };
    Err(Rejection::new(Some(number), reason, help))
}

/// Whether this is a line of a file written by `--failed-keys`.
fn is_failed_key(line: &str) -> bool {
    line.trim_start().starts_with('{')
        && serde_json::from_str::<Value>(line).is_ok_and(|line| {
            ["key", "outcome"].iter().all(|member| line.get(member).is_some_and(Value::is_string))
        })
}

/// The reason why an input cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// The line, counted from 1.
    pub(crate) line: Option<u64>,
    pub(crate) reason: String,
    /// The advice.
    pub(crate) help: Option<String>,
}

impl Rejection {
    fn new(line: Option<u64>, reason: impl Into<String>, help: &str) -> Self {
        Self { line, reason: reason.into(), help: Some(help.to_owned()) }
    }

    fn unlike(number: u64, line: &str, unlike: Unlike) -> Self {
        Self::new(Some(number), looks_like(line, unlike), unlike.help())
    }
}

/// Displays the text after the name of the input, `, line 1: looks like ..` or `: is gzip data`,
/// and the advice on its own line.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.reason)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\nhelp: {help}"))
    }
}

/// `looks like JSON Lines ({"id":"doc-1"}); expected one key per line`.
pub(super) fn looks_like(line: &str, unlike: Unlike) -> String {
    format!("looks like {} ({}); expected one key per line", unlike.name(), excerpt(line))
}

/// The beginning of a text, safe for a terminal.
pub(crate) fn excerpt(text: &str) -> String {
    const LENGTH: usize = 40;
    let mut excerpt = String::new();
    for c in text.chars().take(LENGTH) {
        match c {
            '"' | '\'' => excerpt.push(c),
            c => excerpt.extend(c.escape_debug()),
        }
    }
    if text.chars().nth(LENGTH).is_some() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syntax(
        path: &str,
        text: impl AsRef<[u8]>,
        format: Option<Format>,
    ) -> Result<Syntax, String> {
        let sample = Sample { bytes: text.as_ref(), is_all: true };
        let rules = Rules { format, skips_bad_lines: false };
        Syntax::of(sample, Path::new(path), rules).map_err(|rejection| rejection.to_string())
    }

    const FAILED: &str = "{\"key\":\"doc-1\",\"outcome\":\"rejected\",\"code\":null,\"message\":null,\"request_id\":null}\n";

    #[test]
    fn name_and_content_decide_the_format() {
        for (path, text, expected) in [
            ("a.txt", "doc-1\n", Syntax::Guessed),
            ("-", "\n\u{feff}\n", Syntax::Guessed),
            ("a", "", Syntax::Guessed),
            ("json", "doc-1", Syntax::Guessed),
            ("a.jsonl", "\"doc-1\"\n", Syntax::Json),
            ("A.NDJSON", "{\"key\":\"doc-1\"}", Syntax::Json),
            ("failed.txt", FAILED, Syntax::Json),
            ("-", FAILED, Syntax::Json),
            ("a.json", FAILED, Syntax::Json),
            ("-", &format!("\n\u{feff}\n {FAILED}"), Syntax::Json),
        ] {
            assert_eq!(syntax(path, text, None), Ok(expected), "{path}: {text}");
        }
    }

    #[test]
    fn an_option_decides_the_format() {
        for text in ["\"doc-1\"", "{\"id\":1}", "a\tb", "a,b", " a", "key", "<html>", "[1]", "- a"]
        {
            assert!(syntax("-", text, None).is_err(), "{text}");
            for path in ["-", "a.jsonl", "a.json"] {
                assert_eq!(syntax(path, text, Some(Format::Lines)), Ok(Syntax::Given), "{text}");
            }
        }
        assert_eq!(syntax("a.json", "\"a\"", Some(Format::Jsonl)), Ok(Syntax::Json));
    }

    #[test]
    fn rejections_have_line_reason_and_option() {
        let lines = Some(Format::Lines);
        for (path, text, format, expected) in [
            (
                "part-00000",
                "\n{\"id\":\"doc-1\"}\n",
                None,
                ", line 2: looks like JSON Lines ({\"id\":\"doc-1\"}); expected one key per line\n\
                 help: add --keys-format jsonl, or --keys-format lines if these are the keys themselves",
            ),
            (
                "a.jsonl",
                "doc-1\n",
                None,
                ", line 1: not JSON: expected value at line 1 column 1, in doc-1\n\
                 help: add --keys-format lines if each line is a key as it is",
            ),
            (
                "a.jsonl",
                "[\"a\",\"b\"]",
                None,
                ", line 1: looks like a JSON array ([\"a\",\"b\"]); expected JSON with one key per line\n\
                 help: write a JSON string, or an object with the member key, on each line: jq -c '.[]'",
            ),
            (
                "-",
                "{\n  \"key\": \"a\"\n}",
                Some(Format::Jsonl),
                ", line 1: not JSON: EOF while parsing an object at line 1 column 1, in {\n\
                 help: write a JSON string, or an object with the member key, on each line: jq -c",
            ),
            (
                "a.json",
                "[\"a\"]",
                None,
                ": a .json file holds one array, not one key per line\nhelp: give an array with --keys file://PATH; \
                 for a JSON string or an object on each line add --keys-format jsonl",
            ),
            (
                "failed.jsonl",
                FAILED,
                lines,
                ", line 1: is a line of --failed-keys ({\"key\":\"doc-1\",\"outcome\":\"rejected\",\"cod…), not a key\n\
                 help: leave out --keys-format lines: such files are recognised, and read as JSON Lines",
            ),
        ] {
            assert_eq!(syntax(path, text, format).err().unwrap_or_default(), expected, "{path}");
        }
        for format in [None, lines, Some(Format::Jsonl)] {
            let rejected = syntax("keys.txt", b"\x1f\x8b\x08\0", format).unwrap_err();
            assert_eq!(
                rejected,
                ": is gzip data; expected UTF-8 text\nhelp: unpack it first: gzip -dc"
            );
        }
    }

    #[test]
    fn later_lines_are_checked_unless_bad_ones_are_skipped() {
        let text = format!("{}\"doc-1\"\n", "doc-0\n".repeat(1000));
        assert!(
            syntax("-", &text, None).unwrap_err().starts_with(", line 1001: looks like JSON Lines")
        );
        let of = |text: &str, is_all| {
            let rules = Rules { format: None, skips_bad_lines: true };
            Syntax::of(Sample { bytes: text.as_bytes(), is_all }, Path::new("-"), rules)
        };
        assert_eq!(of(&text, true), Ok(Syntax::Guessed));
        assert!(of("\"doc-1\"\n", true).is_err(), "the first line is");
        // An incomplete line is not checked.
        assert_eq!(of("doc-1\n\"do", false), Ok(Syntax::Guessed));
        assert_eq!(of("\"do", false), Ok(Syntax::Guessed));
    }

    #[test]
    fn excerpts_are_short_and_safe_for_a_terminal() {
        assert_eq!(excerpt("\"a\" 'b' \u{1b}[m\u{202e}"), "\"a\" 'b' \\u{1b}[m\\u{202e}");
        assert_eq!(excerpt(&"x".repeat(41)), format!("{}…", "x".repeat(40)));
    }
}
