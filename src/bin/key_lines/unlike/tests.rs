//! Lines that are keys, and lines that are not.

use super::*;

#[test]
fn lines_of_other_formats_are_recognized() {
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
        ("> doc-1", Unlike::Diff),
        ("< doc-1", Unlike::Diff),
        ("('doc-1')", Unlike::Quoted),
        ("(\"doc-1\",)", Unlike::Quoted),
        ("b'doc-1'", Unlike::Quoted),
        ("u\"doc-1\"", Unlike::Quoted),
        ("\u{2018}doc-1\u{2019}", Unlike::Quoted),
        ("\u{ab}doc-1\u{bb}", Unlike::Quoted),
        ("\u{300c}doc-1\u{300d}", Unlike::Quoted),
        ("doc-1\u{ff0c}", Unlike::TrailingComma),
        ("doc-1\u{3001}", Unlike::TrailingComma),
        ("doc-1\u{200b}", Unlike::Invisible),
        ("\u{200e}doc-1", Unlike::Invisible),
        ("doc\u{ad}-1", Unlike::Invisible),
        ("doc-1\u{2028}doc-2", Unlike::Invisible),
        ("doc-1\u{202c}", Unlike::Invisible),
        ("doc-\u{fffd}1", Unlike::Damaged),
    ] {
        assert_eq!(Unlike::of_line(line), Some(unlike), "{line:?}");
    }
}

#[test]
fn plausible_keys_are_accepted() {
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
        "\u{1f469}\u{200d}\u{1f4bb}",
        "(a)",
        "b'tis",
        "<3",
        ">",
        "a\u{2013}b",
        "it\u{2019}s",
        "c:\\x",
        "a=b;c",
    ] {
        assert_eq!(Unlike::of_line(line), None, "{line:?}");
    }
}

#[test]
fn headings_and_pages_are_recognized() {
    for (line, unlike) in [
        ("key", Unlike::Heading),
        ("ID", Unlike::Heading),
        ("vectorKey", Unlike::Heading),
        ("<!DOCTYPE html>", Unlike::Markup),
        ("<html>", Unlike::Markup),
        ("<?xml version=\"1.0\"?>", Unlike::Markup),
        ("---", Unlike::List),
        ("%YAML 1.2", Unlike::List),
        ("keys:", Unlike::List),
        ("--- old.txt", Unlike::Diff),
        ("diff --git a/x b/x", Unlike::Diff),
        ("total 12", Unlike::Words),
        ("HTTP/1.1 200 OK", Unlike::Words),
        ("doc-1 doc-2", Unlike::Words),
        ("doc-1 doc-22  b-3", Unlike::Words),
    ] {
        assert_eq!(Unlike::of_first(line), Some(unlike), "{line:?}");
    }
    for line in
        ["key-1", "keys of yours", "<3", "<", "page 1", "New York", "1", "doc-1", "a-1 b_2", " "]
    {
        assert_eq!(Unlike::of_first(line), None, "{line:?}");
    }
}

#[test]
fn tables_and_lists_are_recognized() {
    let of = |lines: &[&str], is_all| Unlike::of_lines(&lines.iter().copied(), is_all);
    for (lines, unlike) in [
        (&["doc-1,doc-2"][..], Some(Unlike::Commas)),
        (&["doc-1,2024,x", "doc-2,2025,y"], Some(Unlike::Commas)),
        (&["doc-1;x", "doc-2;y"], Some(Unlike::Commas)),
        (&["doc-1|x", "doc-2|y"], Some(Unlike::Commas)),
        (&["doc-1    7", "doc-22   8"], Some(Unlike::Words)),
        (&["doc-1    7", "doc-22 8"], None),
        (&["key = \"doc-1\""], Some(Unlike::List)),
        (&["id=doc-1", "id=doc-2"], Some(Unlike::List)),
        (&["a=doc-1", "a=doc-2"], None),
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
    assert_eq!(of(&["a,b"], false), None, "more lines may follow");
    assert_eq!(of(&["a,b", "c,d"], false), Some(Unlike::Commas));
}
