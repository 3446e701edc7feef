use super::*;

fn read(text: impl AsRef<[u8]>, syntax: Syntax) -> Vec<Result<String, String>> {
    KeyLines::new(text.as_ref(), syntax, None)
        .map(|key| key.map_err(|error| error.to_string()))
        .collect()
}

fn keys(text: impl AsRef<[u8]>, syntax: Syntax) -> Vec<String> {
    read(text, syntax).into_iter().map(Result::unwrap).collect()
}

#[test]
fn line_ends_and_blank_lines_are_left_out() {
    for syntax in [Syntax::Given, Syntax::Guessed] {
        for text in
            ["a\nb\n", "a\nb", "\u{feff}a\r\nb\r\n", "\n\r\n \t\na\n\n\nb\n\n", "\u{feff}\na\nb\r"]
        {
            assert_eq!(keys(text, syntax), ["a", "b"], "{text:?}");
        }
        assert_eq!(keys("", syntax), [""; 0]);
        assert_eq!(keys("\u{feff}", syntax), [""; 0]);
    }
    // With --keys-format lines, the whole line is the key.
    let text = "a\n\u{feff}b\n \"c\" \n\r\rd\r\r\ne\tf";
    assert_eq!(keys(text, Syntax::Given), ["a", "\u{feff}b", " \"c\" ", "\r\rd\r", "e\tf"]);
}

#[test]
fn byte_order_marks_in_the_middle_are_handled() {
    assert_eq!(keys("\u{feff}a\n\u{feff}b\n", Syntax::Guessed), ["a", "b"]);
    assert_eq!(keys("\u{feff}\"a\"\n\u{feff}\"b\"\n", Syntax::Json), ["a", "b"]);
    let joined = read("a\u{feff}b\nc\n", Syntax::Guessed);
    assert!(
        joined[0].as_ref().unwrap_err().contains("a byte order mark in the middle (a\\u{feff}b)"),
        "{joined:?}"
    );
}

#[test]
fn lines_unlike_keys_are_bad_anywhere() {
    let text = format!("{}\"doc-1\"\nb\n", "a\n".repeat(1000));
    let read = read(&text, Syntax::Guessed);
    let reason =
        "line 1001: looks like JSON Lines (\"doc-1\"); expected one key per line".to_owned();
    assert_eq!((read.len(), &read[1000], &read[1001]), (1002, &Err(reason), &Ok("b".to_owned())));
    assert_eq!(keys(text, Syntax::Given)[1000], "\"doc-1\"");
}

#[test]
fn a_nul_byte_ends_the_input() {
    for syntax in [Syntax::Given, Syntax::Guessed, Syntax::Json] {
        let read = read(
            "\"a\"\nb\0\n\"c\"\n".replace('"', if syntax == Syntax::Json { "\"" } else { "" }),
            syntax,
        );
        let reason = "line 2: holds NUL bytes, so it is binary; expected UTF-8 text".to_owned();
        assert_eq!(read, [Ok("a".to_owned()), Err(reason)]);
    }
    assert_eq!(keys(r#""a\u0000b""#, Syntax::Json), ["a\0b"]);
}

#[test]
fn too_many_bad_lines_end_the_input() {
    let bad = "\u{80}\n";
    for (good, bad_lines, expected) in [
        (0, 1, Some("none of 1 lines holds a key")),
        (0, 2000, Some("none of 1001 lines holds a key")),
        (1, 2000, Some("1001 of its first 1002 lines hold no key")),
        (1500, 2000, Some("1501 of its first 3001 lines hold no key")),
        (2000, 2000, None),
        (1, 1000, None),
    ] {
        let read = read("a\n".repeat(good) + &bad.repeat(bad_lines), Syntax::Guessed);
        let last = read.last().and_then(|last| last.as_ref().err()).unwrap();
        assert_eq!(
            Some(last.as_str()).filter(|last| !last.starts_with("line ")),
            expected,
            "{good} {bad_lines}"
        );
    }
}

#[test]
fn json_lines_are_strings_or_objects_with_a_key() {
    let text = "\u{feff}\"a\"\r\n\n {\"key\":\"b\\n\",\"outcome\":\"rejected\",\"vector\":[1,2]} \n\"\\ud83d\\ude00\"";
    assert_eq!(keys(text, Syntax::Json), ["a", "b\n", "😀"]);
}

#[test]
fn bad_lines_have_a_number_and_the_rest_is_read() {
    let long = format!("{}\n", "k".repeat(1025));
    let huge = format!("{}\nb\n", "k".repeat(MAX_LINE + 1));
    for (text, syntax, expected) in [
        (b"a\n\xff\xfe\nb\n".as_slice(), Syntax::Given, "line 2: not UTF-8 from byte 1 on"),
        (b"a\nab\xc3\nb", Syntax::Given, "line 2: not UTF-8 from byte 3 on"),
        (
            format!("a\n{long}b").as_bytes(),
            Syntax::Given,
            "line 2: key must be 1 to 1024 characters, not \"kkkk",
        ),
        (format!("a\n{huge}").as_bytes(), Syntax::Given, "line 2: longer than 1 MiB"),
        (b"\"a\"\n\"\"\n\"b\"", Syntax::Json, "line 2: key must be 1 to 1024 characters, not \"\""),
        (b"\"a\"\na\n\"b\"", Syntax::Json, "line 2: not JSON: expected value at line 1 column 1"),
        (
            b"\"a\"\n1\n\"b\"",
            Syntax::Json,
            "line 2: neither a JSON string nor an object whose key is one",
        ),
        (
            b"\"a\"\n{\"key\":1}\n\"b\"",
            Syntax::Json,
            "line 2: neither a JSON string nor an object whose key is one",
        ),
        (
            b"\"a\"\n{\"Key\":\"x\"}\n\"b\"",
            Syntax::Json,
            "line 2: an object without the member key",
        ),
        (b"\"a\"\n\"x\" \"y\"\n\"b\"", Syntax::Json, "line 2: not JSON: trailing characters"),
    ] {
        let read = read(text, syntax);
        assert_eq!(
            (read.len(), read[0].as_deref(), read[2].as_deref()),
            (3, Ok("a"), Ok("b")),
            "{expected}"
        );
        assert!(read[1].as_ref().unwrap_err().starts_with(expected), "{read:?}");
    }
}

#[test]
fn lines_over_the_maximum_are_rejected() {
    let line = format!("{{\"key\":\"a\",\"vector\":\"{}\"}}", "1".repeat(MAX_LINE - 23));
    assert_eq!(line.len(), MAX_LINE);
    for end in ["\n", "\r\n"] {
        assert_eq!(keys(format!("{line}{end}\"b\""), Syntax::Json), ["a", "b"]);
    }
    for end in [" \n", " \r\n", "\rx\n", "\r\r\n"] {
        let read = read(format!("{line}{end}\"b\""), Syntax::Json);
        assert_eq!(
            read,
            [Err("line 1: longer than 1 MiB".to_owned()), Ok("b".to_owned())],
            "{end:?}"
        );
    }
}

#[test]
fn read_errors_end_the_input() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk failed"))
        }
    }
    let broken = io::BufReader::new(b"a\nb\n".chain(Broken));
    let read: Vec<_> = KeyLines::new(broken, Syntax::Given, None)
        .map(|key| key.map_err(|error| error.to_string()))
        .collect();
    assert_eq!(
        read,
        [
            Ok("a".to_owned()),
            Ok("b".to_owned()),
            Err("cannot be read after line 2: the disk failed".to_owned())
        ]
    );
}
