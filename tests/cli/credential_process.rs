//! Credentials printed by another program, configured with `--credential-process` or by a profile
//! with mode External.

use std::io::Write;

use oss_delete_vectors::Credentials;
use oss_delete_vectors::emulator::{Identity, RateLimit};
use serde_json::json;

use crate::canary::{SECRET, TOKEN, WRONG_SECRET};
use crate::home::Home;
use crate::program::{
    self, CREDENTIALS, File, PLACE, Run, Service, TRANSPORTS, USAGE, checked, run,
};

const ID: &str = "STS.ConformanceToken0001";

/// A service that accepts only this token.
fn service() -> Service {
    let service = Service::start();
    let temporary = Credentials::new(ID, SECRET).unwrap().with_security_token(TOKEN).unwrap();
    service.emulator().add_identity(Identity::new(temporary));
    service
}

fn sts() -> String {
    let expiration = "2999-12-31T23:59:59Z";
    json!({"mode": "StsToken", "access_key_id": ID, "access_key_secret": SECRET, "sts_token": TOKEN, "expiration": expiration})
        .to_string()
}

/// A script that prints `text`.
fn prints(text: &str) -> String {
    format!("cat <<'END'\n{text}\nEND\n")
}

/// Deletes a vector at `endpoint`. The environment is added to that of `home`.
fn delete(home: &Home, endpoint: &str, options: &[&str], environment: &[(&str, &str)]) -> Run {
    let what = [
        "--index-name",
        "vectorindex1",
        "--keys",
        r#"["doc-001"]"#,
        "--force",
        "--endpoint",
        endpoint,
    ];
    let environment: Vec<_> =
        environment.iter().copied().chain([home.variable(), ("PATH", "/usr/bin:/bin")]).collect();
    run(PLACE.into_iter().chain(what).chain(options.iter().copied()), &environment)
}

#[test]
fn it_overrides_the_environment_and_the_file() {
    let service = service();
    let home = Home::with_config(
        "process-first",
        format!("[default]\naccess-key-id=x\naccess-key-secret={WRONG_SECRET}"),
    );
    let command = format!("sh {}", home.write("helper", prints(&sts())));
    let environment = [("OSS_ACCESS_KEY_ID", "x"), ("OSS_ACCESS_KEY_SECRET", WRONG_SECRET)];
    for transport in TRANSPORTS {
        let options = ["--credential-process", &command, "--transport", transport];
        let run = delete(&home, &service.url(), &options, &environment);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    }
    assert_eq!(service.emulator().requests(), 2);
}

#[test]
fn environment_overrides_an_external_profile() {
    let service = service();
    let home = Home::new("process-profile");
    let helper =
        home.write("helper", format!("touch {}\n{}", home.file("was-run"), prints(&sts())));
    home.write(
        ".ossutilconfig",
        format!("[default]\nmode = EXTERNAL\nprocess_command = sh '{helper}'\naccess-key-id=x\naccess-key-secret={WRONG_SECRET}"),
    );
    let of_the_environment = delete(&home, &service.url(), &[], &CREDENTIALS);
    assert_eq!(
        (of_the_environment.code, home.has("was-run")),
        (Some(0), false),
        "{of_the_environment:?}"
    );
    let run = delete(&home, &service.url(), &[], &[]);
    assert_eq!(
        (run.code, run.stderr.as_str(), home.has("was-run")),
        (Some(0), "", true),
        "{run:?}"
    );
}

#[test]
fn the_command_is_split_at_quotes_without_a_shell() {
    let service = service();
    let home = Home::new("process-words");
    let script = format!(
        r#"[ "$#" = 7 ] && [ "$1" = 'two words' ] && [ "$2" = '$HOME' ] && [ "$3" = 'a "b"' ] && [ "$4" = '' ] &&
           [ "$5" = 'x;y' ] && [ "$6" = '*' ] && [ "$7" = 'c d' ] || exit 9
           {}"#,
        prints(&sts())
    );
    let helper = home.write("helper", script);
    let command = format!(r#"sh "{helper}" 'two words' $HOME "a \"b\"" '' x;y   * c\ d"#);
    let run = delete(&home, &service.url(), &["--credential-process", &command], &[]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
}

#[test]
fn its_stderr_is_passed_on_and_its_stdin_is_empty() {
    let service = service();
    let home = Home::new("process-stderr");
    let helper = home.write(
        "helper",
        format!("echo 'asking someone' >&2\nread line && exit 9\n{}", prints(&sts())),
    );
    let (stdin, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"input of the program, not of its helper\n").unwrap();
    let (url, command) = (service.url(), format!("sh {helper}"));
    let options =
        ["--index-name", "vectorindex1", "--keys", r#"["doc-001"]"#, "--force", "--endpoint", &url];
    let arguments = PLACE.into_iter().chain(options).chain(["--credential-process", &command]);
    let run = checked(
        program::command(arguments, &[("PATH", "/usr/bin:/bin")]).stdin(stdin).output().unwrap(),
    );
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), "asking someone\n"), "{run:?}");
}

#[test]
fn token_and_expiration_are_optional() {
    let service = service();
    let pair = Credentials::new("pair", SECRET).unwrap();
    service.emulator().add_identity(Identity::new(pair));
    let home = Home::new("process-forms");
    for output in [
        json!({"mode": "AK", "access_key_id": "pair", "access_key_secret": SECRET}),
        json!({"mode": "ak", "access_key_id": "pair", "access_key_secret": SECRET, "sts_token": TOKEN, "expiration": null}),
        json!({"access_key_id": "pair", "access_key_secret": SECRET, "sts_token": "", "region_id": 7}),
        json!({"access_key_id": ID, "access_key_secret": SECRET, "sts_token": TOKEN}),
        json!({"mode": "ststoken", "access_key_id": ID, "access_key_secret": SECRET, "sts_token": TOKEN, "expiration": ""}),
        // Any RFC 3339 time. By a clock that is far ahead they have expired, but the service
        // decides that.
        json!({"access_key_id": ID, "access_key_secret": SECRET, "sts_token": TOKEN, "expiration": "2999-12-01T20:00:00+08:00"}),
        json!({"access_key_id": ID, "access_key_secret": SECRET, "sts_token": TOKEN, "expiration": "2020-01-01T00:00:00Z"}),
    ] {
        let helper = home.write("helper", prints(&output.to_string()));
        let run =
            delete(&home, &service.url(), &["--credential-process", &format!("sh {helper}")], &[]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{output}: {run:?}");
    }
}

#[test]
fn failed_program_is_reported_without_its_output() {
    let service = Service::start();
    let home = Home::new("process-refused");
    let with = |name: &str, value: serde_json::Value| {
        let mut output = json!({"mode": "StsToken", "access_key_id": "x", "access_key_secret": WRONG_SECRET, "sts_token": TOKEN});
        output[name] = value;
        prints(&output.to_string())
    };
    let null = || serde_json::Value::Null;
    for (script, expected) in [
        (format!("{}exit 3\n", prints(&sts())), "the program failed: exit status: 3"),
        ("kill -9 $$\n".to_owned(), "the program failed: signal: 9 (SIGKILL)"),
        (String::new(), "the program's output must be a JSON object"),
        (prints(WRONG_SECRET), "the program's output must be a JSON object"),
        (prints(&format!("[\"{WRONG_SECRET}\"]")), "the program's output must be a JSON object"),
        (prints(&json!(WRONG_SECRET).to_string()), "the program's output must be a JSON object"),
        (prints(&format!("{}{}", sts(), sts())), "the program's output must be a JSON object"),
        (with("mode", json!("External")), "the program's mode must be StsToken or AK"),
        (with("mode", json!(WRONG_SECRET)), "the program's mode must be StsToken or AK"),
        (with("mode", json!(1)), "the program's mode must be a string"),
        (with("access_key_id", null()), "the program's AccessKeyId is missing"),
        (with("access_key_secret", null()), "the program's AccessKeySecret is missing"),
        (with("access_key_secret", json!("")), "the program's AccessKeySecret is missing"),
        (
            with("access_key_secret", json!([WRONG_SECRET])),
            "the program's AccessKeySecret must be a string",
        ),
        (
            prints(r#"{"access_key_id":"x","access_key_secret":"\ud83d"}"#),
            "the program's AccessKeySecret must be a string",
        ),
        (with("sts_token", null()), "the program's SecurityToken is missing"),
        (
            with("access_key_id", json!(format!("{WRONG_SECRET},"))),
            "the program's access key id must be printable ASCII without commas and without spaces at the ends, at least one character",
        ),
        (
            with("access_key_secret", json!(format!("{WRONG_SECRET}\n"))),
            "the program's access key secret must not be empty, have white space at the ends or control characters",
        ),
        (
            with("sts_token", json!("a\nb")),
            "the program's security token must be printable ASCII without spaces at the ends",
        ),
        (
            with("expiration", json!("tomorrow")),
            "the program's expiration must be a time in RFC 3339 format, such as 2026-09-03T12:00:00Z",
        ),
        (with("expiration", json!(1_893_456_000)), "the program's Expiration must be a string"),
        (format!("exec yes {WRONG_SECRET}\n"), "the program printed more than 64 KiB"),
    ] {
        let command = format!("sh {}", home.write("helper", &script));
        let run = delete(&home, &service.url(), &["--credential-process", &command], &CREDENTIALS);
        assert_eq!((run.code, run.stdout.as_str()), (USAGE, ""), "{run:?}");
        assert_eq!(run.stderr, format!("error: --credential-process: {expected}\n"), "{script}");
    }
    assert_eq!(service.emulator().requests(), 0);
}

#[test]
fn invalid_commands_are_rejected_with_their_origin() {
    let service = Service::start();
    let home = Home::with_config(
        "process-none",
        format!("[default]\nmode=External\nprocess-command=/no/such/program {WRONG_SECRET}"),
    );
    for command in ["", "  ", "'helper", "\"helper", "helper \\", "''", "# helper"] {
        let run = delete(&home, &service.url(), &["--credential-process", command], &CREDENTIALS);
        assert_eq!((run.code, run.stdout.as_str()), (USAGE, ""), "{command}: {run:?}");
        assert_eq!(
            run.stderr,
            "error: --credential-process: must be a program and its arguments, with every quote closed\n",
            "{command}"
        );
    }
    let run = delete(&home, &service.url(), &[], &[]);
    assert_eq!((run.code, run.stdout.as_str()), (USAGE, ""));
    let origin = format!("process-command in [default] of {}, line 3", home.file(".ossutilconfig"));
    assert!(
        run.stderr.starts_with(&format!("error: {origin}: cannot run \"/no/such/program\": ")),
        "{run:?}"
    );
    assert_eq!(service.emulator().requests(), 0);
}

#[test]
fn program_is_not_started_for_the_emulator() {
    let home = Home::new("process-not-run");
    let command = format!("touch {}", home.file("was-run"));
    let rehearsal =
        delete(&home, "http://127.0.0.1:1", &["--credential-process", &command, "--emulator"], &[]);
    assert_eq!((rehearsal.code, rehearsal.stderr.as_str()), (Some(0), ""), "{rehearsal:?}");
    let missing = run(
        ["--credential-process", &command, "--force"],
        &[("PATH", "/usr/bin:/bin"), home.variable()],
    );
    assert_eq!(missing.code, USAGE, "{missing:?}");
    assert!(!missing.stderr.contains("credentials"), "{missing:?}");
    assert!(!home.has("was-run"));
}

#[test]
fn program_runs_again_when_credentials_are_rejected() {
    let keys: Vec<String> = (0..10_000).map(|number| format!("doc-{number:05}")).collect();
    let file = File::new("process-again", "txt", keys.join("\n"));
    for transport in TRANSPORTS {
        let service = Service::holding(keys.iter().cloned());
        service.emulator().set_rate_limit(Some(RateLimit::new(20.0, 1).unwrap()));
        let home = Home::new(&format!("process-again-{transport}"));
        for id in ["first", "second"] {
            service.emulator().add_identity(Identity::new(Credentials::new(id, SECRET).unwrap()));
        }
        let print = |id: &str| {
            prints(
                &json!({"mode": "AK", "access_key_id": id, "access_key_secret": SECRET})
                    .to_string(),
            )
        };
        let was_run = home.file("was-run");
        let script = format!(
            "if [ -e {was_run} ]; then\n{}else\ntouch {was_run}\n{}fi",
            print("second"),
            print("first")
        );
        let command = format!("sh {}", home.write("helper", script));
        let url = service.url();
        let run = std::thread::scope(|scope| {
            let run = scope.spawn(|| {
                let what = [
                    "--index-name",
                    "vectorindex1",
                    "--keys-from",
                    file.path(),
                    "--force",
                    "--output-format",
                    "json",
                ];
                let how = [
                    "--endpoint",
                    &url,
                    "--transport",
                    transport,
                    "--credential-process",
                    &command,
                ];
                run(
                    PLACE.into_iter().chain(what).chain(how),
                    &[home.variable(), ("PATH", "/usr/bin:/bin")],
                )
            });
            while service.left() == 10_000 && !run.is_finished() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            service.emulator().remove_identity("first");
            service.emulator().set_rate_limit(None);
            run.join().unwrap()
        });
        assert_eq!(
            (run.code, &run.counts()[..5], service.left()),
            (Some(0), &[10_000, 0, 0, 0, 0][..], 0),
            "{run:?}"
        );
    }
}
