//! Questions and progress on a terminal. `script`, which every Linux has, provides a terminal;
//! `setsid` removes it.
#![cfg(target_os = "linux")]

use std::io::Write;
use std::process::{Command, Stdio};

use crate::program::{CREDENTIALS, File, INTERRUPTED, PLACE, Run, Service, USAGE, command, finish};

/// Runs a shell command on its own terminal, and types `typed`. `$program` stands for the program
/// with its target options.
fn on_terminal(service: &Service, line: &str, typed: &str) -> Run {
    let url = service.url();
    let inner =
        command(PLACE.into_iter().chain(["--index-name", "vectorindex1", "--endpoint", &url]), &[]);
    let words = std::iter::once(inner.get_program()).chain(inner.get_args());
    let program: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut script = Command::new("script");
    script.args(["-qfec", &line.replace("$program", &program.join(" ")), "/dev/null"]);
    script
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("TERM", "xterm")
        .envs(CREDENTIALS);
    let mut child =
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(typed.as_bytes()).unwrap();
    // Stays open, because its end would end the terminal.
    let run = finish(child);
    drop(stdin);
    run
}

const QUESTION: &str = "Delete 2 keys, doc-001 .. doc-002, from vectorindex1 in bucket examplebucket \
                        (account 1234567890123456, region cn-hangzhou, host 127.0.0.1:";

#[test]
fn a_yes_deletes_and_a_no_sends_nothing() {
    let service = Service::start();
    let line = r#"$program --keys '["doc-001","doc-002"]'"#;
    for no in ["n\n", "\n", "q\n"] {
        let run = on_terminal(&service, line, no);
        assert_eq!((run.code, service.requests()), (INTERRUPTED, 0), "{run:?}");
        assert!(run.stdout.contains(QUESTION) && run.stdout.contains("? [y/N] "), "{run:?}");
        assert!(run.stdout.contains("note: nothing was sent\r\n"), "{run:?}");
        assert!(run.stdout.ends_with("Deleted 0 keys from vectorindex1\r\n"), "{run:?}");
    }
    let run = on_terminal(&service, line, "y\n");
    assert_eq!((run.code, service.left()), (Some(0), 7), "{run:?}");
    assert!(
        run.stdout
            .contains("Deleted 2 keys from vectorindex1, confirmed by the service (request id "),
        "{run:?}"
    );
}

#[test]
fn the_question_uses_the_terminal_despite_redirection() {
    let service = Service::start();
    let line = r"printf 'doc-001\ndoc-002\n' | $program --keys-from - >/dev/null 2>&1";
    let run = on_terminal(&service, line, "y\n");
    assert_eq!((run.code, service.left()), (Some(0), 7), "{run:?}");
    assert!(
        run.stdout.contains("Delete all keys in stdin from vectorindex1 in bucket examplebucket ("),
        "{run:?}"
    );
}

#[test]
fn the_question_counts_the_keys_of_files() {
    let file = File::new(
        "asked",
        "txt",
        (1..=5000).map(|number| format!("doc-{number:06}\n")).collect::<String>(),
    );
    let service = Service::start();
    let run = on_terminal(&service, &format!("$program --keys-from {}", file.path()), "n\n");
    let expected = format!(
        "Delete 5,000 keys from {}, doc-000001 .. doc-005000, from vectorindex1 in",
        file.path()
    );
    assert!(run.stdout.contains(&expected), "{run:?}");
    // Errors that would end the run are reported before the question.
    let file = File::new("asked-bad", "txt", format!("doc-001\n{}\n", "x".repeat(1025)));
    let run = on_terminal(&service, &format!("$program --keys-from {}", file.path()), "");
    assert!(
        run.stdout.contains("line 2: key must be 1 to 1024 characters")
            && !run.stdout.contains("[y/N]"),
        "{run:?}"
    );
    // Without keys there is no question.
    let file = File::new("asked-empty", "txt", "\n");
    let run = on_terminal(&service, &format!("$program --keys-from {}", file.path()), "");
    assert!(run.stdout.contains("holds no keys") && !run.stdout.contains("[y/N]"), "{run:?}");
    assert_eq!((run.code, service.requests()), (Some(0), 0));
}

#[test]
fn the_progress_bar_is_drawn_only_on_a_terminal() {
    let keys: Vec<String> = (0..3000).map(|number| format!("doc-{number:04}")).collect();
    let file = File::new("bar", "txt", keys.join("\n"));
    for (options, has_bar) in [
        ("", true),
        ("--progress always", true),
        ("--progress never", false),
        ("2>/dev/null", false),
    ] {
        let service = Service::holding(keys.iter().cloned());
        let line = format!("$program --force --max-qps 10 --keys-from {} {options}", file.path());
        let run = on_terminal(&service, &line, "");
        assert_eq!((run.code, service.left()), (Some(0), 0), "{run:?}");
        assert_eq!(
            (run.stdout.contains("[===="), run.stdout.contains(" keys, ")),
            (has_bar, has_bar),
            "{options}: {run:?}"
        );
        // The duration varies, and on a busy host a batch may be closed early.
        let (_, end) = run.stdout.rsplit_once("Deleted ").expect("a summary");
        assert!(
            end.starts_with("3,000 keys from vectorindex1, confirmed by the service ("),
            "{run:?}"
        );
        assert!(end.contains(" requests in 0:"), "{run:?}");
    }
}

#[test]
fn without_a_terminal_keys_from_files_need_force() {
    let service = Service::start();
    let url = service.url();
    let keys = File::new("without-a-terminal", "json", r#"["doc-001"]"#);
    let argument = keys.argument();
    let without = |what: &[&'static str], keys: Option<&str>| {
        let base = ["--index-name", "vectorindex1", "--endpoint", &url];
        let options = base.into_iter().chain(what.iter().copied()).chain(keys);
        let inner = command(PLACE.into_iter().chain(options), &[]);
        let mut setsid = Command::new("setsid");
        setsid.arg("-w").arg(inner.get_program()).args(inner.get_args());
        setsid.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs(CREDENTIALS);
        finish(
            setsid
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
        )
    };
    let expected = "error: deleting is irreversible, and there is no terminal for the question: use --force to skip it\n";
    for (what, keys) in
        [(&["--keys"][..], Some(&*argument)), (&["--all"], None), (&["--prefix", "doc"], None)]
    {
        let refused = without(what, keys);
        assert_eq!((refused.code, refused.stderr.as_str()), (USAGE, expected), "{what:?}");
        assert_eq!((refused.stdout.as_str(), service.requests()), ("", 0), "{what:?}");
    }
    for force in ["--force", "-f"] {
        assert_eq!(without(&[force, "--keys"], Some(&argument)).code, Some(0));
    }
    assert_eq!(without(&["--keys"], Some("doc-002")).code, Some(0));
    assert_eq!(service.left(), 7);
}

#[test]
fn all_is_deleted_only_after_typing_the_index_name() {
    let service = Service::start();
    let line = "$program --all";
    for no in ["y\n", "yes\n", "vectorindex\n", "\n"] {
        let run = on_terminal(&service, line, no);
        assert_eq!((run.code, service.left()), (Some(5), 9), "{run:?}");
        for part in [
            "Deleting the index vectorindex1 and creating it again is one call each, and takes seconds.",
            "At 2,500 keys a second, 9 keys take 0:01, and a million 6:40.",
            "Delete all keys (9: doc-001, doc-002, doc-003, ..) from vectorindex1 in bucket examplebucket",
            "Type the name of the index: ",
            "note: nothing was sent",
        ] {
            assert!(run.stdout.contains(part), "{part}: {run:?}");
        }
    }
    let run = on_terminal(&service, line, "vectorindex1\n");
    assert_eq!((run.code, service.left()), (Some(0), 0), "{run:?}");
}

#[test]
fn a_prefix_is_confirmed_by_a_yes() {
    let service = Service::start();
    let line = "$program --prefix doc-00";
    let run = on_terminal(&service, line, "n\n");
    assert_eq!((run.code, service.left()), (Some(5), 9), "{run:?}");
    let question = "Delete all keys that begin with \"doc-00\" (9: doc-001, doc-002, doc-003, ..) from vectorindex1";
    assert!(run.stdout.contains(question), "{run:?}");
    let run = on_terminal(&service, line, "y\n");
    assert_eq!((run.code, service.left()), (Some(0), 0), "{run:?}");
}

/// If the listing fails, nothing is deleted.
#[test]
fn keys_that_cannot_be_counted_are_not_deleted() {
    let service = Service::start();
    let failure = oss_delete_vectors::ServiceError::new(
        http::StatusCode::FORBIDDEN,
        oss_delete_vectors::code::ACCESS_DENIED,
        "not allowed",
    );
    service.emulator().fail_next(failure, 0);
    let run = on_terminal(&service, "$program --prefix doc-00", "y\n");
    assert_eq!((run.code, service.left(), service.requests()), (Some(2), 9, 1), "{run:?}");
    assert!(
        run.stdout.contains("error: the listing stopped: rejected: 403 AccessDenied"),
        "{run:?}"
    );
    let run = on_terminal(&service, "$program --prefix none", "n\n");
    assert!(
        run.code == Some(5) && run.stdout.contains("begin with \"none\" (none found)"),
        "{run:?}"
    );
}
