//! Profiles of ossutil: every mode, key and variable, with the resulting request or message.

use std::io::Write;

use crate::canary::{SECRET, TOKEN, WRONG_SECRET};
use crate::home::Home;
use crate::peer::{Peer, read_request};
use crate::program::{PLACE, REJECTED, Run, Service, UNREACHABLE, USAGE, run};

const WHAT: [&str; 5] = ["--index-name", "vectorindex1", "--keys", "doc-001", "--force"];
const ROLE: &str = "acs:ram::1234567890123456:role/my-role";

fn delete(home: &Home, options: &[&str], environment: &[(&str, &str)]) -> Run {
    let fixed = [home.variable(), ("PATH", "/usr/bin:/bin")];
    let environment: Vec<_> = environment.iter().copied().chain(fixed).collect();
    run(PLACE.into_iter().chain(WHAT).chain(options.iter().copied()), &environment)
}

/// The AccessKey id and the URL of a dry run, or the output of the program.
fn used(
    home: &Home,
    options: &[&str],
    environment: &[(&str, &str)],
) -> Result<[String; 2], String> {
    let run = delete(home, &[options, &["--dry-run"]].concat(), environment);
    if run.code != Some(0) {
        assert_eq!(run.code, USAGE, "{run:?}");
        return Err(run
            .stderr
            .lines()
            .filter(|line| !line.starts_with("warning: each"))
            .collect::<Vec<_>>()
            .join("\n"));
    }
    let (url, headers) = (run.json()["url"].clone(), run.json()["headers"].clone());
    let authorization = headers["authorization"].as_str().unwrap();
    let id = authorization.split_once("Credential=").unwrap().1.split('/').next().unwrap();
    Ok([id.to_owned(), url.as_str().unwrap().to_owned()])
}

fn keys(id: &str) -> String {
    format!(
        r#"{{"AccessKeyId":"{id}","AccessKeySecret":"{SECRET}","SecurityToken":"{TOKEN}","Expiration":"2999-01-01T00:00:00Z"}}"#
    )
}

/// A service that gives these credentials without authentication.
fn credentials_uri(id: &'static str) -> Peer {
    Peer::start(move |mut stream| {
        while let Some(request) = read_request(&mut stream) {
            let body = keys(id);
            assert!(request.starts_with(b"GET /creds HTTP/1.1\r\n"));
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).unwrap();
        }
    })
}

#[test]
#[cfg(unix)]
fn every_mode_gets_its_credentials() {
    let uri = credentials_uri("uri-id");
    let url = format!("{}/creds", uri.url());
    let home = Home::new("profiles-modes");
    let process = format!("sh {}", home.write("process", format!("echo '{}'", keys("process-id"))));
    let pair = format!("access-key-id=pair-id\naccess-key-secret={WRONG_SECRET}\n");
    for (profile, expected) in [
        (pair.clone(), Ok("pair-id")),
        (format!("mode=AK\n{pair}"), Ok("pair-id")),
        (format!("mode = \"StsToken\"\n{pair}stsToken=\"{TOKEN}\""), Ok("pair-id")),
        (
            format!("mode=AK\naccessKeyID = \"quoted-id\"\nAccess_Key_Secret = \"{SECRET}\""),
            Ok("quoted-id"),
        ),
        (format!("mode=Process\ncredential-process={process}"), Ok("process-id")),
        (format!("credentialProcess={process}\ncredential-process-timeout=600"), Ok("process-id")),
        (format!("mode=external\nprocess_command={process}"), Ok("process-id")),
        (format!("mode=CredentialsURI\ncredential-uri={url}"), Ok("uri-id")),
        (format!("credentialURI={url}"), Ok("uri-id")),
        ("source-profile=other".to_owned(), Ok("other-id")),
        (
            format!("mode=Anonymous\n{pair}"),
            Err(
                "mode in [default] of FILE, line 2: mode must not be Anonymous: the service takes signed requests only",
            ),
        ),
        (
            format!("mode=Other\n{pair}"),
            Err(
                "mode in [default] of FILE, line 2: mode must be AK, StsToken, EcsRamRole, oidcRoleArn, Process, RamRoleArn, CredentialsURI or External",
            ),
        ),
        (
            format!("mode=Process\ncredential-process={process}\ncredential-process-timeout=601"),
            Err(
                "credential-process-timeout in [default] of FILE, line 4: must be 1 to 600 seconds, not \"601\"",
            ),
        ),
        (
            "mode=Process".to_owned(),
            Err(
                "  credential process credential-process in [default] of FILE, whose mode is Process",
            ),
        ),
        (
            "mode=credentialsuri".to_owned(),
            Err(
                "  credentials URI    credential-uri in [default] of FILE, whose mode is CredentialsURI",
            ),
        ),
        (
            "credential-uri=nowhere".to_owned(),
            Err(
                "credential-uri in [default] of FILE, line 2: must be an http or https URL with a host",
            ),
        ),
        (
            "mode=EcsRamRole\necs-role-name=a/b".to_owned(),
            Err(
                "ecs-role-name in [default] of FILE, line 3: must be 1 to 64 characters of A-Z, a-z, 0-9 and ._@-, not \"a/b\"",
            ),
        ),
        (
            "mode=oidcRoleArn".to_owned(),
            Err(
                "  OIDC token file    oidc-token-file-path in [default] of FILE, whose mode is oidcRoleArn",
            ),
        ),
        (
            format!(
                "mode=oidcRoleArn\nrole-arn={ROLE}\noidc-provider-arn=me\noidc-token-file-path=/t"
            ),
            Err(
                "oidc-provider-arn in [default] of FILE, line 4: must be an ARN, such as acs:ram::1234567890123456:oidc-provider/my-provider, not \"me\"",
            ),
        ),
        (
            format!(
                "role-arn={ROLE}\noidc-provider-arn=acs:ram::1:oidc-provider/p\noidcTokenFilePath=/no/such/token"
            ),
            Err(
                "no credentials from STS at sts.aliyuncs.com, for acs:ram::1234567890123456:role/my-role: \"/no/such/token\": No such file or directory (os error 2)",
            ),
        ),
        (
            "mode=RamRoleArn".to_owned(),
            Err("  role ARN           role-arn in [default] of FILE, whose mode is RamRoleArn"),
        ),
        (
            format!("mode=RamRoleArn\nrole-arn=me\n{pair}"),
            Err(
                "role-arn in [default] of FILE, line 3: must be an ARN, such as acs:ram::1234567890123456:role/my-role, not \"me\"",
            ),
        ),
        (
            format!("mode=RamRoleArn\nrole-arn={ROLE}\nrole-session-name=x\n{pair}"),
            Err(
                "role-session-name in [default] of FILE, line 4: must be 2 to 64 characters of A-Z, a-z, 0-9 and ._@-, not \"x\"",
            ),
        ),
        (
            format!("role-arn={ROLE}\nsource-profile=absent"),
            Err("source-profile in [default] of FILE, line 3: there is no [profile absent]"),
        ),
        (
            format!("role-arn={ROLE}\nsource-profile=loop"),
            Err("source-profile in [profile loop] of FILE, line 99: must not lead back to itself"),
        ),
        (
            "source-profile=empty".to_owned(),
            Err("  credentials        credentials in [profile empty] of FILE"),
        ),
    ] {
        let lines = profile.lines().count() + 1;
        let others = format!(
            "[profile other]\naccess-key-id=other-id\naccess-key-secret={SECRET}\n[profile empty]\n[profile loop]\nsource-profile=loop\n"
        );
        let file = format!("[default]\n{profile}\n{others}");
        home.write(".ossutilconfig", file);
        let found = used(&home, &[], &[]);
        let path = home.file(".ossutilconfig");
        match expected {
            Ok(id) => assert_eq!(found.unwrap()[0], id, "{profile}"),
            Err(text) => {
                // The path last: it may contain a number, the id of the process.
                let text = text.replace("99", &(lines + 6).to_string()).replace("FILE", &path);
                let found = found.unwrap_err();
                assert!(found.contains(&text), "{profile}: {found}\n{text}");
            }
        }
    }
}

#[test]
fn alibaba_cloud_variables_come_after_those_of_ossutil() {
    let home = Home::with_config(
        "profiles-variables",
        format!("[default]\naccess-key-id=file-id\naccess-key-secret={SECRET}"),
    );
    let general = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "general-id"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET),
        ("ALIBABA_CLOUD_SECURITY_TOKEN", TOKEN),
    ];
    let oss = [("OSS_ACCESS_KEY_ID", "oss-id"), ("OSS_ACCESS_KEY_SECRET", SECRET)];
    assert_eq!(used(&home, &[], &general).unwrap()[0], "general-id");
    assert_eq!(used(&home, &[], &[&general[..], &oss].concat()).unwrap()[0], "oss-id");
    let half = used(&home, &[], &general[..1]).unwrap_err();
    assert!(half.contains("ALIBABA_CLOUD_ACCESS_KEY_SECRET, with the rest"), "{half}");
    // A pod's role overrides the file, and is not replaced by another source if it fails.
    let oidc = [
        ("ALIBABA_CLOUD_ROLE_ARN", ROLE),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/p"),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/no/such/token"),
    ];
    let error = used(&home, &[], &oidc).unwrap_err();
    assert!(error.contains("\"/no/such/token\": "), "{error}");
    let uri = credentials_uri("uri-id");
    let url = format!("{}/creds", uri.url());
    let empty = Home::new("profiles-platform");
    assert_eq!(used(&empty, &[], &[("ALIBABA_CLOUD_CREDENTIALS_URI", &url)]).unwrap()[0], "uri-id");
    assert_eq!(used(&home, &[], &[("ALIBABA_CLOUD_CREDENTIALS_URI", &url)]).unwrap()[0], "file-id");
}

#[test]
fn errors_of_sources_decide_the_exit_code() {
    let respond = |text: &'static str| {
        Peer::start(move |mut stream| {
            while read_request(&mut stream).is_some() {
                stream.write_all(text.as_bytes()).unwrap();
            }
        })
    };
    let denied = r#"{"Code":"Denied","Message":"no"}"#;
    let denied =
        format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n{denied}", denied.len());
    let home = Home::new("profiles-exit");
    for (peer, code, expected) in [
        (respond(denied.leak()), REJECTED, ": 403 Denied no\n"),
        (
            respond("HTTP/1.1 302 Found\r\nlocation: http://h/\r\ncontent-length: 0\r\n\r\n"),
            UNREACHABLE,
            ": 302, a redirect to http://h/, which is not followed\n",
        ),
        (
            respond("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
            USAGE,
            ": AccessKeyId is missing\n",
        ),
    ] {
        let url = format!("{}/creds", peer.url());
        let run = delete(&home, &[], &[("ALIBABA_CLOUD_CREDENTIALS_URI", &url)]);
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{run:?}");
        assert!(run.stderr.ends_with(expected), "{run:?}");
    }
}

#[test]
fn bucket_sections_override_the_profile() {
    let home = Home::with_config(
        "profiles-bucket",
        format!(
            "[default]\naccess-key-id=id\naccess-key-secret={SECRET}\nendpoint=file.example\naddressing-style=virtual\n\
             [buckets examplebucket]\nendpoint=\"http://bucket.example:81\"\naddressing-style=path\nmode=Anonymous\n\
             [buckets other]\nendpoint=other.example\n"
        ),
    );
    let url = |options: &[&str]| used(&home, options, &[]).unwrap()[1].clone();
    assert_eq!(url(&[]), "http://bucket.example:81/examplebucket/?deleteVectors");
    assert_eq!(
        url(&["-e", "opt.example", "--addressing-style", "virtual"]),
        "https://examplebucket-1234567890123456.opt.example/?deleteVectors"
    );
    let rejected = used(&home, &["--addressing-style", "cname"], &[]).unwrap_err();
    assert_eq!(rejected, "error: --addressing-style: must be path or virtual, not \"cname\"");
}

#[test]
fn ignored_keys_are_reported_and_numbers_checked() {
    let service = Service::start();
    let pair =
        format!("access-key-id={}\naccess-key-secret={SECRET}\n", crate::program::ACCESS_KEY_ID);
    let url = service.url();
    for (keys, code, expected) in [
        ("language=EN\nloglevel=off\nskip-verify-cert=false", Some(0), ""),
        (
            "loglevel=info\nSkipVerifyCert=true",
            Some(0),
            "warning: FILE: has no effect here: loglevel (line 4), skip-verify-cert (line 5)\n",
        ),
        ("connect-timeout=5\nread_timeout = \"20\"\nretry-times=3", Some(0), ""),
        (
            "read-timeout=0",
            USAGE,
            "error: read-timeout in [default] of FILE, line 4: must be a whole number of seconds, 1 to 86400, not \"0\"\n",
        ),
        (
            "retryTimes=many",
            USAGE,
            "error: retry-times in [default] of FILE, line 4: must be a whole number, not \"many\"\n",
        ),
    ] {
        let home = Home::with_config("profiles-keys", format!("[default]\n{pair}{keys}\n"));
        let run = delete(&home, &["--endpoint", &url], &[]);
        let path = home.file(".ossutilconfig");
        assert_eq!((run.code, run.stderr.as_str()), (code, &*expected.replace("FILE", &path)));
    }
}

/// A proxy that records its requests and rejects them.
fn proxy(expected: &'static str) -> Peer {
    Peer::start(move |mut stream| {
        let asked = String::from_utf8(read_request(&mut stream).unwrap_or_default()).unwrap();
        assert!(asked.starts_with(&format!("CONNECT {expected} HTTP/1.1\r\n")), "{asked}");
        let _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    })
}

#[test]
fn roles_are_assumed_through_the_proxy_of_the_environment() {
    let proxy = proxy("sts.aliyuncs.com:443");
    let token = Home::new("profiles-token");
    let file = token.write("token", "a token");
    let pair = format!("access-key-id=id\naccess-key-secret={SECRET}\n");
    for profile in [
        format!("mode=RamRoleArn\nrole-arn={ROLE}\n{pair}"),
        format!("role-arn={ROLE}\nsource-profile=base\n[profile base]\n{pair}"),
        format!(
            "mode=oidcRoleArn\nrole-arn={ROLE}\noidc-provider-arn=acs:ram::1:oidc-provider/p\noidc-token-file-path=\"{file}\""
        ),
    ] {
        let home = Home::with_config("profiles-roles", format!("[default]\n{profile}\n"));
        let place = proxy.url().replace("http://", "");
        let url = format!("http://user:hidden@{place}");
        let run = delete(&home, &[], &[("HTTPS_PROXY", &url)]);
        assert_eq!((run.code, run.stdout.as_str()), (UNREACHABLE, ""), "{run:?}");
        let through =
            format!("no connection to sts.aliyuncs.com:443 through the proxy http://{place}: ");
        assert!(run.stderr.contains(&through) && !run.stderr.contains("hidden"), "{run:?}");
    }
    assert_eq!(proxy.connections(), 3);
}

#[test]
fn requests_use_the_proxy_and_errors_name_it() {
    let home = Home::new("profiles-proxy");
    let host = "examplebucket-1234567890123456.cn-hangzhou.oss-vectors.aliyuncs.com:443";
    let proxy = proxy(host);
    let place = proxy.url().replace("http://", "");
    let url = format!("user:hidden@{place}");
    let nowhere = ("ALL_PROXY", "socks5://127.0.0.1:1");
    for transport in ["hyper", "ureq"] {
        for (options, environment) in [
            (&["--proxy", url.as_str()][..], &[nowhere, ("NO_PROXY", "*")][..]),
            (&["-v"], &[("https_proxy", url.as_str()), nowhere]),
        ] {
            let options = [options, &["--transport", transport]].concat();
            let environment = [environment, &crate::program::CREDENTIALS].concat();
            let run = delete(&home, &options, &environment);
            assert_eq!(run.code, UNREACHABLE, "{run:?}");
            let through = format!("no connection to {host} through the proxy http://{place}: ");
            assert!(run.stderr.contains(&through) && !run.stderr.contains("hidden"), "{run:?}");
            let logged = format!("requests go through a proxy proxy=http://{place}\n");
            assert_eq!(run.stderr.contains(&logged), options.contains(&"-v"), "{run:?}");
        }
    }
    let service = Service::start();
    let endpoint = service.url();
    for (options, environment) in [
        (&["--proxy", "none"][..], &[nowhere][..]),
        (&[], &[nowhere, ("NO_PROXY", "127.0.0.0/8")]),
        (&[], &[("HTTPS_PROXY", "127.0.0.1:1")]),
    ] {
        let options = [options, &["--endpoint", &endpoint]].concat();
        let environment = [environment, &crate::program::CREDENTIALS].concat();
        let run = delete(&home, &options, &environment);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    }
}
