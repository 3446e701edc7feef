//! A script for `ossutil vectors-api delete-vectors` runs unchanged.

#[cfg(unix)]
use std::io::Write;
#[cfg(unix)]
use std::process::Stdio;

use oss_delete_vectors::{ServiceError, code};

#[cfg(unix)]
use crate::calls::{BUCKET, INDEX};
use crate::canary::SECRET;
use crate::home::Home;
use crate::program::{
    ACCESS_KEY_ID, CREDENTIALS, ClosedPort, INCOMPLETE, REJECTED, Run, Service, UNREACHABLE, USAGE,
    finish, run, run_with_stdin,
};

/// The documented command, with the emulator as endpoint.
fn ossutil<'a>(service: &'a Service, options: &[&'a str]) -> Vec<String> {
    let documented = [
        "--bucket",
        "examplebucket",
        "--index-name",
        "vectorindex1",
        "--account-id",
        "1234567890123456",
        "--region",
        "cn-hangzhou",
    ];
    let options = documented.into_iter().chain(options.iter().copied()).map(str::to_owned);
    options.chain(["-e".to_owned(), service.url()]).collect()
}

fn with(service: &Service, options: &[&str]) -> Run {
    run(ossutil(service, options).iter().map(String::as_str), &CREDENTIALS)
}

#[test]
fn the_documented_command_deletes_without_a_question() {
    for keys in [
        &["--keys", "doc-001,doc-002"][..],
        &["--keys", "doc-001", "--keys", "doc-002"],
        &["--keys", r#"["doc-001","doc-002"]"#],
        &["--keys", "doc-001", "--keys", r#"["doc-002"]"#],
    ] {
        let service = Service::start();
        let run = with(&service, keys);
        assert_eq!((run.code, run.stderr.as_str(), service.left()), (Some(0), "", 7), "{run:?}");
    }
    for text in ["doc-001,doc-002\n", r#"["doc-001","doc-002"]"#] {
        let home = Home::new("ossutil-keys");
        let file = format!("file://{}", home.write("keys", text));
        let service = Service::start();
        let run = with(&service, &["--keys", &file, "-f"]);
        assert_eq!((run.code, service.left()), (Some(0), 7), "{run:?}");
        let service = Service::start();
        let options = ossutil(&service, &["--keys", "-", "-f"]);
        let run = run_with_stdin(options.iter().map(String::as_str), &CREDENTIALS, text);
        assert_eq!((run.code, service.left()), (Some(0), 7), "{run:?}");
        // The command does not contain these keys, and there is no terminal for the question.
        let service = Service::start();
        let run = with(&service, &["--keys", &file]);
        assert!(run.code == USAGE && service.left() == 9, "{run:?}");
    }
}

#[test]
fn options_of_ossutil_are_accepted_or_rejected_with_help() {
    let home = Home::with_config(
        "ossutil-options",
        format!("[profile prod]\naccess-key-id={ACCESS_KEY_ID}\naccess-key-secret={SECRET}\n"),
    );
    let file = home.file(".ossutilconfig");
    let service = Service::start();
    let options = [
        "-c",
        &file,
        "--profile",
        "prod",
        "--keys",
        "doc-001",
        "-f",
        "-j",
        "3",
        "-q",
        "--proxy",
        "env",
        "--connect-timeout",
        "5",
        "--read-timeout",
        "20",
        "--retry-times",
        "3",
        "--addressing-style",
        "path",
    ];
    let quiet = run(ossutil(&service, &options).iter().map(String::as_str), &[]);
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (Some(0), "", ""));
    assert_eq!(service.left(), 8);
    let dry = with(&service, &["--keys", "doc-002", "-n"]);
    assert!(dry.code == Some(0) && dry.json()["url"].is_string() && service.left() == 8, "{dry:?}");
    for (options, expected) in [
        (
            &["--skip-verify-cert"][..],
            "error: --skip-verify-cert: is not supported; --ca-file trusts a private authority\n",
        ),
        (&["--retry-times", "x"], "error: --retry-times: must be a whole number, not \"x\"\n"),
        (
            &["--addressing-style", "cname"],
            "error: --addressing-style: must be path or virtual, not \"cname\"\n",
        ),
    ] {
        let run = with(&service, &[options, &["--keys", "doc-002", "-f"]].concat());
        assert_eq!((run.code, run.stderr.as_str()), (USAGE, expected));
    }
    assert_eq!(service.left(), 8);
}

#[test]
fn exit_codes_are_those_of_ossutil() {
    let service = Service::start();
    let code = |options: &[&str]| with(&service, &[options, &["-f"]].concat()).code;
    assert_eq!(code(&["--keys", "doc-001"]), Some(0));
    assert_eq!(code(&[]), USAGE);
    assert_eq!(code(&["--keys", "a, b"]), USAGE);
    assert_eq!(code(&["--no-such-option"]), USAGE);
    let denied = ServiceError::new(http::StatusCode::FORBIDDEN, code::ACCESS_DENIED, "no");
    service.emulator().fail_next(denied, 0);
    assert_eq!(code(&["--keys", "doc-002"]), REJECTED);
    service.emulator().reject_keys(["doc-003"]);
    assert_eq!(code(&["--keys", "doc-003"]), REJECTED);
    assert_eq!(code(&["--keys", "doc-003,doc-004"]), INCOMPLETE);
    let closed = ClosedPort::new();
    let place = ["--keys", "a", "-f", "-e"].into_iter().map(str::to_owned).chain([closed.url()]);
    let mut arguments = ossutil(&service, &[]);
    arguments.truncate(8);
    arguments.extend(place);
    let unreached = run(arguments.iter().map(String::as_str), &CREDENTIALS);
    assert_eq!(unreached.code, UNREACHABLE, "{unreached:?}");
}

/// Only the function on its first line is ours. Exit code 5 is in the tests of interrupts.
#[cfg(unix)]
const SCRIPT: &str = r#"ossutil() { shift 2; "$PROGRAM" "$@"; }
while IFS= read -r keys; do
    ossutil vectors-api delete-vectors --bucket examplebucket --index-name vectorindex1 --keys "$keys" \
        --account-id 1234567890123456 --region cn-hangzhou --endpoint "$ENDPOINT" --connect-timeout 5 \
        --read-timeout 20 --retry-times 3 -q 2>/dev/null </dev/null
    case $? in
        0) echo "deleted $keys" ;;
        1) echo "invalid $keys" ;;
        2) echo "rejected $keys" ;;
        3) echo "unreached $keys" ;;
        4) echo "partly $keys" ;;
    esac
done
"#;

#[cfg(unix)]
#[test]
fn a_script_for_ossutil_runs_unchanged() {
    let script = |endpoint: &str, keys: &str| {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", SCRIPT]).env_clear().envs(CREDENTIALS).env("PATH", "/usr/bin:/bin");
        shell.env("PROGRAM", env!("CARGO_BIN_EXE_delete-vectors")).env("ENDPOINT", endpoint);
        let mut child = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(keys.as_bytes()).unwrap();
        let run = finish(child);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
        run.stdout
    };
    let service = Service::start();
    service.emulator().reject_keys(["doc-005"]);
    let keys =
        "doc-001,doc-002\ndoc-003 , doc-004\ndoc-005\ndoc-005,doc-006\n[\"doc-007\",\"no such\"]\n";
    assert_eq!(
        script(&service.url(), keys),
        "deleted doc-001,doc-002\ninvalid doc-003 , doc-004\nrejected doc-005\n\
         partly doc-005,doc-006\ndeleted [\"doc-007\",\"no such\"]\n"
    );
    let left: Vec<String> = service.emulator().keys(BUCKET, INDEX).map(str::to_owned).collect();
    assert_eq!(left, ["doc-003", "doc-004", "doc-005", "doc-008", "doc-009"]);
    assert_eq!(script(&ClosedPort::new().url(), "doc-003\n"), "unreached doc-003\n");
}
