//! Lines that are no keys, as far as anyone can tell: JSON, CSV, tables, lists, pages.
//!
//! A key may be any text, so each of these may be one. But a key that does not exist is no error of
//! the service: what is taken for a key by mistake is reported as deleted, and what it stands for
//! stays. A refusal costs one option, so doubt means to refuse.

use serde_json::Value;

/// What a line looks like.
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
    Blank,
    Markup,
    List,
    Table,
    Comment,
    Heading,
}

/// Names of a column or a member of keys.
const HEADINGS: [&str; 8] = ["key", "keys", "id", "ids", "vector_key", "vector_keys", "vectorkey", "vector_id"];

impl Unlike {
    /// What any line of an input looks like; `None`: a key. The line has no line end.
    pub(crate) fn of_line(line: &str) -> Option<Self> {
        // Bytes of control characters and of marks, and of few others.
        if line.bytes().any(|byte| matches!(byte, 0..0x20 | 0x7f | 0xc2 | 0xef))
            && let Some(found) = line.trim().chars().find_map(Self::of_char)
        {
            return Some(found);
        }
        let text = line.trim();
        Self::of_ends(text).or_else(|| (text.len() < line.len()).then_some(Self::Blank))
    }

    /// What the first line of an input looks like.
    pub(crate) fn of_first(line: &str) -> Option<Self> {
        let is_markup = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || "!?/".contains(c));
        if line.strip_prefix('<').is_some_and(is_markup) {
            return Some(Self::Markup);
        }
        if Self::is_heading(line) {
            return Some(Self::Heading);
        }
        if line == "---" {
            return Some(Self::List);
        }
        let mut words = line.split(' ').filter(|word| !word.is_empty()).map(shape);
        let first = words.next()?;
        let mut rest = words.peekable();
        (first.contains('0') && rest.peek().is_some() && rest.all(|word| word == first)).then_some(Self::Words)
    }

    /// What lines look like together; `is_all` if there are no others.
    pub(crate) fn of_lines<'a>(lines: &(impl Iterator<Item = &'a str> + Clone), is_all: bool) -> Option<Self> {
        let number = |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let is_item = |line: &str| {
            let numbered = &line[line.len() - number(line)..];
            let name = line.split_once(": ").map(|(name, _)| name);
            name.is_some_and(Self::is_heading)
                || ["- ", "* ", "+ "].iter().any(|bullet| line.starts_with(bullet))
                || (numbered.len() < line.len() && (numbered.starts_with(". ") || numbered.starts_with(") ")))
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
        // One line of a pipe is not enough to say so.
        ((is_all || first.next().is_some()) && (is_table(',') || is_table(';'))).then_some(Self::Commas)
    }

    fn is_heading(text: &str) -> bool {
        HEADINGS.iter().any(|heading| text.eq_ignore_ascii_case(heading))
    }

    fn of_char(c: char) -> Option<Self> {
        match c {
            '\t' => Some(Self::Tsv),
            '\r' => Some(Self::CarriageReturn),
            '\u{feff}' => Some(Self::Mark),
            c if c.is_control() => Some(Self::Control),
            _ => None,
        }
    }

    /// By how it begins and ends; blanks at its ends are left out.
    fn of_ends(text: &str) -> Option<Self> {
        let first = text.chars().next()?;
        let inner = text.trim_end_matches([',', ';', ' ']);
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
            '\u{201c}' | '\u{201e}' if ends('\u{201d}') || ends('\u{201c}') => return Some(Self::Quoted),
            '|' if ends('|') => return Some(Self::Table),
            '+' if text.chars().all(|c| "+-=".contains(c)) && text.len() > 2 => return Some(Self::Table),
            '#' if ["# ", "#!", "##"].iter().any(|start| text.starts_with(start)) => return Some(Self::Comment),
            '`' if text.starts_with("```") => return Some(Self::Comment),
            _ => {}
        }
        if text.contains("\",\"") || (text.contains(",\"") && text.ends_with('"')) {
            return Some(Self::Csv);
        }
        text.ends_with([',', ';']).then_some(Self::TrailingComma)
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

    /// What to do about it.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::JsonLines => "add --keys-format jsonl, or --keys-format lines if these are the keys themselves",
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
            Self::Quoted | Self::Csv | Self::Commas | Self::Words | Self::List | Self::Table => {
                "keep the keys alone, one a line; \
                 or add --keys-format lines if these are the keys themselves"
            }
            _ => "remove it, or add --keys-format lines if this is a key",
        }
    }

    /// What it looks like, in words that fit behind *looks like*.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "JSON Lines",
            Self::JsonArray => "a JSON array",
            Self::JsonPart => "JSON over several lines",
            Self::Quoted => "text in quotes",
            Self::Csv => "CSV with quotes",
            Self::Tsv => "columns with tabs between",
            Self::Commas => "a list or columns with commas or semicolons between",
            Self::TrailingComma => "an item of a list, with the comma or semicolon behind it",
            Self::Words => "several keys with blanks between",
            Self::CarriageReturn => "lines that end in a carriage return alone",
            Self::Control => "text with control characters",
            Self::Mark => "text with a byte order mark in the middle",
            Self::Blank => "a key with blanks before or behind it",
            Self::Markup => "HTML or XML",
            Self::List => "a list of YAML or Markdown",
            Self::Table => "a line of a table",
            Self::Comment => "a comment or a heading",
            Self::Heading => "the heading of a column",
        }
    }
}

/// `doc-17` is `a-0`.
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
mod tests {
    use super::*;

    #[test]
    fn lines_of_other_formats_are_recognised() {
        for (line, unlike) in [
            (r#""doc-1""#, Unlike::JsonLines),
            (r#" "doc-1" "#, Unlike::JsonLines),
            (r#"{"id":"doc-1"}"#, Unlike::JsonLines),
            (r#"{ "id": "doc-1", "#, Unlike::JsonLines),
            ("{'id': 'doc-1'}", Unlike::JsonLines),
            ("{}", Unlike::JsonLines),
            (r#"["doc-1","doc-2"]"#, Unlike::JsonArray),
            (r#"["doc-1","#, Unlike::JsonArray),
            ("[1, 2]", Unlike::JsonArray),
            ("['doc-1']", Unlike::JsonArray),
            ("[[1]]", Unlike::JsonArray),
            ("[", Unlike::JsonPart),
            (" { ", Unlike::JsonPart),
            ("},", Unlike::JsonPart),
            ("]", Unlike::JsonPart),
            (r#"  "key": "doc-1","#, Unlike::JsonPart),
            (r#""doc-1","#, Unlike::Quoted),
            (r#""doc-1"#, Unlike::Quoted),
            (r#""a" and b"#, Unlike::Quoted),
            (r#""doc ""1""""#, Unlike::Quoted),
            (r#""doc-1","x""#, Unlike::Csv),
            (r#""doc-1",5"#, Unlike::Csv),
            (r#""doc-1";"x""#, Unlike::Csv),
            (r#"doc-1,"x""#, Unlike::Csv),
            ("'doc-1'", Unlike::Quoted),
            ("'doc-1',", Unlike::Quoted),
            ("`doc-1`", Unlike::Quoted),
            ("\u{201c}doc-1\u{201d}", Unlike::Quoted),
            ("doc-1\t7", Unlike::Tsv),
            ("doc-1,", Unlike::TrailingComma),
            ("doc-1;", Unlike::TrailingComma),
            ("doc-1\rdoc-2", Unlike::CarriageReturn),
            ("\u{1b}[01;31mdoc\u{1b}[m-1", Unlike::Control),
            ("doc\u{85}1", Unlike::Control),
            ("doc\u{7f}1", Unlike::Control),
            ("doc-1\u{feff}doc-2", Unlike::Mark),
            (" doc-1", Unlike::Blank),
            ("doc-1 ", Unlike::Blank),
            ("doc-1\t", Unlike::Blank),
            ("\u{c}doc-1", Unlike::Blank),
            ("doc-1\u{a0}", Unlike::Blank),
            ("| doc-1 |", Unlike::Table),
            ("+-------+", Unlike::Table),
            ("# Keys", Unlike::Comment),
            ("#!/bin/sh", Unlike::Comment),
            ("```json", Unlike::Comment),
        ] {
            assert_eq!(Unlike::of_line(line), Some(unlike), "{line:?}");
        }
    }

    #[test]
    fn keys_are_keys() {
        for line in [
            "doc-1",
            "a,b",
            "Smith, John",
            "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}",
            "[2024] report",
            "[a]",
            "{a}",
            "'tis",
            "'",
            "`",
            "|",
            "- doc-1",
            "-",
            "+",
            "#1",
            "#",
            "a \"b\" c",
            "5\"",
            "a|b",
            "<a>",
            "null",
            "12",
            "-1.5e3",
            "key",
            "https://example.com/?a=b,c&d=%22",
            "ключ-1",
            "文档－1",
            "e\u{301}",
            "\u{1f600}",
            "a\u{2028}b",
            "c:\\x",
            "a=b;c",
        ] {
            assert_eq!(Unlike::of_line(line), None, "{line:?}");
        }
    }

    #[test]
    fn first_lines_may_name_the_column_or_begin_a_page() {
        for (line, unlike) in [
            ("key", Unlike::Heading),
            ("ID", Unlike::Heading),
            ("vectorKey", Unlike::Heading),
            ("<!DOCTYPE html>", Unlike::Markup),
            ("<html>", Unlike::Markup),
            ("<?xml version=\"1.0\"?>", Unlike::Markup),
            ("---", Unlike::List),
            ("doc-1 doc-2", Unlike::Words),
            ("doc-1 doc-22  b-3", Unlike::Words),
        ] {
            assert_eq!(Unlike::of_first(line), Some(unlike), "{line:?}");
        }
        for line in ["key-1", "keys of yours", "<3", "<", "page 1", "New York", "1", "doc-1", "a-1 b_2", " "] {
            assert_eq!(Unlike::of_first(line), None, "{line:?}");
        }
    }

    #[test]
    fn lines_together_may_be_a_table_or_a_list() {
        let of = |lines: &[&str], is_all| Unlike::of_lines(&lines.iter().copied(), is_all);
        for (lines, unlike) in [
            (&["doc-1,doc-2"][..], Some(Unlike::Commas)),
            (&["doc-1,2024,x", "doc-2,2025,y"], Some(Unlike::Commas)),
            (&["doc-1;x", "doc-2;y"], Some(Unlike::Commas)),
            (&["- doc-1"], Some(Unlike::List)),
            (&["* doc-1", "- doc-2"], Some(Unlike::List)),
            (&["1. doc-1", "2. doc-2"], Some(Unlike::List)),
            (&["10) doc-1"], Some(Unlike::List)),
            (&["id: doc-1", "- id: doc-2"], Some(Unlike::List)),
            (&["id:doc-1", "id:doc-2"], None),
            (&["Smith, John", "Sinclair"], None),
            (&["a,b", "c,d,e"], None),
            (&["- doc-1", "doc-2"], None),
            (&["1.5", "2. x"], None),
            (&["doc-1"], None),
            (&[], None),
        ] {
            assert_eq!(of(lines, true), unlike, "{lines:?}");
        }
        assert_eq!(of(&["a,b"], false), None, "more may come");
        assert_eq!(of(&["a,b", "c,d"], false), Some(Unlike::Commas));
    }
}
