//! Detects lines that are probably not keys: JSON, CSV, tables, lists, HTML.
//!
//! A key may be any text, so each of these may be a key. But the service confirms keys that do not
//! exist: a line that is mistaken for a key is reported as deleted, and the intended vector
//! remains. Overriding a rejection takes one option, so doubtful lines are rejected.

use serde_json::Value;

/// The kinds of lines that are probably not keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unlike {
    JsonLines,
    JsonArray,
    /// A part of JSON over several lines.
    JsonPart,
    Quoted,
    Csv,
    Tsv,
    Commas,
    TrailingComma,
    Words,
    CarriageReturn,
    Control,
    Mark,
    Invisible,
    Damaged,
    Blank,
    Markup,
    List,
    Table,
    Comment,
    Diff,
    Heading,
}

/// Headings of a column of keys, and names of the member with the key.
const HEADINGS: [&str; 8] =
    ["key", "keys", "id", "ids", "vector_key", "vector_keys", "vectorkey", "vector_id"];

/// Separators of the columns of a table, in addition to blanks.
const SEPARATORS: [char; 3] = [',', ';', '|'];
const WIDE: &str = "  ";

impl Unlike {
    /// The kind of any line of an input; `None`: a key. The line is without its end.
    pub(crate) fn of_line(line: &str) -> Option<Self> {
        // First bytes of control characters, of invisible characters and of marks, and of few
        // others.
        if line.bytes().any(|byte| matches!(byte, 0..0x20 | 0x7f | 0xc2 | 0xe2 | 0xef))
            && let Some(found) = line.trim().chars().find_map(Self::of_char)
        {
            return Some(found);
        }
        let text = line.trim();
        Self::of_ends(text).or_else(|| (text.len() < line.len()).then_some(Self::Blank))
    }

    /// The kind of the first line of an input.
    pub(crate) fn of_first(line: &str) -> Option<Self> {
        let is_markup =
            |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || "!?/".contains(c));
        if line.strip_prefix('<').is_some_and(is_markup) {
            return Some(Self::Markup);
        }
        if Self::is_heading(line) {
            return Some(Self::Heading);
        }
        if line == "---"
            || line.starts_with("%YAML ")
            || line.strip_suffix(':').is_some_and(Self::is_heading)
        {
            return Some(Self::List);
        }
        if ["--- ", "@@ ", "diff "].iter().any(|start| line.starts_with(start)) {
            return Some(Self::Diff);
        }
        // The output of `ls -l` and `curl -i`.
        if line.strip_prefix("total ").is_some_and(|rest| shape(rest) == "0")
            || line.starts_with("HTTP/")
        {
            return Some(Self::Words);
        }
        let mut words = line.split(' ').filter(|word| !word.is_empty()).map(shape);
        let first = words.next()?;
        let mut rest = words.peekable();
        (first.contains('0') && rest.peek().is_some() && rest.all(|word| word == first))
            .then_some(Self::Words)
    }

    /// The kind of several lines together. `is_all` if there are no others.
    pub(crate) fn of_lines<'a>(
        lines: &(impl Iterator<Item = &'a str> + Clone),
        is_all: bool,
    ) -> Option<Self> {
        let number = |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let is_item = |line: &str| {
            let numbered = &line[line.len() - number(line)..];
            let name = line
                .split_once(": ")
                .or_else(|| line.split_once('='))
                .map(|(name, _)| name.trim_end());
            name.is_some_and(Self::is_heading)
                || ["- ", "* ", "+ "].iter().any(|bullet| line.starts_with(bullet))
                || (numbered.len() < line.len()
                    && (numbered.starts_with(". ") || numbered.starts_with(") ")))
        };
        let mut first = lines.clone();
        let start = first.next()?;
        if lines.clone().all(is_item) {
            return Some(Self::List);
        }
        let is_table = |separator: char| {
            let columns = start.matches(separator).count();
            columns > 0 && lines.clone().all(|line| line.matches(separator).count() == columns)
        };
        // One line of a pipe is not enough to decide.
        if !is_all && first.next().is_none() {
            return None;
        }
        if lines.clone().all(|line| line.contains(WIDE)) {
            return Some(Self::Words);
        }
        SEPARATORS.into_iter().any(is_table).then_some(Self::Commas)
    }

    /// Whether another line may show that this one is not a key.
    pub(crate) fn needs_another(line: &str) -> bool {
        line.contains(SEPARATORS) || line.contains(WIDE)
    }

    fn is_heading(text: &str) -> bool {
        HEADINGS.iter().any(|heading| text.eq_ignore_ascii_case(heading))
    }

    fn of_char(c: char) -> Option<Self> {
        match c {
            '\t' => Some(Self::Tsv),
            '\r' => Some(Self::CarriageReturn),
            '\u{feff}' => Some(Self::Mark),
            '\u{fffd}' => Some(Self::Damaged),
            // Joiners occur in words and emoji.
            '\u{ad}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' => Some(Self::Invisible),
            c if c.is_control() => Some(Self::Control),
            _ => None,
        }
    }

    /// By its beginning and end, without surrounding blanks.
    fn of_ends(text: &str) -> Option<Self> {
        let first = text.chars().next()?;
        let inner = text.trim_end_matches([',', ';', '\u{ff0c}', '\u{3001}', '\u{ff1b}', ' ']);
        let ends = |quote: char| inner.len() > first.len_utf8() && inner.ends_with(quote);
        match first {
            '"' => return Some(Self::of_quoted(text)),
            '{' | '[' => {
                let inside = text[1..].trim_start();
                let is_json = || serde_json::from_str::<Value>(inner).is_ok();
                if inside.is_empty() {
                    return Some(Self::JsonPart);
                } else if inside.starts_with(['"', '\'', '{', '[']) || is_json() {
                    return Some(if first == '[' { Self::JsonArray } else { Self::JsonLines });
                }
            }
            '}' | ']' if text.chars().all(|c| "}], ".contains(c)) => return Some(Self::JsonPart),
            '\'' | '`' if ends(first) => return Some(Self::Quoted),
            '(' if text[1..].starts_with(['"', '\'']) => return Some(Self::Quoted),
            'b' | 'u' | 'r'
                if text[1..].starts_with(['"', '\''])
                    && inner.len() > 2
                    && inner.ends_with(['"', '\'']) =>
            {
                return Some(Self::Quoted);
            }
            '\u{2018}' if ends('\u{2019}') => return Some(Self::Quoted),
            '\u{ab}' if ends('\u{bb}') => return Some(Self::Quoted),
            '\u{300c}' if ends('\u{300d}') => return Some(Self::Quoted),
            '<' | '>' if text[1..].starts_with(' ') => return Some(Self::Diff),
            '\u{201c}' | '\u{201e}' if ends('\u{201d}') || ends('\u{201c}') => {
                return Some(Self::Quoted);
            }
            '|' if ends('|') => return Some(Self::Table),
            '+' if text.chars().all(|c| "+-=".contains(c)) && text.len() > 2 => {
                return Some(Self::Table);
            }
            '#' if ["# ", "#!", "##"].iter().any(|start| text.starts_with(start)) => {
                return Some(Self::Comment);
            }
            '`' if text.starts_with("```") => return Some(Self::Comment),
            _ => {}
        }
        if text.contains("\",\"") || (text.contains(",\"") && text.ends_with('"')) {
            return Some(Self::Csv);
        }
        text.ends_with([',', ';', '\u{ff0c}', '\u{3001}', '\u{ff1b}'])
            .then_some(Self::TrailingComma)
    }

    /// A line that begins with a double quote.
    fn of_quoted(text: &str) -> Self {
        let rest = text.trim_end_matches([',', ';']);
        if serde_json::from_str::<Value>(text).is_ok() {
            Self::JsonLines
        } else if text.contains("\":") || text.contains("\" :") {
            Self::JsonPart
        } else if rest.contains("\",") || rest.contains("\";") {
            Self::Csv
        } else {
            Self::Quoted
        }
    }

    /// The advice.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::JsonLines => {
                "add --keys-format jsonl, or --keys-format lines if these are the keys themselves"
            }
            Self::JsonArray | Self::JsonPart => {
                "write each key on a line of its own: jq -r '.[]'; \
                 or add --keys-format lines if these are the keys themselves"
            }
            Self::Tsv => {
                "keep the column of the keys: cut -f 1; \
                 or add --keys-format lines if these are the keys themselves"
            }
            Self::CarriageReturn => {
                "end each line with a line feed: tr '\\r' '\\n'; \
                 or add --keys-format lines if these are the keys themselves"
            }
            Self::Quoted
            | Self::Csv
            | Self::Commas
            | Self::Words
            | Self::List
            | Self::Table
            | Self::Diff => {
                "keep only the keys, one per line; \
                 or add --keys-format lines if these are the keys themselves"
            }
            Self::Damaged => {
                "export the keys as UTF-8, or add --keys-format lines if this is a key"
            }
            _ => "remove it, or add --keys-format lines if this is a key",
        }
    }

    /// A phrase to follow *looks like*.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "JSON Lines",
            Self::JsonArray => "a JSON array",
            Self::JsonPart => "JSON over several lines",
            Self::Quoted => "text in quotes",
            Self::Csv => "CSV with quotes",
            Self::Tsv => "columns with tabs between",
            Self::Commas => "a list or columns with commas, semicolons or bars between",
            Self::TrailingComma => "an item of a list, with the comma or semicolon behind it",
            Self::Words => "several keys or columns with blanks between",
            Self::CarriageReturn => "lines that end in a carriage return alone",
            Self::Control => "text with control characters",
            Self::Invisible => "a key with invisible characters, as copied from a page",
            Self::Damaged => "text that was damaged by a conversion from another encoding",
            Self::Mark => "text with a byte order mark in the middle",
            Self::Blank => "a key with blanks before or behind it",
            Self::Markup => "HTML or XML",
            Self::List => "a list or settings, such as YAML",
            Self::Table => "a line of a table",
            Self::Comment => "a comment or a heading",
            Self::Diff => "a line of diff, or a quotation",
            Self::Heading => "the heading of a column",
        }
    }
}

/// `doc-17` has the shape `a-0`.
fn shape(word: &str) -> String {
    let mut shape = String::new();
    for c in word.chars() {
        let class = if c.is_ascii_digit() {
            '0'
        } else if c.is_alphabetic() {
            'a'
        } else {
            c
        };
        if !shape.ends_with(class) {
            shape.push(class);
        }
    }
    shape
}

#[cfg(test)]
#[path = "unlike/tests.rs"]
mod tests;
