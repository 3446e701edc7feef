//! The outcome of one attempt, in the report, on stderr and in the exit code.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;

use http::StatusCode;
use oss_delete_vectors::emulator::RateLimit;
use oss_delete_vectors::transports::Server;
use oss_delete_vectors::{ServiceError, code};

use crate::canary::WRONG_SECRET;
use crate::output_files::{delete as delete_keys, many};
use crate::program::{
    CREDENTIALS, ClosedPort, INCOMPLETE, PLACE, REJECTED, Run, Service, TRANSPORTS, UNREACHABLE,
    checked, command, run,
};

const KEYS: [&str; 4] =
    ["--index-name", "vectorindex1", "--keys", r#"["doc-001","doc-002","doc-003","doc-001"]"#];

fn arguments<'a>(endpoint: &'a str, options: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    PLACE
        .into_iter()
        .chain(KEYS)
        .chain(["--force", "--endpoint", endpoint])
        .chain(options.iter().copied())
}

fn delete(endpoint: &str, transport: &str) -> Run {
    run(arguments(endpoint, &["--output-format", "json", "--transport", transport]), &CREDENTIALS)
}

#[test]
fn deleted() {
    for transport in TRANSPORTS {
        let service = Service::start();
        let run = delete(&service.url(), transport);
        assert_eq!(
            (run.code, run.counts(), run.stderr.as_str()),
            (Some(0), [3, 0, 0, 0, 1, 1], ""),
            "{run:?}"
        );
        assert_eq!(run.json()["request_id"], "000000000000000000000001");
        assert!(run.json().get("error").is_none(), "{run:?}");
        assert_eq!(service.emulator().len("examplebucket", "vectorindex1"), Some(6));
    }
}

#[test]
fn flags_override_the_environment() {
    let service = Service::start();
    let url = service.url();
    let place = [
        ("OSS_REGION", "cn-hangzhou"),
        ("OSS_ENDPOINT", url.as_str()),
        CREDENTIALS[0],
        CREDENTIALS[1],
    ];
    assert_eq!(run(PLACE[2..].iter().copied().chain(KEYS).chain(["-f"]), &place).code, Some(0));
    let wrong = [
        ("OSS_REGION", "cn-shanghai"),
        ("OSS_ENDPOINT", "http://127.0.0.1:1"),
        CREDENTIALS[0],
        CREDENTIALS[1],
    ];
    assert_eq!(run(arguments(&url, &[]), &wrong).code, Some(0));
}

#[test]
fn rejected() {
    let service = Service::start();
    let refusal = ServiceError::new(StatusCode::FORBIDDEN, code::ACCESS_DENIED, "not allowed")
        .with_ec("0003-00000001");
    for transport in TRANSPORTS {
        service.emulator().fail_next(refusal.clone(), 0);
        let run = delete(&service.url(), transport);
        assert_eq!((run.code, run.counts()), (REJECTED, [0, 3, 0, 0, 1, 1]), "{run:?}");
        let (report, request_id) = (run.json(), format!("{:024X}", service.emulator().requests()));
        assert_eq!(report["request_id"], request_id);
        let expected = serde_json::json!({
            "status": 403, "code": "AccessDenied", "message": "not allowed", "request_id": request_id, "ec": "0003-00000001",
        });
        assert_eq!(report["error"], expected);
        let resource = "acs:ossvector:cn-hangzhou:1234567890123456:examplebucket";
        assert_eq!(
            run.stderr,
            format!(
                "error: 403 AccessDenied: not allowed (request id {request_id}, EC 0003-00000001)\n\
                 note: nothing was deleted\n\
                 help: allow the action oss:DeleteVectors on {resource} and {resource}/*\n"
            ),
        );
    }
    service.emulator().fail_next(refusal, 0);
    let text = run(arguments(&service.url(), &[]), &CREDENTIALS);
    assert_eq!(
        (text.code, text.stdout.as_str()),
        (
            REJECTED,
            "Deleted 0 keys from vectorindex1, 3 rejected, 1 duplicate left out (1 request in 0:00)\n"
        )
    );
}

#[test]
fn a_wrong_secret_is_rejected_but_not_printed() {
    let service = Service::start();
    let wrong = [CREDENTIALS[0], ("OSS_ACCESS_KEY_SECRET", WRONG_SECRET)];
    let run = run(arguments(&service.url(), &["--output-format", "json"]), &wrong);
    assert_eq!((run.code, run.counts()), (REJECTED, [0, 3, 0, 0, 1, 1]));
    assert_eq!(run.json()["error"]["code"], "SignatureDoesNotMatch");
}

#[test]
fn unconfirmed_after_a_5xx() {
    let service = Service::start();
    let failure =
        ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "broken");
    for transport in TRANSPORTS {
        service.emulator().fail_next(failure.clone(), 1);
        let run = run(
            arguments(
                &service.url(),
                &["--output-format", "json", "--transport", transport, "--max-attempts", "1"],
            ),
            &CREDENTIALS,
        );
        assert_eq!((run.code, run.counts()), (INCOMPLETE, [0, 0, 3, 0, 1, 1]), "{run:?}");
        let request_id = format!("{:024X}", service.emulator().requests());
        assert_eq!(
            run.stderr,
            format!(
                "error: not deleted, or not confirmed: 3 keys: 3 unconfirmed\n\
                 note: 3 keys may have been deleted, despite the errors\n\
                 note: keys that were not deleted, by their last error:\n\
                 \x20 3 keys: 500 InternalError: broken (request id {request_id})\n\
                 help: send them again: deleting a key twice is harmless\n"
            ),
        );
        let expected = serde_json::json!([
            { "code": "InternalError", "status": 500, "count": 3, "message": "broken", "request_id": request_id },
        ]);
        assert_eq!((&run.json()["errors"], run.json().get("error")), (&expected, None));
    }
}

#[test]
fn failed_requests_are_retried() {
    let service = Service::start();
    let failure =
        ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "broken");
    for transport in TRANSPORTS {
        service.emulator().fail_next(failure.clone(), 1);
        let run = delete(&service.url(), transport);
        assert_eq!(
            (run.code, run.counts(), run.stderr.as_str()),
            (Some(0), [3, 0, 0, 0, 1, 2], ""),
            "{run:?}"
        );
        assert_eq!(
            (&run.json()["retries"], &run.json()["errors"]),
            (&1.into(), &serde_json::json!([]))
        );
    }
    let throttle =
        ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, code::QPS_LIMIT_EXCEEDED, "slowly");
    service.emulator().fail_next(throttle, 0);
    let text = run(arguments(&service.url(), &[]), &CREDENTIALS);
    assert!(
        text.stdout.starts_with(
            "Deleted 3 keys from vectorindex1, confirmed by the service, 1 duplicate left out (2 requests, 1 throttled in 0:0"
        ),
        "{text:?}"
    );
}

#[test]
fn unconfirmed_without_a_response() {
    let (silent, hangs_up) = (listen(), listen());
    let urls =
        [&silent, &hangs_up].map(|listener| format!("http://{}", listener.local_addr().unwrap()));
    std::thread::spawn(move || {
        hangs_up.incoming().for_each(|stream| drop(stream.unwrap().read(&mut [0; 64])));
    });
    for transport in TRANSPORTS {
        for url in &urls {
            let options = [
                "--output-format",
                "json",
                "--transport",
                transport,
                "--timeout",
                "2",
                "--max-attempts",
                "1",
            ];
            let run = run(arguments(url, &options), &CREDENTIALS);
            assert_eq!(
                (run.code, run.counts()),
                (INCOMPLETE, [0, 0, 3, 0, 1, 1]),
                "{transport} {run:?}"
            );
            assert!(
                run.json()["errors"][0]["message"].as_str().unwrap().contains("may have arrived"),
                "{run:?}"
            );
            assert!(
                run.stderr.contains("note: 3 keys may have been deleted, despite the errors\n"),
                "{run:?}"
            );
        }
    }
}

/// A key without a deletion and without a doubt has the code of its error.
#[test]
fn the_code_of_failed_keys_is_that_of_their_errors() {
    let page = |status: u16, request_id: Option<&str>| {
        let page = http::Response::builder().status(status).header("content-type", "text/html");
        let page = match request_id {
            Some(id) => page.header("x-oss-request-id", id),
            None => page,
        };
        page.body(bytes::Bytes::from_static(b"<html>a gateway</html>")).unwrap()
    };
    let denied = ServiceError::new(StatusCode::FORBIDDEN, code::ACCESS_DENIED, "no");
    for (response, code, counts) in [
        // May have been forwarded.
        (page(502, None), INCOMPLETE, [0, 0, 3, 0]),
        (page(500, Some("id")), INCOMPLETE, [0, 0, 3, 0]),
        (page(404, None), INCOMPLETE, [0, 0, 3, 0]),
        (denied.to_response(), REJECTED, [0, 3, 0, 0]),
    ] {
        let status = response.status();
        let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), move |_| response.clone());
        let url = server.as_ref().unwrap().url();
        let options = ["--output-format", "json", "--max-attempts", "1"];
        let run = run(arguments(&url, &options), &CREDENTIALS);
        assert_eq!((run.code, &run.counts()[..4]), (code, &counts[..]), "{status}: {run:?}");
        assert!(run.stderr.starts_with("error: "), "{run:?}");
    }
}

/// A deletion beside the failures: some vectors are not deleted.
#[test]
fn a_run_that_deleted_and_stopped_is_incomplete() {
    let (service, keys) = many("deleted-and-stopped", 3000);
    service.allow(2);
    let run = delete_keys(&service, &["--keys-from", keys.path(), "-j", "1"]);
    assert_eq!((run.code, &run.json()["error"]["code"]), (INCOMPLETE, &"AccessDenied".into()));
    assert!(run.counts()[0] > 0, "{run:?}");
}

/// The line of the error comes first, then the reason, then the advice.
#[test]
fn failures_of_single_keys_end_with_an_error_and_help() {
    let port = ClosedPort::new();
    let run = run(arguments(&port.url(), &["--max-attempts", "1"]), &CREDENTIALS);
    assert_eq!(run.code, UNREACHABLE, "{run:?}");
    let mut lines = run.stderr.lines();
    assert!(lines.next().unwrap().starts_with("error: "), "{run:?}");
    assert_eq!(lines.last(), Some("help: check the region, the endpoint and the network"));

    let service = Service::start();
    let url = service.url();
    let options = ["--keys", "doc-001", "--index-name", "x y", "--force", "--endpoint", &url];
    let invalid = crate::program::run(PLACE.into_iter().chain(options), &CREDENTIALS);
    assert_eq!(invalid.code, REJECTED, "{invalid:?}");
    assert!(invalid.stderr.starts_with("error: "), "{invalid:?}");
    assert!(invalid.stderr.contains("not \"x y\""), "{invalid:?}");
}

fn listen() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

#[test]
fn keys_are_not_attempted_without_a_server() {
    let port = ClosedPort::new();
    for transport in TRANSPORTS {
        let run = delete(&port.url(), transport);
        assert_eq!(
            (run.code, run.counts()),
            (UNREACHABLE, [0, 0, 0, 3, 1, 3]),
            "{transport} {run:?}"
        );
        assert!(
            run.json()["error"]["message"]
                .as_str()
                .unwrap()
                .starts_with("the request was not sent: "),
            "{run:?}"
        );
        assert!(
            run.stderr.contains(
                "note: nothing was deleted\nhelp: check the region, the endpoint and the network\n"
            ),
            "{run:?}"
        );
    }
}

#[test]
fn messages_of_the_server_are_escaped() {
    let service = Service::start();
    let message = "\x1b]0;owned\x07\nDeleted 3 vectors";
    service
        .emulator()
        .fail_next(ServiceError::new(StatusCode::PRECONDITION_FAILED, "X\x1b", message), 0);
    let run = run(
        arguments(&service.url(), &["--output-format", "json", "--max-attempts", "1"]),
        &CREDENTIALS,
    );
    assert!(!run.stderr.contains('\x1b') && !run.stdout.contains('\x1b'), "{run:?}");
    assert_eq!(run.json()["error"]["message"], message);
}

#[test]
fn closed_output_is_not_an_error() {
    let service = Service::start();
    for (failure, expected) in
        [(None, 0), (Some(ServiceError::new(StatusCode::FORBIDDEN, code::ACCESS_DENIED, "no")), 2)]
    {
        if let Some(failure) = failure {
            service.emulator().fail_next(failure, 0);
        }
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let run = checked(
            command(arguments(&service.url(), &[]), &CREDENTIALS)
                .stdout(Stdio::from(writer))
                .output()
                .unwrap(),
        );
        assert_eq!(run.code, Some(expected), "{run:?}");
        assert!(!run.stderr.contains("pipe"), "{run:?}");
    }
}

#[test]
fn verbose_runs_log_events() {
    let failure =
        ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "broken");
    for transport in TRANSPORTS {
        for (option, lines) in [("-v", 1), ("-vv", 4)] {
            let service = Service::start();
            service.emulator().fail_next(failure.clone(), 0);
            let run =
                run(arguments(&service.url(), &[option, "--transport", transport]), &CREDENTIALS);
            assert_eq!((run.code, run.stderr.lines().count()), (Some(0), lines), "{run:?}");
            assert!(
                run.stderr.contains(r#" INFO will be sent again keys=3 error=500 InternalError: broken (request id "#),
                "{run:?}"
            );
            let requests = run
                .stderr
                .lines()
                .filter(|line| line.contains("transmit{id=") && line.contains("close"));
            assert_eq!(requests.count(), if option == "-v" { 0 } else { 2 }, "{run:?}");
        }
    }
}

#[test]
fn verbose_runs_log_throttling_and_the_pace() {
    let (service, keys) = many("pace", 5000);
    service.emulator().set_rate_limit(Some(RateLimit::new(20.0, 1).unwrap()));
    let run = delete_keys(&service, &["--keys-from", keys.path(), "-v"]);
    assert_eq!((run.code, run.counts()[0]), (Some(0), 5000), "{run:?}");
    let [requests, throttled] =
        ["requests", "throttled"].map(|name| run.json()[name].as_u64().unwrap());
    let lines: Vec<&str> = run.stderr.lines().filter(|line| line.contains(" pace ")).collect();
    // The last log line may precede the last request, but no throttling.
    let last = lines.last().unwrap_or(&"").rsplit_once(" pace ").map_or("", |(_, fields)| fields);
    let mut fields = last.split(' ').map(|field| field.split_once('=').unwrap());
    let logged = fields.next().unwrap();
    assert!(logged.0 == "requests" && logged.1.parse::<u64>().unwrap() <= requests, "{run:?}");
    assert_eq!(fields.next(), Some(("throttled", throttled.to_string().as_str())), "{run:?}");
    let (name, pace) = fields.next().unwrap();
    assert!(
        throttled > 0
            && name.ends_with("_per_second")
            && pace.trim_matches('"').parse::<f64>().unwrap() > 0.0,
        "{run:?}"
    );
    assert!(
        !delete_keys(&Service::start(), &["--keys", r#"["doc-001"]"#, "-v"])
            .stderr
            .contains(" pace ")
    );
}
