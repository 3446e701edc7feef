//! Invalid usage is rejected before a request. Every case exits with 1 and prints nothing on
//! stdout.

use crate::canary::SECRET;
use crate::program::{ACCESS_KEY_ID, CREDENTIALS, File, PLACE, Service, USAGE, run};

/// Runs a complete command with `--force` and with `changes`: options to set or to leave out.
/// Returns stderr.
fn rejected(
    service: &Service,
    changes: &[(&str, Option<&str>)],
    environment: &[(&str, &str)],
) -> String {
    let url = service.url();
    let mut options: Vec<(&str, &str)> =
        PLACE.chunks(2).map(|option| (option[0], option[1])).collect();
    options.extend([
        ("--index-name", "vectorindex1"),
        ("--keys", r#"["doc-001"]"#),
        ("--endpoint", &url),
    ]);
    for (name, value) in changes {
        options.retain(|(option, _)| option != name);
        options.extend(value.map(|value| (*name, value)));
    }
    let arguments = options.iter().flat_map(|(name, value)| [*name, *value]).chain(["--force"]);
    let run = run(arguments, environment);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (USAGE, ""),
        "{changes:?} {environment:?}: {run:?}"
    );
    assert_eq!(service.emulator().requests(), 0, "{changes:?} {environment:?}");
    run.stderr
}

#[test]
fn missing_settings_are_listed_with_their_sources() {
    for environment in [&[][..], &[("OSS_REGION", ""), ("OSS_ACCESS_KEY_SECRET", "")]] {
        let nothing = run(["--force"], environment);
        assert_eq!((nothing.code, nothing.stdout.as_str()), (USAGE, ""));
        assert_eq!(
            nothing.stderr,
            "error: settings are missing; each was looked for in this order:\n\
             \x20 index name         --index-name\n\
             \x20 keys               --keys, --keys-from, --prefix, --filter, --all\n\
             \x20 region             --region, OSS_REGION, region in [default] of ~/.ossutilconfig\n\
             \x20 account id         --account-id, account-id in [default] of ~/.ossutilconfig\n\
             \x20 bucket             --bucket\n\
             \x20 credentials        --credential-process, OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, \
             ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, \
             access-key-id and access-key-secret in [default] of ~/.ossutilconfig\n\
             \n\
             For more information, try '--help'.\n",
        );
    }
}

#[test]
fn each_missing_setting_is_named() {
    let service = Service::start();
    for (option, name) in [
        ("--index-name", "index name"),
        ("--keys", "keys"),
        ("--region", "region"),
        ("--account-id", "account id"),
        ("--bucket", "bucket"),
    ] {
        let stderr = rejected(&service, &[(option, None)], &CREDENTIALS);
        assert_eq!(stderr.matches("\n  ").count(), 1, "{stderr}");
        assert!(stderr.contains(&format!("\n  {name} ")), "{stderr}");
    }
    let [id, secret] =
        [&CREDENTIALS[..1], &CREDENTIALS[1..]].map(|half| rejected(&service, &[], half));
    assert!(
        id.contains(
            "\n  access key secret  OSS_ACCESS_KEY_SECRET, with the rest of the credentials\n"
        ),
        "{id}"
    );
    assert!(
        secret.contains(
            "\n  access key id      OSS_ACCESS_KEY_ID, with the rest of the credentials\n"
        ),
        "{secret}"
    );
}

#[test]
fn invalid_setting_is_reported_with_origin_and_rule() {
    let service = Service::start();
    let [id, secret] = CREDENTIALS;
    let secret_with_line_break = &format!("{SECRET}\n");
    for (option, value, environment, expected) in [
        (
            "--region",
            Some("CN"),
            &[id, secret][..],
            r#"--region: must be 1 to 63 characters of a-z, 0-9 and '-'"#,
        ),
        ("--region", Some(""), &[id, secret, ("OSS_REGION", "cn-hangzhou")], "--region: must be"),
        ("--region", None, &[id, secret, ("OSS_REGION", "CN")], "OSS_REGION: must be"),
        (
            "--account-id",
            Some("me"),
            &[id, secret],
            r#"--account-id: must be 1 to 32 digits, not "me""#,
        ),
        ("--bucket", Some("a_b"), &[id, secret], "--bucket: must be 3 to 32 characters"),
        (
            "--bucket",
            Some("examplebucket-1234567890123456"),
            &[id, secret],
            "--bucket: must be without '-' and the account id at its end, not \"examplebucket-1234567890123456\"\n",
        ),
        ("--index-name", Some(""), &[id, secret], "--index-name: must not be empty"),
        (
            "--endpoint",
            Some("ftp://h"),
            &[id, secret],
            "--endpoint: must be [http[s]://]host[:port]",
        ),
        ("--endpoint", None, &[id, secret, ("OSS_ENDPOINT", "ftp://h")], "OSS_ENDPOINT: must be"),
        (
            "--bucket",
            Some("examplebucket"),
            &[("OSS_ACCESS_KEY_ID", "a,b"), secret],
            "OSS_ACCESS_KEY_ID: must be",
        ),
        (
            "--bucket",
            Some("examplebucket"),
            &[id, ("OSS_ACCESS_KEY_SECRET", secret_with_line_break)],
            "OSS_ACCESS_KEY_SECRET: must not be empty, have white space at the ends or control characters\n",
        ),
        (
            "--bucket",
            Some("examplebucket"),
            &[id, secret, ("OSS_SESSION_TOKEN", "a\nb")],
            "OSS_SESSION_TOKEN: must be",
        ),
        (
            "--timeout",
            Some("0"),
            &[id, secret],
            "error: --timeout: must be a whole number of seconds, 1 to 86400, not \"0\"\n",
        ),
        (
            "--timeout",
            Some("1.5"),
            &[id, secret],
            "error: --timeout: must be a whole number of seconds, 1 to 86400, not \"1.5\"\n",
        ),
        (
            "--concurrency",
            Some("0"),
            &[id, secret],
            "error: --concurrency: must be 1 to 10000, not \"0\"\n",
        ),
        (
            "--concurrency",
            Some("many"),
            &[id, secret],
            "error: --concurrency: must be 1 to 10000, not \"many\"\n",
        ),
        (
            "--max-qps",
            Some("0"),
            &[id, secret],
            "error: --max-qps: must be 0.001 to 1000000, not \"0\"\n",
        ),
        (
            "--max-qps",
            Some("fast"),
            &[id, secret],
            "error: --max-qps: must be 0.001 to 1000000, not \"fast\"\n",
        ),
        (
            "--max-keys-per-second",
            Some("0"),
            &[id, secret],
            "error: --max-keys-per-second: must be 0.001 to 1000000000, not \"0\"\n",
        ),
        (
            "--max-attempts",
            Some("0"),
            &[id, secret],
            "error: --max-attempts: must be a whole number, at least 1, not \"0\"\n",
        ),
        (
            "--on-bad-key",
            Some("ignore"),
            &[id, secret],
            "error: --on-bad-key: must be fail or skip, not \"ignore\"\n",
        ),
        (
            "--keys-format",
            Some("csv"),
            &[id, secret],
            "error: --keys-format: must be lines or jsonl, not \"csv\"\n",
        ),
        (
            "--progress",
            Some("yes"),
            &[id, secret],
            "error: --progress: must be auto, always or never, not \"yes\"\n",
        ),
        (
            "--generate",
            Some("man"),
            &[id, secret],
            "the argument '--generate <man|SHELL>' cannot be used with one or more of the other",
        ),
        (
            "--transport",
            Some("curl"),
            &[id, secret],
            "error: --transport: must be hyper or ureq, not \"curl\"\n",
        ),
        (
            "--output-format",
            Some("xml"),
            &[id, secret],
            "error: --output-format: must be text or json, not \"xml\"\n",
        ),
        ("--signing-time", Some("1702743657"), &[id, secret], "--dry-run"),
        (
            "--access-key-secret",
            Some("x"),
            &[id, secret],
            "--access-key-secret: is not an option of this program\nhelp: the AccessKey comes from ",
        ),
    ] {
        let stderr = rejected(&service, &[(option, value)], environment);
        assert!(
            stderr.starts_with("error: ") && stderr.contains(expected),
            "{option} {value:?}: {stderr}"
        );
    }
}

#[test]
fn what_users_of_ossutil_type_gets_an_advice() {
    let service = Service::start();
    for (arguments, expected) in [
        (
            &["-i", SECRET][..],
            "-i: is not an option of this program\nhelp: the AccessKey comes from ",
        ),
        (&["--sts-token=x"], "--sts-token: is not an option of this program\nhelp: the AccessKey "),
        (&["-y"], "-y: is not an option of this program\nhelp: use --force\n"),
        (
            &["--loglevel", "debug"],
            "--loglevel: is not an option of this program\nhelp: use --verb",
        ),
        (
            &["vectors-api", "delete-vectors"],
            "vectors-api: is not an argument of this program\nhelp: leave out the command",
        ),
        (&["--max-qps", "-1"], "--max-qps: must be 0.001 to 1000000, not \"-1\"\n"),
        (&["--passes", "-1"], "--passes: must be 1 to 1000, not \"-1\"\n"),
        (&["--give-up-after", "-1"], "--give-up-after: must be a whole number of seconds, "),
    ] {
        let run = run(arguments.iter().copied().chain(PLACE), &CREDENTIALS);
        assert_eq!((run.code, run.stdout.as_str()), (USAGE, ""), "{run:?}");
        assert!(run.stderr.starts_with(&format!("error: {expected}")), "{arguments:?}: {run:?}");
    }
    assert_eq!(service.requests(), 0);
}

/// The id and the secret may have been swapped.
#[test]
fn an_invalid_access_key_id_is_not_printed() {
    let service = Service::start();
    for name in ["OSS_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_ID"] {
        let secret = name.replace("_ID", "_SECRET");
        let value = format!("{SECRET}\n");
        let stderr = rejected(&service, &[], &[(name, &value), (&secret, "id")]);
        let expected =
            format!("error: {name}: must be printable ASCII without commas and without ");
        assert!(stderr.starts_with(&expected) && !stderr.contains(SECRET), "{stderr}");
    }
}

/// A file of objects is a common mistake, and may be long.
#[test]
fn long_json_of_objects_gets_a_short_error() {
    let service = Service::start();
    let objects: Vec<String> =
        (0..20_000).map(|n| format!(r#"{{"key":"doc-{n:05}","n":1}}"#)).collect();
    let file = File::new("objects", "json", format!("[{}]", objects.join(",")));
    let stderr = rejected(&service, &[("--keys", Some(&file.argument()))], &CREDENTIALS);
    let expected = format!(
        "error: --keys {}: [0]: must be a string, not {{\"key\":\"doc-00000\",\"n\":1}}\n\
         help: jq -r '.[].key' prints the keys, and --keys-from - reads them\n",
        file.argument()
    );
    assert_eq!(stderr, expected);
    let long = "x".repeat(20_000);
    for option in ["--concurrency", "--transport", "--prefix"] {
        let changes = [(option, Some(long.as_str())), ("--keys", None)];
        let stderr = rejected(&service, &changes, &CREDENTIALS);
        assert!(stderr.len() < 400 && stderr.contains("xxx…"), "{stderr}");
    }
}

#[test]
fn invalid_keys_are_rejected_with_reason_and_position() {
    let service = Service::start();
    let too_large = File::new("too-large", "json", vec![b' '; 8 * 1024 * 1024 + 1]);
    let not_json = File::new("not-json", "json", "[\"doc-001\",\n \"doc-002\"");
    let not_utf8 = File::new("not-utf8", "json", b"[\"\xff\"]");
    let long = format!(r#"["doc-001","{}"]"#, "k".repeat(1025));
    for (keys, expected) in [
        ("", "--keys: [0]: key must be 1 to 1024 characters, not \"\"\n"),
        (
            "[doc-001]",
            "--keys: not a JSON array of strings like '[\"doc-001\",\"doc-002\"]': expected value at line 1 column 2\n\
             help: if it is not JSON but a list of keys, write '[\"[doc-001]\"]'\n",
        ),
        (
            "Cargo.toml",
            "--keys: \"Cargo.toml\" is the name of a file, and could be a key\n\
             help: --keys file://Cargo.toml or --keys-from Cargo.toml reads the file; --keys '[\"Cargo.toml\"]' is the key\n",
        ),
        (
            "a, b",
            "--keys: \" b\" has spaces around it: write '[\" b\"]' if they are part of the key, '[\"b\"]' if not\n",
        ),
        (r#"["doc-001","#, "EOF while parsing a value at line 1 column 11"),
        (
            r#""doc-001""#,
            "invalid type: string \"doc-001\", expected a sequence at line 1 column 9",
        ),
        (r#"["doc-001",2]"#, "--keys: [1]: must be a string, not 2\n"),
        (r#"["doc-001"] x"#, "trailing characters at line 1 column 13"),
        (r#"["\ud800"]"#, "at line 1 column"),
        (r#"{"keys":["doc-001"]}"#, "invalid type: map, expected a sequence"),
        (&not_json.argument(), "EOF while parsing a list at line 2 column 10"),
        (&not_utf8.argument(), " is not UTF-8"),
        (&too_large.argument(), "more than 8 MiB"),
        ("file:///no/such/file", "--keys: cannot read \"/no/such/file\": No such file"),
        ("file:///", "--keys: cannot read \"/\": "),
        ("[]", "--keys: must have at least one key"),
        (r#"["doc-001",""]"#, r#"--keys: [1]: key must be 1 to 1024 characters, not """#),
        (&long, "--keys: [1]: key must be 1 to 1024 characters"),
    ] {
        let stderr = rejected(&service, &[("--keys", Some(keys))], &CREDENTIALS);
        assert!(stderr.contains(expected), "{keys}: {stderr}");
    }
}

#[test]
fn help_has_short_sections_and_no_environment_values() {
    let help = run(["--help"], &[CREDENTIALS[0], CREDENTIALS[1], ("OSS_REGION", "cn-shanghai")]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for part in [
        "\nKeys:\n",
        "\nTarget:\n",
        "\nCredentials:\n",
        "\nRun:\n",
        "\nOutput:\n",
        "\nExamples:\n",
        "\nExit status:\n",
    ] {
        assert!(help.stdout.contains(part), "{}", help.stdout);
    }
    for part in help.stdout.split("\n\n") {
        assert!(part.lines().count() <= 24, "{part}");
    }
    let brief = run(["-h"], &[]);
    assert_eq!((brief.code, brief.stderr.as_str()), (Some(0), ""));
    for (text, most) in [(&help.stdout, 102), (&brief.stdout, 50)] {
        let (lines, longest) = (text.lines().count(), text.lines().map(str::len).max());
        assert!(lines <= most && longest <= Some(100), "{lines} lines of {longest:?}: {text}");
        assert!(text.contains("\nExit status:\n") && text.contains("--keys <KEYS>"), "{text}");
    }
    assert!(help.stdout.contains("--signing-time") && !brief.stdout.contains("--signing-time"));
    assert!(
        !help.stdout.contains(ACCESS_KEY_ID) && !help.stdout.contains("cn-shanghai"),
        "{}",
        help.stdout
    );

    let version = run(["--version"], &[]);
    assert_eq!(
        (version.code, version.stdout),
        (Some(0), concat!("delete-vectors ", env!("CARGO_PKG_VERSION"), "\n").to_owned())
    );
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_utf8_are_named_but_not_printed() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use crate::program::{checked, command};

    let secret = [SECRET.as_bytes(), b"\xff"].concat();
    let mut command = command(PLACE, &CREDENTIALS[..1]);
    let run =
        checked(command.env("OSS_ACCESS_KEY_SECRET", OsStr::from_bytes(&secret)).output().unwrap());
    assert_eq!((run.code, run.stdout.as_str()), (USAGE, ""));
    assert_eq!(run.stderr, "error: OSS_ACCESS_KEY_SECRET: not UTF-8\n");
}
