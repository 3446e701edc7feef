//! Input that is not lines of keys, and text in other encodings: rejected with the reason before a
//! request.

use crate::home::Home;
use crate::program::{
    CREDENTIALS, File, PLACE, REJECTED, Run, Service, TRANSPORTS, USAGE, run, run_with_stdin,
};

fn delete(service: &Service, options: &[&str], stdin: impl AsRef<[u8]>) -> Run {
    let url = service.url();
    let base =
        ["--index-name", "vectorindex1", "--force", "--output-format", "json", "--endpoint", &url];
    run_with_stdin(
        PLACE.into_iter().chain(base).chain(options.iter().copied()),
        &CREDENTIALS,
        stdin,
    )
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

const OR_LINES: &str = "or add --keys-format lines if these are the keys themselves";

#[test]
fn input_that_is_obviously_not_keys_is_rejected() {
    let service = Service::start();
    let later = format!("{}\"doc-001\"\n", "doc-002\n".repeat(1000));
    let jsonl = "add --keys-format jsonl, or --keys-format lines if these are the keys themselves";
    let (alone, this) = (
        format!("keep only the keys, one per line; {OR_LINES}"),
        "remove it, or add --keys-format lines if this is a key",
    );
    let array = format!("write each key on a line of its own: jq -r '.[]'; {OR_LINES}");
    for (text, looks, help) in [
        ("\"doc-001\"\n\"doc-002\"\n", ", line 1: looks like JSON Lines (\"doc-001\")", jsonl),
        ("\n \n\"doc-001\"\n", ", line 3: looks like JSON Lines (\"doc-001\")", jsonl),
        ("\u{feff}\"doc-001\"\r\n", ", line 1: looks like JSON Lines (\"doc-001\")", jsonl),
        ("{\"id\":\"doc-001\"}\n", ", line 1: looks like JSON Lines ({\"id\":\"doc-001\"})", jsonl),
        (&later, ", line 1001: looks like JSON Lines (\"doc-001\")", jsonl),
        (
            "[\"doc-001\",\"doc-002\"]",
            ", line 1: looks like a JSON array ([\"doc-001\",\"doc-002\"])",
            &array,
        ),
        (
            "[\n  \"doc-001\",\n  \"doc-002\"\n]\n",
            ", line 1: looks like JSON over several lines ([)",
            &array,
        ),
        ("\"doc-001\",\"x\"\n", ", line 1: looks like CSV with quotes (\"doc-001\",\"x\")", &alone),
        ("'doc-001'\n'doc-002'\n", ", line 1: looks like text in quotes ('doc-001')", &alone),
        (
            "doc-001,doc-002",
            ", line 1: looks like a list or columns with commas, semicolons or bars between (doc-001,doc-002)",
            &alone,
        ),
        (
            "doc-001 doc-002\n",
            ", line 1: looks like several keys or columns with blanks between (doc-001 doc-002)",
            &alone,
        ),
        (
            "- doc-001\n- doc-002\n",
            ", line 1: looks like a list or settings, such as YAML (- doc-001)",
            &alone,
        ),
        ("> doc-001\n", ", line 1: looks like a line of diff, or a quotation (> doc-001)", &alone),
        (
            "key = \"doc-001\"\n",
            ", line 1: looks like a list or settings, such as YAML (key = \"doc-001\")",
            &alone,
        ),
        (
            "doc-001\u{200b}\n",
            ", line 1: looks like a key with invisible characters, as copied from a page (doc-001\\u{200b})",
            this,
        ),
        ("<!DOCTYPE html>\n", ", line 1: looks like HTML or XML (<!DOCTYPE html>)", this),
        ("key\ndoc-001\n", ", line 1: looks like the heading of a column (key)", this),
        (
            "doc-001\n doc-002\n",
            ", line 2: looks like a key with blanks before or behind it ( doc-002)",
            this,
        ),
        (
            "doc-001\t7\n",
            ", line 1: looks like columns with tabs between (doc-001\\t7)",
            &format!("keep the column of the keys: cut -f 1; {OR_LINES}"),
        ),
        (
            "doc-001\rdoc-002\r",
            ", line 1: looks like lines that end in a carriage return alone (doc-001\\rdoc-002)",
            &format!("end each line with a line feed: tr '\\r' '\\n'; {OR_LINES}"),
        ),
    ] {
        let file = File::new("not-keys", "part-00000", text);
        let skip = ["--on-bad-key", "skip"];
        for (name, options) in [(file.path(), &[][..]), ("stdin", &[]), ("stdin", &skip)] {
            if !options.is_empty() && (text == later || text.starts_with("doc-001\n ")) {
                continue;
            }
            let input = ["--keys-from", if name == "stdin" { "-" } else { name }];
            let run = delete(&service, &[&input[..], options].concat(), text);
            let expected = format!(
                "error: --keys-from {name}{looks}; expected one key per line\nhelp: {help}\n"
            );
            assert_eq!(
                (run.code, run.stdout.as_str(), run.stderr),
                (USAGE, "", expected),
                "{text:?}"
            );
        }
    }
    assert_eq!(service.requests(), 0);
}

#[test]
fn options_select_the_format() {
    let keys =
        ["\"doc-001\"", "{\"id\":1}", "a\tb", "a,b", " a ", "key", "# x", "\r\ra", "\u{feff}b"];
    for transport in TRANSPORTS {
        let service = Service::holding(keys.iter().map(|&key| key.to_owned()));
        let options = ["--keys-from", "-", "--keys-format", "lines", "--transport", transport];
        let run = delete(&service, &options, keys.join("\n"));
        assert_eq!(
            (run.code, run.counts()[0], service.left()),
            (Some(0), keys.len() as u64, 0),
            "{run:?}"
        );
    }
}

#[test]
fn binary_input_is_rejected_with_any_options() {
    let service = Service::start();
    let zeros = format!("{}\0\n", "doc-001\n".repeat(10));
    for (bytes, reason) in [
        (
            &b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\n\xc9"[..],
            "is gzip data; expected UTF-8 text\nhelp: unpack it first: gzip -dc",
        ),
        (
            b"\x28\xb5\x2f\xfd\x04\n",
            "is zstd data; expected UTF-8 text\nhelp: unpack it first: zstd -dc",
        ),
        (
            &utf16("\u{feff}doc-001\r\ndoc-002\r\n"),
            "is UTF-16 text; expected UTF-8\nhelp: convert it to UTF-8 first: iconv -f UTF-16 -t UTF-8",
        ),
        (
            &utf16("doc-001\n"),
            "is UTF-16 text; expected UTF-8\nhelp: convert it to UTF-8 first: iconv -f UTF-16 -t UTF-8",
        ),
        (
            b"doc-001\0doc-002\0",
            "looks like text with NUL bytes between its parts; expected lines\n\
             help: put each part on a line of its own first: tr '\\0' '\\n'",
        ),
        (
            zeros.as_bytes(),
            "looks like text with NUL bytes between its parts; expected lines\n\
             help: put each part on a line of its own first: tr '\\0' '\\n'",
        ),
    ] {
        for options in [
            &[][..],
            &["--on-bad-key", "skip"],
            &["--keys-format", "lines"],
            &["--keys-format", "jsonl"],
        ] {
            let run = delete(&service, &[&["--keys-from", "-"], options].concat(), bytes);
            let expected = format!("error: --keys-from stdin: {reason}\n");
            assert_eq!(
                (run.code, run.stdout.as_str(), run.stderr),
                (USAGE, "", expected),
                "{options:?}"
            );
        }
    }
    assert_eq!(service.requests(), 0);
}

#[test]
fn mostly_invalid_files_are_rejected_despite_skip() {
    for transport in TRANSPORTS {
        let service = Service::start();
        let options = ["--keys-from", "-", "--on-bad-key", "skip", "--transport", transport];
        // An encoding that is not UTF-8.
        let run = delete(
            &service,
            &options,
            b"doc-001\n".iter().copied().chain(b"\xb5\xe7-1\n".repeat(2000)).collect::<Vec<_>>(),
        );
        let help = "help: check that this is the right file, and --keys-format\n";
        assert!(
            run.stderr.contains("error: stdin: 1001 of its first 1002 lines hold no key\n"),
            "{run:?}"
        );
        assert!(run.stderr.ends_with(help) && run.code != Some(0), "{run:?}");
        let run = delete(&service, &options, b"\xb5\xe7-1\n\xb5\xe7-2\n");
        assert!(run.stderr.contains("error: stdin: none of 2 lines holds a key\n"), "{run:?}");
        assert_eq!((run.code, run.counts()), (USAGE, [0; 6]), "{run:?}");
        // Binary data can also follow later.
        let zero = format!("{}doc\0-002\n", "doc-001\n".repeat(20_000));
        let run = delete(&service, &options, zero);
        let expected =
            "error: stdin, line 20001: holds NUL bytes, so it is binary; expected UTF-8 text\n";
        assert!(run.stderr.contains(expected) && run.code != Some(0), "{run:?}");
    }
}

#[test]
fn failed_keys_files_are_recognized_by_content() {
    for transport in TRANSPORTS {
        let service = Service::start();
        let keys = ["doc-002", "\"quoted\"", "{\"key\":\"x\"}", "tab\tbed", "nul\0l", "line\nend"];
        service.emulator().reject_keys(keys);
        let failed = File::none(&format!("taken-back-{transport}"), "txt");
        let array = serde_json::to_string(&keys).unwrap();
        let options = ["--keys", &array, "--failed-keys", failed.path(), "--transport", transport];
        let run = delete(&service, &options, "");
        assert_eq!((run.code, run.counts()[1]), (REJECTED, keys.len() as u64), "{run:?}");
        for (from, stdin) in [(failed.path(), String::new()), ("-", failed.read())] {
            let service = Service::holding(keys.iter().map(|&key| key.to_owned()));
            let run = delete(&service, &["--keys-from", from, "--transport", transport], stdin);
            assert_eq!(
                (run.code, run.counts()[0], service.left()),
                (Some(0), keys.len() as u64, 0),
                "{run:?}"
            );
        }
        let run = delete(&service, &["--keys-from", failed.path(), "--keys-format", "lines"], "");
        assert_eq!(run.code, USAGE, "{run:?}");
        let help = "help: leave out --keys-format lines: such files are recognised, and read as JSON Lines\n";
        assert!(
            run.stderr.contains(", line 1: is a line of --failed-keys (")
                && run.stderr.ends_with(help),
            "{run:?}"
        );
    }
}

#[test]
fn a_jsonl_file_with_plain_lines_is_rejected() {
    let service = Service::start();
    let file = File::new("plain-lines", "jsonl", "doc-001\ndoc-002\n");
    let run = delete(&service, &["--keys-from", file.path()], "");
    let expected = format!(
        "error: --keys-from {}, line 1: not JSON: expected value at line 1 column 1, in doc-001\n\
         help: add --keys-format lines if each line is a key as it is\n",
        file.path(),
    );
    assert_eq!((run.code, run.stdout.as_str(), run.stderr), (USAGE, "", expected));
    let run = delete(&service, &["--keys-from", file.path(), "--keys-format", "lines"], "");
    assert_eq!((run.code, service.left()), (Some(0), 7), "{run:?}");
}

#[test]
fn an_input_without_keys_is_reported() {
    let service = Service::start();
    let empty = File::new("no-keys", "txt", "");
    for transport in TRANSPORTS {
        for stdin in ["", "\n \r\n", "\u{feff}"] {
            let options =
                ["--keys-from", empty.path(), "--keys-from", "-", "--transport", transport];
            let run = delete(&service, &options, stdin);
            let expected =
                format!("warning: {} holds no keys\nwarning: stdin holds no keys\n", empty.path());
            assert_eq!(
                (run.code, run.stderr.as_str(), run.counts()),
                (Some(0), expected.as_str(), [0; 6]),
                "{run:?}"
            );
        }
    }
}

#[test]
fn byte_order_marks_are_removed() {
    let home = Home::new("byte-order-marks");
    let authority = crate::certificates::Authority::new();
    let [id, secret] = CREDENTIALS.map(|(_, value)| value);
    let credentials =
        serde_json::json!({ "access_key_id": id, "access_key_secret": secret }).to_string();
    let keys = home.write("keys.json", "\u{feff}[\"doc-001\"]");
    let lines = home.write("keys.txt", "\u{feff}doc-001\n");
    let config = home.write(
        "config",
        format!("\u{feff}[default]\naccess-key-id={id}\naccess-key-secret={secret}\n"),
    );
    let printed = format!("cat {}", home.write("credentials", format!("\u{feff}{credentials}")));
    let ca_file = home.write("ca.pem", format!("\u{feff}{}", authority.pem()));
    let file = format!("file://{keys}");
    let environment = [home.variable(), ("PATH", "/usr/bin:/bin")];
    let with_credentials = [&environment[..], &CREDENTIALS].concat();
    for (options, environment) in [
        (&["--keys", "\u{feff}[\"doc-001\"]"][..], &with_credentials[..]),
        (&["--keys", &file], &with_credentials),
        (&["--keys-from", &lines], &with_credentials),
        (&["--keys-from", &lines, "--ca-file", &ca_file], &with_credentials),
        (&["--keys-from", &lines, "--config-file", &config], &environment),
        (&["--keys-from", &lines, "--credential-process", &printed], &environment),
    ] {
        let service = Service::start();
        let url = service.url();
        let base = ["--index-name", "vectorindex1", "--force", "--endpoint", &url];
        let run = run(PLACE.into_iter().chain(base).chain(options.iter().copied()), environment);
        assert_eq!(
            (run.code, run.stderr.as_str(), service.left()),
            (Some(0), "", 8),
            "{options:?}: {run:?}"
        );
    }
}

#[test]
fn utf_16_text_is_rejected_in_every_input() {
    let home = Home::new("utf-16");
    let service = Service::start();
    let url = service.url();
    let [keys, config, ca_file, credentials] =
        ["[\"doc-001\"]", "[default]\n", "-----BEGIN CERTIFICATE-----\n", "{}"].map(|text| {
            home.write(&format!("utf-16-{}", text.len()), utf16(&format!("\u{feff}{text}")))
        });
    let (file, printed) = (format!("file://{keys}"), format!("cat {credentials}"));
    for (options, origin) in [
        (&["--keys", &file][..], format!("--keys: {keys:?} ")),
        (&["--config-file", &config], format!("--config-file: cannot read {config:?}: ")),
        (&["--ca-file", &ca_file], format!("--ca-file: cannot read {ca_file:?}: ")),
        (
            &["--credential-process", &printed],
            "--credential-process: the program's output ".to_owned(),
        ),
    ] {
        let keys = if options[0] == "--keys" { &[][..] } else { &["--keys", "[\"doc-001\"]"] };
        let base = ["--index-name", "vectorindex1", "--force", "--endpoint", &url];
        let environment =
            [&CREDENTIALS[..], &[home.variable(), ("PATH", "/usr/bin:/bin")]].concat();
        let run = run(
            PLACE
                .into_iter()
                .chain(base)
                .chain(keys.iter().copied())
                .chain(options.iter().copied()),
            &environment,
        );
        assert!(
            run.stderr.starts_with(&format!("error: {origin}is UTF-16 text; expected UTF-8\n")),
            "{run:?}"
        );
        assert_eq!((run.code, service.requests()), (USAGE, 0));
    }
}
