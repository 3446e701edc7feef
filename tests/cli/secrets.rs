//! Runs with a token and the most verbose logs, with every kind of end. `program::checked` and
//! `File` search their output for secrets.

use std::net::Ipv4Addr;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use oss_delete_vectors::emulator::Identity;
use oss_delete_vectors::transports::Server;
use oss_delete_vectors::{ServiceError, code};

use crate::canary::{TOKEN, WRONG_SECRET, WRONG_TOKEN};
use crate::program::{CREDENTIALS, File, PLACE, Service, TRANSPORTS, credentials, run};

const ENVIRONMENT: [(&str, &str); 3] =
    [CREDENTIALS[0], CREDENTIALS[1], ("OSS_SESSION_TOKEN", TOKEN)];

/// Deletes three vectors, and returns the output, which must not contain a signature.
fn delete(endpoint: &str, transport: &str, environment: &[(&str, &str)]) -> String {
    let name = format!("secrets-{}", endpoint.rsplit(':').next().unwrap());
    let (checkpoint, failed) = (File::none(&name, "checkpoint"), File::none(&name, "jsonl"));
    let job = [
        "--index-name",
        "vectorindex1",
        "--keys",
        r#"["doc-001","doc-002","doc-003"]"#,
        "--force",
        "-vv",
    ];
    let behaviour = [
        "--endpoint",
        endpoint,
        "--transport",
        transport,
        "--max-attempts",
        "2",
        "--progress",
        "always",
    ];
    let outputs = ["--checkpoint", checkpoint.path(), "--failed-keys", failed.path()];
    let run = run(PLACE.into_iter().chain(job).chain(behaviour).chain(outputs), environment);
    let text = run.stdout + &run.stderr;
    assert!(
        !text.as_bytes().windows(64).any(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        "{text}"
    );
    text
}

#[test]
fn no_response_reveals_a_secret() {
    let error =
        |status, code| ServiceError::new(StatusCode::from_u16(status).unwrap(), code, "refused");
    for transport in TRANSPORTS {
        for (failures, environment, expected) in [
            (vec![], &ENVIRONMENT, "Deleted 3 keys"),
            (vec![error(500, code::INTERNAL_ERROR)], &ENVIRONMENT, "will be sent again"),
            (vec![error(503, code::QPS_LIMIT_EXCEEDED)], &ENVIRONMENT, "throttled"),
            (vec![error(500, code::INTERNAL_ERROR); 2], &ENVIRONMENT, "3 unconfirmed"),
            (
                vec![error(400, code::VECTOR_INDEX_PARAMETER_INVALID); 9],
                &ENVIRONMENT,
                "rejected as a whole, and split",
            ),
            (vec![error(403, code::ACCESS_DENIED)], &ENVIRONMENT, "3 rejected"),
            (
                vec![],
                &[CREDENTIALS[0], CREDENTIALS[1], ("OSS_SESSION_TOKEN", WRONG_TOKEN)],
                "InvalidSecurityToken",
            ),
            (
                vec![],
                &[CREDENTIALS[0], ("OSS_ACCESS_KEY_SECRET", WRONG_SECRET), ENVIRONMENT[2]],
                "SignatureDoesNotMatch",
            ),
            (
                vec![],
                &[("OSS_ACCESS_KEY_ID", "nobody"), CREDENTIALS[1], ENVIRONMENT[2]],
                "InvalidAccessKeyId",
            ),
        ] {
            let service = Service::start();
            service
                .emulator()
                .add_identity(Identity::new(credentials().with_security_token(TOKEN).unwrap()));
            for failure in failures {
                service.emulator().fail_next(failure, 0);
            }
            let output = delete(&service.url(), transport, environment);
            assert!(output.contains(expected), "{expected}: {output}");
        }
    }
}

#[test]
fn echoed_requests_reveal_no_secret() {
    let repeat = |request: Request<Bytes>| {
        let token = request.headers()["x-oss-security-token"].to_str().unwrap();
        Response::builder().status(400).body(format!("header too long: {token}").into()).unwrap()
    };
    for transport in TRANSPORTS {
        let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), repeat).unwrap();
        let output = delete(&server.url(), transport, &ENVIRONMENT);
        assert!(output.contains("header too long: [security token]"), "{output}");
    }
}

#[test]
fn help_and_man_page_reveal_no_secret() {
    for option in ["man", "bash", "elvish", "fish", "power-shell", "zsh"] {
        let generated = run(["--generate", option], &ENVIRONMENT);
        assert_eq!((generated.code, generated.stderr.as_str()), (Some(0), ""));
        assert!(!generated.stdout.contains(CREDENTIALS[0].1), "{option}");
    }
    for option in ["--help", "--version", "--no-such-option"] {
        let run = run([option], &ENVIRONMENT);
        assert!(
            !run.stdout.contains(CREDENTIALS[0].1) && !run.stderr.contains(CREDENTIALS[0].1),
            "{option}"
        );
    }
}
