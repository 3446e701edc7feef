//! The sources of settings and credentials, in order of priority: the command line, the
//! environment, a profile of `.ossutilconfig`.

use oss_delete_vectors::emulator::Identity;

use crate::canary::{SECRET, TOKEN, WRONG_SECRET};
use crate::home::Home;
use crate::program::{ACCESS_KEY_ID, CREDENTIALS, PLACE, Run, Service, TRANSPORTS, USAGE, run};

const WHAT: [&str; 7] = [
    "--bucket",
    "examplebucket",
    "--index-name",
    "vectorindex1",
    "--keys",
    r#"["doc-001"]"#,
    "--force",
];

/// Deletes a vector with these options, this environment, and the file in `home`.
fn delete(home: &Home, options: &[&str], environment: &[(&str, &str)]) -> Run {
    let environment: Vec<_> = environment.iter().copied().chain([home.variable()]).collect();
    run(WHAT.into_iter().chain(options.iter().copied()), &environment)
}

#[test]
fn the_file_gives_the_target_and_the_credentials() {
    let service = Service::start();
    let home = Home::with_config(
        "config_file-whole",
        format!(
            "\u{feff}[default]\r\naccessKeyID = {ACCESS_KEY_ID}\r\naccess_key_secret={SECRET}\r\nregion=cn-hangzhou\r\n\
         account-id=1234567890123456\r\nendpoint={}\r\nlanguage=EN\r\n",
            service.url()
        ),
    );
    for transport in TRANSPORTS {
        let run = delete(&home, &["--transport", transport], &[]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
        assert_eq!(service.emulator().len("examplebucket", "vectorindex1"), Some(8));
    }
    assert_eq!(service.emulator().requests(), 2);
}

#[test]
fn each_mode_uses_its_own_settings() {
    let service = Service::start();
    let (id, with_token) = ("STS.ConformanceToken0001", "STS.ConformanceToken0002");
    let temporary = oss_delete_vectors::Credentials::new(with_token, SECRET)
        .unwrap()
        .with_security_token(TOKEN)
        .unwrap();
    service.emulator().add_identity(Identity::new(temporary));
    service
        .emulator()
        .add_identity(Identity::new(oss_delete_vectors::Credentials::new(id, SECRET).unwrap()));
    let url = service.url();
    for (mode, id) in [
        ("", with_token),
        ("mode=StsToken", with_token),
        ("MODE = ststoken", with_token),
        ("mode=ak", id),
    ] {
        let home = Home::with_config(
            "config_file-modes",
            format!(
                "[profile prod]\naccess-key-id={id}\naccess-key-secret={SECRET}\nsts-token={TOKEN}\n{mode}\n\
             [default]\nmode=RamRoleArn"
            ),
        );
        let options = [&PLACE[..4], &["--endpoint", &url, "--profile", "prod"]].concat();
        let run = delete(&home, &options, &[]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{mode}: {run:?}");
    }
    assert_eq!(service.emulator().requests(), 4);
}

/// The URL and the AccessKey id of a dry run, and whether it has a security token.
fn used(home: &Home, options: &[&str], environment: &[(&str, &str)]) -> (String, String, bool) {
    let run = delete(home, &[options, &["--dry-run"]].concat(), environment);
    assert_eq!(run.code, Some(0), "{run:?}");
    let (url, headers) =
        (run.json()["url"].as_str().unwrap().to_owned(), run.json()["headers"].clone());
    let authorization = headers["authorization"].as_str().unwrap();
    let id = authorization.split_once("Credential=").unwrap().1.split('/').next().unwrap();
    (url, id.to_owned(), headers.get("x-oss-security-token").is_some())
}

#[test]
fn flags_override_environment_overrides_file() {
    let home = Home::with_config(
        "config_file-precedence",
        format!(
            "[default]\nregion=file-1\naccount-id=11\nendpoint=file.example\naccess-key-id=file-id\naccess-key-secret={WRONG_SECRET}\n\
         sts-token={TOKEN}\n\
         [profile b]\nregion=b-1\naccount-id=22\naccess-key-id=b-id\naccess-key-secret={WRONG_SECRET}\n"
        ),
    );
    let other = home.write(
        "other",
        format!(
            "[default]\nregion=o-1\naccount-id=33\naccess-key-id=o-id\naccess-key-secret={SECRET}"
        ),
    );
    let third = home.write(
        "third",
        format!(
            "[profile b]\nregion=t-1\naccount-id=44\naccess-key-id=t-id\naccess-key-secret={SECRET}"
        ),
    );
    let public = |account_id: &str, region: &str| {
        format!(
            "https://examplebucket-{account_id}.{region}.oss-vectors.aliyuncs.com/?deleteVectors"
        )
    };
    let at = |host: &str, account_id: &str| {
        format!("https://examplebucket-{account_id}.{host}/?deleteVectors")
    };
    let [id, secret] = CREDENTIALS;
    let (profile, file) = (("OSSUTIL_PROFILE", "b"), ("OSSUTIL_CONFIG_FILE", other.as_str()));
    for (options, environment, url, id, has_token) in [
        (&[][..], &[][..], at("file.example", "11"), "file-id", true),
        (&["--region", "r-1"], &[], at("file.example", "11"), "file-id", true),
        (&["--endpoint", "internal"], &[], public("11", "file-1-internal"), "file-id", true),
        (&[], &[("OSS_ENDPOINT", "env.example")], at("env.example", "11"), "file-id", true),
        (
            &["--endpoint", "opt.example"],
            &[("OSS_ENDPOINT", "env.example")],
            at("opt.example", "11"),
            "file-id",
            true,
        ),
        (
            &["--account-id", "99"],
            &[("OSS_ENDPOINT", "")],
            at("file.example", "99"),
            "file-id",
            true,
        ),
        // Credentials are one group: a token from the file is not used with a pair from the
        // environment, nor the other way round.
        (&[], &[id, secret], at("file.example", "11"), ACCESS_KEY_ID, false),
        (
            &[],
            &[id, secret, ("OSS_SESSION_TOKEN", TOKEN)],
            at("file.example", "11"),
            ACCESS_KEY_ID,
            true,
        ),
        (
            &[],
            &[("OSS_ACCESS_KEY_ID", ""), ("OSS_ACCESS_KEY_SECRET", "")],
            at("file.example", "11"),
            "file-id",
            true,
        ),
        (&["--profile", "b"], &[("OSS_SESSION_TOKEN", TOKEN)], public("22", "b-1"), "b-id", false),
        (&[], &[profile], public("22", "b-1"), "b-id", false),
        (&["--profile", "B"], &[], public("22", "b-1"), "b-id", false),
        (&["--profile", "default"], &[profile], at("file.example", "11"), "file-id", true),
        (
            &[],
            &[("OSSUTIL_PROFILE", ""), ("OSSUTIL_CONFIG_FILE", "")],
            at("file.example", "11"),
            "file-id",
            true,
        ),
        (&["--profile", "b"], &[("OSS_REGION", "env-1")], public("22", "env-1"), "b-id", false),
        (
            &["--profile", "b", "--region", "opt-1"],
            &[("OSS_REGION", "env-1")],
            public("22", "opt-1"),
            "b-id",
            false,
        ),
        (&[], &[file], public("33", "o-1"), "o-id", false),
        (&["--config-file", &third], &[file, profile], public("44", "t-1"), "t-id", false),
    ] {
        let expected = (url, id.to_owned(), has_token);
        assert_eq!(used(&home, options, environment), expected, "{options:?} {environment:?}");
    }
}

#[test]
fn secrets_are_read_verbatim() {
    for strange in [r##"a#b;c=d"e'f\n\\%=="##, "#begins", "\"quoted\"", "$HOME `x`"] {
        let secret = format!("{strange}{SECRET}{strange}");
        let service = Service::start();
        let whole = oss_delete_vectors::Credentials::new("exact-id", secret.as_str()).unwrap();
        service.emulator().add_identity(Identity::new(whole));
        let home = Home::with_config(
            "config_file-exact",
            format!("[default]\naccess-key-id = exact-id\naccess-key-secret =  {secret}\t\n"),
        );
        let run = delete(&home, &[&PLACE[..4], &["--endpoint", &service.url()]].concat(), &[]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{strange}: {run:?}");
    }
}

#[test]
fn a_missing_file_equals_an_empty_one() {
    let service = Service::start();
    let home = Home::new("config_file-none");
    let url = service.url();
    let options = [&PLACE[..4], &["--endpoint", &url]].concat();
    let environments = [
        vec![home.variable()],
        vec![],
        vec![("HOME", "/dev/null"), ("USERPROFILE", "/dev/null")],
        vec![("HOME", "")],
    ];
    for environment in environments {
        let run = run(
            WHAT.into_iter().chain(options.iter().copied()),
            &[&environment[..], &CREDENTIALS].concat(),
        );
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{environment:?}: {run:?}");
    }
}

#[test]
fn settings_missing_from_the_file_are_listed() {
    let service = Service::start();
    let endpoint = service.url();
    for (content, profile, expected) in [
        (
            "[Credentials]\nlanguage=EN\n",
            "default",
            "  region             --region, OSS_REGION, region in [default] of FILE\n  \
             account id         --account-id, account-id in [default] of FILE\n  \
             credentials        --credential-process, OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, \
             ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, \
             access-key-id and access-key-secret in [default] of FILE\n",
        ),
        (
            "[profile prod]\nregion=cn-hangzhou\naccount-id=1\naccess-key-id=x\n",
            "prod",
            "  access key secret  access-key-secret in [profile prod] of FILE, with the rest of the credentials\n",
        ),
        (
            &format!(
                "[default]\nregion=cn-hangzhou\naccount-id=1\naccess-key-secret={WRONG_SECRET}\nmode=AK\nsts-token=x"
            ),
            "default",
            "  access key id      access-key-id in [default] of FILE, with the rest of the credentials\n",
        ),
        (
            &format!(
                "[default]\nregion=cn-hangzhou\naccount-id=1\naccess-key-id=x\naccess-key-secret={WRONG_SECRET}\nmode=StsToken\nsts-token="
            ),
            "default",
            "  security token     sts-token in [default] of FILE, with the rest of the credentials\n",
        ),
        (
            &format!(
                "[default]\nregion=cn-hangzhou\naccount-id=1\nmode=external\naccess-key-id=x\naccess-key-secret={WRONG_SECRET}"
            ),
            "default",
            "  process command    process-command in [default] of FILE, whose mode is External\n",
        ),
    ] {
        let home = Home::with_config("config_file-lacks", content);
        let environment =
            if profile == "default" { &[][..] } else { &[("OSSUTIL_PROFILE", profile)] };
        let run = delete(&home, &["--endpoint", &endpoint], environment);
        assert_eq!((run.code, run.stdout.as_str()), (USAGE, ""), "{run:?}");
        let list = expected.replace("FILE", &home.file(".ossutilconfig"));
        assert_eq!(
            run.stderr,
            format!(
                "error: settings are missing; each was looked for in this order:\n{list}\nFor more information, try '--help'.\n"
            ),
        );
    }
    assert_eq!(service.emulator().requests(), 0);
}

#[test]
fn invalid_file_is_reported_by_line_without_its_text() {
    let service = Service::start();
    let (endpoint, pair) =
        (service.url(), format!("access-key-id=x\naccess-key-secret={WRONG_SECRET}\n"));
    let modes = "mode must be AK, StsToken, EcsRamRole, oidcRoleArn, Process, RamRoleArn, CredentialsURI or External";
    for (content, options, expected) in [
        (
            format!("[default]\n{WRONG_SECRET}"),
            &[][..],
            "FILE, line 2: neither a [section] nor key = value".to_owned(),
        ),
        (
            format!("[profile {WRONG_SECRET}"),
            &[],
            "FILE, line 1: neither a [section] nor key = value".to_owned(),
        ),
        (
            format!("access-key-secret={WRONG_SECRET}"),
            &[],
            "FILE, line 1: a key before the first [section]".to_owned(),
        ),
        (
            format!("[default]\n{pair}# x\naccessKeySecret={WRONG_SECRET}"),
            &[],
            "FILE, line 5: access-key-secret is repeated; the first one is in line 3".to_owned(),
        ),
        (
            format!("[default]\n{pair}[Profile default]\n"),
            &[],
            "FILE, line 4: the same profile as in line 1".to_owned(),
        ),
        (format!("[default]\n{pair}[profile b]\n[profile a]"), &["--profile", "prod"], {
            "--profile: there is no [profile prod] in FILE, which has [default], [profile b], [profile a]".to_owned()
        }),
        (pair.replace("access", "# access"), &["--profile", "default"], {
            "--profile: there is no [default] in FILE, which has no profile".to_owned()
        }),
        (
            format!("[default]\n{pair}mode=Other"),
            &[],
            format!("mode in [default] of FILE, line 4: {modes}, not \"Other\""),
        ),
        (format!("[default]\n{pair}mode=External\nprocess-command='{WRONG_SECRET}"), &[], {
            "process-command in [default] of FILE, line 5: must be a program and its arguments, with every quote closed"
                .to_owned()
        }),
        (format!("[default]\n{pair}region = CN\naccount-id=1"), &["--profile", "default"], {
            "region in [default] of FILE, line 4: must be 1 to 63 characters of a-z, 0-9 and '-', with no '-' at either end, \
             not \"CN\""
                .to_owned()
        }),
        (format!("[default]\n{pair}region=r\naccount-id=me"), &[], {
            "account-id in [default] of FILE, line 5: must be 1 to 32 digits, not \"me\"".to_owned()
        }),
        (
            format!("[default]\n{pair}region=r\naccount-id=1\n\nsts-token = a\u{1}{WRONG_SECRET}"),
            &[],
            {
                "sts-token in [default] of FILE, line 7: must be printable ASCII without spaces at the ends".to_owned()
            },
        ),
        (
            format!(
                "[default]\naccess-key-id=x\naccess-key-secret={WRONG_SECRET}\u{1}\nregion=r\naccount-id=1"
            ),
            &[],
            {
                "access-key-secret in [default] of FILE, line 3: must not be empty, have white space at the ends or \
             control characters"
                .to_owned()
            },
        ),
    ] {
        let home = Home::with_config("config_file-wrong", content);
        let endpoint = ["--endpoint", endpoint.as_str()];
        let run = delete(&home, &[&endpoint, options].concat(), &[]);
        assert_eq!((run.code, run.stdout.as_str()), (USAGE, ""), "{run:?}");
        assert_eq!(
            run.stderr,
            format!("error: {}\n", expected.replace("FILE", &home.file(".ossutilconfig")))
        );
    }
    assert_eq!(service.emulator().requests(), 0);
}

#[test]
fn errors_of_settings_in_the_file_have_a_line() {
    let home = Home::with_config(
        "config_file-endpoint",
        "[default]\nregion=r\naccount-id=1\nendpoint = ftp://x\n",
    );
    let run = delete(&home, &[], &CREDENTIALS);
    assert_eq!((run.code, run.stdout.as_str()), (USAGE, ""));
    let expected = format!(
        "error: endpoint in [default] of {}, line 4: must be ",
        home.file(".ossutilconfig")
    );
    assert!(run.stderr.starts_with(&expected), "{run:?}");
}

#[test]
fn unreadable_files_are_rejected() {
    let service = Service::start();
    let home = Home::new("config_file-unreadable");
    let not_utf8 = home.write(
        "not-utf8",
        [b"[default]\naccess-key-secret=", WRONG_SECRET.as_bytes(), b"\xff"].concat(),
    );
    let too_large = home.write("too-large", vec![b'#'; 4 * 1024 * 1024 + 1]);
    let absent = home.file("absent");
    let endpoint = service.url();
    let place = [&PLACE[..4], &["--endpoint", &endpoint]].concat();
    for (path, expected) in [
        (&absent, format!("ORIGIN: cannot read {absent:?}: ")),
        (&too_large, format!("ORIGIN: cannot read {too_large:?}: more than 4 MiB\n")),
        (&not_utf8, format!("{not_utf8}: not UTF-8\n")),
    ] {
        let by_option = [&place[..], &["--config-file", path]].concat();
        for (origin, options, named) in [
            ("OSSUTIL_CONFIG_FILE", &place, path.as_str()),
            ("--config-file", &by_option, "/overruled"),
        ] {
            let run = delete(
                &home,
                options,
                &[("OSSUTIL_CONFIG_FILE", named), CREDENTIALS[0], CREDENTIALS[1]],
            );
            assert_eq!((run.code, run.stdout.as_str()), (USAGE, ""), "{run:?}");
            assert!(
                run.stderr.starts_with(&format!("error: {}", expected.replace("ORIGIN", origin))),
                "{run:?}"
            );
        }
    }
    let directory = Home::new("config_file-directory");
    std::fs::create_dir(directory.file(".ossutilconfig")).unwrap();
    let run = delete(&directory, &place, &CREDENTIALS);
    assert_eq!((run.code, run.stdout.as_str()), (USAGE, ""));
    assert!(
        run.stderr
            .starts_with(&format!("error: cannot read {:?}: ", directory.file(".ossutilconfig"))),
        "{run:?}"
    );
    assert_eq!(service.emulator().requests(), 0);
}

#[test]
fn emulator_runs_read_no_file() {
    let home =
        Home::with_config("config_file-rehearsal", format!("not a config file {WRONG_SECRET}"));
    let broken = home.file(".ossutilconfig");
    let environment = [("OSSUTIL_CONFIG_FILE", broken.as_str()), ("OSSUTIL_PROFILE", "prod")];
    for options in
        [&["--emulator"][..], &["--emulator", "--config-file", &broken, "--profile", "prod"]]
    {
        let run = delete(&home, options, &environment);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    }
    assert_eq!(used(&home, &["--emulator"], &environment).1, "example-id");
}
