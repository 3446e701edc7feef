//! Invalid usage is rejected before anything is served. Every case exits with 2 and prints nothing
//! on stdout.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use oss_delete_vectors::emulator::Fault;

use super::program::{KEY_PAIR, KeysFile, Program};
use crate::canary::{self, SECRET, TOKEN};

/// Returns stderr.
fn rejected(arguments: &[&str], environment: &[(&str, &str)], stdin: &str) -> String {
    let program = Program::run(arguments, environment, stdin);
    assert_eq!(program.first_line, "", "{arguments:?} {environment:?}");
    let ended = program.ended();
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(2), ""),
        "{arguments:?} {environment:?}: {ended:?}"
    );
    ended.stderr
}

#[test]
fn invalid_options_are_rejected_with_their_rule() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let in_use = listener.local_addr().unwrap().to_string();
    for (option, value, expected) in [
        (
            "--listen",
            "0.0.0.0:0",
            "--listen: 0.0.0.0:0 is not a loopback address, and the emulator has no TLS and no access control",
        ),
        ("--listen", "[::]:0", "--listen: [::]:0 is not a loopback address"),
        ("--listen", "127.0.0.1", "must be an IP address and a port, such as 127.0.0.1:9000"),
        (
            "--listen",
            &in_use,
            &format!("--listen: cannot serve on {in_use}: Address already in use"),
        ),
        ("--region", "CN", "--region: must be 1 to 63 characters of a-z, 0-9 and '-'"),
        ("--account-id", "me", r#"--account-id: must be 1 to 32 digits, not "me""#),
        ("--bucket", "a_b", "--bucket: must be 3 to 32 characters"),
        ("--index-name", "", "--index-name: must not be empty"),
        ("--index-name", "not-valid", "--index-name: must be 1 to 63 letters and digits"),
        ("--max-qps", "0", "must be a number above 0"),
        ("--max-qps=-1", "--seed=1", "must be a number above 0"),
        ("--max-qps", "-1", "--max-qps: must be a number above 0, not \"-1\"\n"),
        ("--max-qps", "inf", "must be a number above 0"),
        ("--max-qps", "NaN", "must be a number above 0"),
        ("--max-keys-per-second", "0", "must be a number above 0"),
        ("--max-keys-in-flight", "0", "must be a whole number above 0"),
        ("--faults", "gremlins=1", "--faults: fault must be one of connection-refused, "),
        ("--faults", "foo=1", "flipped-status, outage, not \"foo\"\n"),
        ("--faults", "page=0.1,page=0.2", "--faults: faults must name each fault once, not "),
        ("--faults", "page=1.5", r#"probability of page must be a number from 0 to 1, not "1.5""#),
        ("--faults", "page", r#"faults must be name=probability, joined by commas, not "page""#),
        ("--seed", "1", "--faults"),
        ("--access-key-secret", "x", "unexpected argument '--access-key-secret'"),
    ] {
        let stderr = rejected(&[option, value], &KEY_PAIR, "");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(expected),
            "{option} {value}: {stderr}"
        );
    }
}

#[test]
fn the_man_page_and_completions_need_no_key_pair() {
    for (what, expected) in [
        ("man", ".SH \"ENVIRONMENT\"\n"),
        ("bash", "--keys-format"),
        ("zsh", "#compdef vectors-emulator"),
    ] {
        let program = Program::run(&["--generate", what], &[], "");
        let first_line = program.first_line.clone();
        let ended = program.ended();
        let stdout = first_line + &ended.stdout;
        assert!(
            ended.code == Some(0) && ended.stderr.is_empty() && stdout.contains(expected),
            "{what}: {stdout}"
        );
        if what == "man" {
            let manual = stdout.replace("\\-", "-");
            for fault in Fault::ALL {
                assert!(manual.contains(fault.as_str()), "{fault}");
            }
        }
    }
}

#[test]
fn invalid_key_pairs_are_named_but_not_printed() {
    let [id, secret] = KEY_PAIR;
    let reason = "not set: the environment gives the AccessKey pair that clients sign with\n";
    let secret_with_line_break = format!("{SECRET}\n");
    let token_with_line_break = format!("{TOKEN}\n");
    for (environment, expected) in [
        (&[][..], format!("OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET are {reason}")),
        (&[id], format!("OSS_ACCESS_KEY_SECRET is {reason}")),
        (&[id, ("OSS_ACCESS_KEY_SECRET", "")], format!("OSS_ACCESS_KEY_SECRET is {reason}")),
        (&[secret], format!("OSS_ACCESS_KEY_ID is {reason}")),
        (&[("OSS_ACCESS_KEY_ID", "a,b"), secret], "OSS_ACCESS_KEY_ID: must be ".to_owned()),
        (
            &[id, ("OSS_ACCESS_KEY_SECRET", &secret_with_line_break)],
            "OSS_ACCESS_KEY_SECRET: must not ".to_owned(),
        ),
        (
            &[id, secret, ("OSS_SESSION_TOKEN", &token_with_line_break)],
            "OSS_SESSION_TOKEN: must be ".to_owned(),
        ),
    ] {
        let stderr = rejected(&[], environment, "");
        assert!(stderr.starts_with(&format!("error: {expected}")), "{environment:?}: {stderr}");
    }

    let not_utf8 = [SECRET.as_bytes(), b"\xff"].concat();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vectors-emulator"));
    let command = command.env_clear().env(id.0, id.1).env(secret.0, OsStr::from_bytes(&not_utf8));
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &[][..]));
    assert_eq!(output.stderr, b"error: OSS_ACCESS_KEY_SECRET: not UTF-8\n");
}

#[test]
fn invalid_keys_are_rejected_with_file_and_line() {
    let long = "k".repeat(1025);
    for (name, content, line) in [
        ("long.txt", format!("a\n\n{long}\n").into_bytes(), 3),
        ("not-utf8.txt", b"a\n\xff\n".to_vec(), 2),
        ("empty.jsonl", b"\"a\"\n\"\"\n".to_vec(), 2),
        ("number.jsonl", b"1\n".to_vec(), 1),
        ("broken.ndjson", b"{\"key\":\"a\"}\n{\"key\":\n".to_vec(), 2),
        ("nameless.ndjson", b"{\"id\":\"a\"}\n".to_vec(), 1),
    ] {
        let file = KeysFile::new(name, content);
        let stderr = rejected(&["--keys-from", file.path()], &KEY_PAIR, "");
        assert!(
            stderr.starts_with(&format!("error: {}, line {line}: ", file.path())),
            "{name}: {stderr}"
        );
    }
    for (name, content, expected) in [
        (
            "part-00000",
            "{\"id\":\"a\"}\n",
            ", line 1: looks like JSON Lines ({\"id\":\"a\"}); expected one key per line\nhelp: add ",
        ),
        (
            "table",
            "a\tb\n",
            ", line 1: looks like columns with tabs between (a\\tb); expected one key per line\nhelp: keep ",
        ),
        (
            "keys.gz",
            "\u{1}\0",
            ": holds NUL bytes, so it is binary; expected UTF-8 text\nhelp: check ",
        ),
        (
            "plain.jsonl",
            "a\n",
            ", line 1: not JSON: expected value at line 1 column 1, in a\nhelp: add --keys-format lines ",
        ),
    ] {
        let file = KeysFile::new(name, content);
        let stderr = rejected(&["--keys-from", file.path()], &KEY_PAIR, "");
        assert!(
            stderr.starts_with(&format!("error: --keys-from {}{expected}", file.path())),
            "{stderr}"
        );
    }
    let stderr = rejected(&["--keys-format", "lines"], &KEY_PAIR, "");
    assert!(stderr.contains("--keys-from"), "{stderr}");
    let stderr = rejected(&["--keys-from", "-"], &KEY_PAIR, &long);
    assert!(
        stderr.starts_with("error: stdin, line 1: key must be 1 to 1024 characters"),
        "{stderr}"
    );
    let stderr = rejected(&["--keys-from", "/no/such/file"], &KEY_PAIR, "");
    assert!(
        stderr.starts_with("error: --keys-from /no/such/file: cannot be read: No such file"),
        "{stderr}"
    );
}

#[test]
fn help_lists_every_fault_and_no_environment_values() {
    let help = Command::new(env!("CARGO_BIN_EXE_vectors-emulator"))
        .arg("--help")
        .env_clear()
        .envs(KEY_PAIR)
        .output()
        .unwrap();
    let text = String::from_utf8(help.stdout).unwrap();
    assert_eq!((help.status.code(), help.stderr.as_slice()), (Some(0), &[][..]));
    for part in [
        "\nTarget:\n",
        "\nVectors:\n",
        "\nFault injection:\n",
        "\nExamples:\n",
        "\nFaults:\n",
        "\nExit status:\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let faults = &text[text.find("\nFaults:\n").unwrap()..];
    for &fault in Fault::ALL {
        assert!(faults.contains(fault.as_str()), "{fault}");
    }
    assert!(!text.contains(KEY_PAIR[0].1), "{text}");
    canary::assert_not_in(&text);
}
