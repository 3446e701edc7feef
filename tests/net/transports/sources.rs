//! Credential sources over sockets, with both transports and with correct and faulty services.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oss_delete_vectors::bulk::BulkOptions;
use oss_delete_vectors::credentials::{
    AssumeRole, CredentialsUri, EcsRole, Oidc, Source, SourceError, SourceErrorKind,
};
use oss_delete_vectors::emulator::Identity;
use oss_delete_vectors::transports::{Proxy, Run, TransportOptions, UreqTransport};
use oss_delete_vectors::{Client, Credentials, MAX_RESPONSE_BODY, TransportError, blocking};

use crate::calls::credentials;
use crate::canary::{SECRET, TOKEN};
use crate::carrier::Carrier;
use crate::peer::{Peer, read_request, wait_for_close};
use crate::service::{Service, key};

const ROLE: &str = "acs:ram::1234567890123456:role/my-role";
const PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/ack";

fn keys() -> String {
    format!(
        r#"{{"Code":"Success","AccessKeyId":"STS.new","AccessKeySecret":"{SECRET}","SecurityToken":"{TOKEN}",
            "Expiration":"2999-01-01T00:00:00Z"}}"#
    )
}

/// Passes each request to `respond`, and sends its response. `None`: never responds.
fn serve(respond: impl Fn(&str) -> Option<(u16, String)> + Send + Sync + 'static) -> Peer {
    Peer::start(move |mut stream| {
        while let Some(request) = read_request(&mut stream) {
            let Some((status, body)) = respond(str::from_utf8(&request).unwrap()) else {
                return wait_for_close(&mut stream);
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\nlocation: /other\r\ncontent-length: {length}\r\n\r\n"
            );
            if stream.write_all((head + &body).as_bytes()).is_err() {
                return;
            }
        }
    })
}

fn metadata() -> Peer {
    serve(|request| {
        let is = |line: &str| request.starts_with(line);
        let has_token =
            request.to_lowercase().contains("x-aliyun-ecs-metadata-token: the-token\r\n");
        Some(if is("PUT /latest/api/token HTTP/1.1\r\n") {
            (200, "the-token".to_owned())
        } else if !has_token {
            (403, String::new())
        } else if is("GET /latest/meta-data/ram/security-credentials/ HTTP/1.1\r\n") {
            (200, "my-role".to_owned())
        } else if is("GET /latest/meta-data/ram/security-credentials/my-role HTTP/1.1\r\n") {
            (200, keys())
        } else {
            (404, String::new())
        })
    })
}

fn ask(carrier: &Carrier, source: &Source) -> Result<Credentials, SourceError> {
    match carrier {
        Carrier::Hyper(transport, tokio) => {
            let mut provider = transport.provider(source.clone());
            tokio.block_on(async move { provider.credentials_async().await })
        }
        Carrier::Ureq(transport) => transport.provider(source.clone()).credentials(),
    }
}

fn ecs(peer: &Peer) -> Source {
    EcsRole::new().address(&peer.url()).unwrap().into()
}

#[test]
fn the_metadata_service_is_requested_without_a_proxy() {
    let service = metadata();
    let nowhere = Peer::start(drop);
    let proxy = Proxy::parse(&nowhere.url()).unwrap();
    for carrier in Carrier::each(&TransportOptions::new().proxy(proxy)) {
        let credentials = ask(&carrier, &ecs(&service)).unwrap();
        assert_eq!(credentials.access_key_id(), "STS.new", "{}", carrier.name());
    }
    assert_eq!(nowhere.connections(), 0);
}

#[test]
fn a_redirect_is_not_followed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let service = serve(move |request| {
        assert!(!request.contains("/other"), "{request}");
        counter.fetch_add(1, Ordering::SeqCst);
        Some((302, String::new()))
    });
    let uri = CredentialsUri::new(&service.url()).unwrap();
    for carrier in Carrier::each(&TransportOptions::new()) {
        for source in [ecs(&service), uri.clone().into()] {
            let error = ask(&carrier, &source).unwrap_err();
            let expected = "302, a redirect to /other, which is not followed";
            assert!(error.to_string().ends_with(expected), "{error}");
        }
    }
    // A token, then the role without a token, and the URI once.
    assert_eq!(asked.load(Ordering::SeqCst), 2 * (2 + 1));
}

/// Sends the same bytes for each request.
fn serve_raw(respond: impl Fn(&str) -> String + Send + Sync + 'static) -> Peer {
    Peer::start(move |mut stream| {
        while let Some(request) = read_request(&mut stream) {
            let response = respond(str::from_utf8(&request).unwrap());
            if stream.write_all(response.as_bytes()).is_err() {
                return;
            }
        }
    })
}

fn response(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

/// The metadata service, a credentials URI and both STS calls, all served by `peer`.
fn all_sources(peer: &Peer, token_file: &std::path::Path) -> [Source; 4] {
    let url = peer.url();
    std::fs::write(token_file, "an OIDC token").unwrap();
    [
        ecs(peer),
        CredentialsUri::new(&url).unwrap().into(),
        Oidc::new(ROLE, PROVIDER, token_file).unwrap().sts_address(&url).unwrap().into(),
        AssumeRole::new(credentials(), ROLE).unwrap().sts_address(&url).unwrap().into(),
    ]
}

fn token_file(test: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.{}", std::process::id()))
}

#[test]
fn every_source_reports_faulty_responses() {
    let other = Peer::start(drop);
    let to = format!("location: {}/creds?token=x\r\n", other.url());
    let redirect = format!("302, a redirect to {}/creds, which is not followed", other.url());
    let page = "200, a page of HTML, not a response of this service";
    let html = "content-type: text/html\r\n".to_owned();
    let expired = keys().replace("2999", "2020");
    // The errors of the metadata service, and of the others.
    for (status, headers, body, expected) in [
        (
            404,
            String::new(),
            "",
            ["404, no RAM role is attached to the instance", "404, without a message"],
        ),
        (200, html, "<html>log in</html>", [page; 2]),
        (302, to, "", [&*redirect; 2]),
        (200, String::new(), "AccessKeyId=x", ["200, not a JSON object"; 2]),
        (200, String::new(), &expired, ["they expired at 20200101T000000Z"; 2]),
        (503, String::new(), r#"{"Code":"Busy","Message":"later"}"#, ["503 Busy later"; 2]),
    ] {
        let body = body.to_owned();
        let service = serve_raw(move |request| {
            let has_keys = status == 200 && headers.is_empty();
            match request.split(' ').nth(1).unwrap() {
                "/latest/api/token" if has_keys => response(200, "", "t"),
                path if has_keys && path.ends_with("/security-credentials/") => {
                    response(200, "", "a-role")
                }
                _ if has_keys && request.starts_with("POST") && body.starts_with('{') => {
                    response(200, "", &format!(r#"{{"Credentials":{body}}}"#))
                }
                _ => response(status, &headers, &body),
            }
        });
        let file = token_file("misbehaving");
        for carrier in Carrier::each(&TransportOptions::new()) {
            for (number, source) in all_sources(&service, &file).into_iter().enumerate() {
                let error = ask(&carrier, &source).unwrap_err().to_string();
                let expected = expected[usize::from(number > 0)];
                assert!(error.ends_with(expected), "{} {source}: {error}", carrier.name());
                assert!(!error.contains(SECRET) && !error.contains(TOKEN), "{error}");
            }
        }
        std::fs::remove_file(file).unwrap();
    }
    assert_eq!(other.connections(), 0);
}

#[test]
fn a_skewed_clock_is_corrected_by_the_date_of_sts() {
    let late = r#"{"Code":"InvalidTimeStamp.Expired","Message":"late"}"#;
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let service = serve_raw(move |request| {
        counter.fetch_add(1, Ordering::SeqCst);
        let is_right = ["2023-12-16T16%3A20%3A57Z", "x-acs-date: 2023-12-16T16:20:57Z"];
        if is_right.iter().any(|date| request.contains(date)) {
            response(200, "", &format!(r#"{{"Credentials":{}}}"#, keys()))
        } else {
            response(400, "date: Sat, 16 Dec 2023 16:20:57 GMT\r\n", late)
        }
    });
    let file = token_file("skewed");
    for carrier in Carrier::each(&TransportOptions::new()) {
        for source in &all_sources(&service, &file)[2..] {
            let credentials = ask(&carrier, source).unwrap();
            assert_eq!(credentials.access_key_id(), "STS.new", "{} {source}", carrier.name());
        }
    }
    std::fs::remove_file(file).unwrap();
    assert_eq!(requests.load(Ordering::SeqCst), 2 * 2 * 2);
}

#[test]
fn a_silent_service_times_out_after_a_second() {
    let service = serve(|_| None);
    for carrier in Carrier::each(&TransportOptions::new()) {
        let error = ask(&carrier, &ecs(&service)).unwrap_err();
        let SourceErrorKind::Unreachable(error) = error.kind() else { panic!("{error}") };
        assert!(error.is_timeout() && error.to_string().contains("1s"), "{error}");
    }
}

#[test]
fn endless_responses_are_not_buffered() {
    let service = serve(|_| Some((200, "x".repeat(MAX_RESPONSE_BODY + 1))));
    let uri = Source::from(CredentialsUri::new(&service.url()).unwrap());
    for carrier in Carrier::each(&TransportOptions::new()) {
        let error = ask(&carrier, &uri).unwrap_err();
        let SourceErrorKind::Unreachable(error) = error.kind() else { panic!("{error}") };
        assert!(error.is_body_too_large(), "{error}");
    }
}

#[test]
fn sts_gets_the_current_token_of_the_file() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tokens = Arc::clone(&seen);
    let sts = serve(move |request| {
        assert!(request.starts_with("POST /?Action=AssumeRoleWithOIDC&"), "{request}");
        tokens.lock().unwrap().push(request.rsplit_once("OIDCToken=").unwrap().1.to_owned());
        Some((200, format!(r#"{{"Credentials":{}}}"#, keys())))
    });
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("oidc-token.{}", std::process::id()));
    let source = Oidc::new(ROLE, PROVIDER, &path).unwrap().sts_address(&sts.url()).unwrap();
    for carrier in Carrier::each(&TransportOptions::new()) {
        for token in ["before", "after"] {
            std::fs::write(&path, token).unwrap();
            let credentials = ask(&carrier, &source.clone().into()).unwrap();
            assert_eq!(credentials.access_key_id(), "STS.new");
        }
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(*seen.lock().unwrap(), ["before", "after", "before", "after"]);
    let carrier = Carrier::named("ureq", &TransportOptions::new());
    let error = ask(&carrier, &source.into()).unwrap_err();
    assert!(matches!(error.kind(), SourceErrorKind::File { .. }), "{error}");
}

#[test]
fn a_role_is_assumed_with_the_metadata_service() {
    let (metadata, sts) = (
        metadata(),
        serve(|request| {
            let is_signed = request.contains("ACS3-HMAC-SHA256 Credential=STS.new,");
            assert!(is_signed && request.starts_with("POST / HTTP/1.1\r\n"), "{request}");
            Some((200, format!(r#"{{"Credentials":{}}}"#, keys().replace("STS.new", "STS.role"))))
        }),
    );
    let role = AssumeRole::new(ecs(&metadata), ROLE).unwrap().sts_address(&sts.url()).unwrap();
    for carrier in Carrier::each(&TransportOptions::new()) {
        let credentials = ask(&carrier, &role.clone().into()).unwrap();
        assert_eq!(credentials.access_key_id(), "STS.role", "{}", carrier.name());
    }
}

#[test]
fn a_run_renews_its_credentials_from_a_source() {
    let metadata = metadata();
    for carrier in Carrier::each(&TransportOptions::new()) {
        let service = Service::with_keys(3000);
        service.emulator().add_identity(Identity::new(credentials().with_expiration(UNIX_EPOCH)));
        let renewed = Credentials::new("STS.new", SECRET).unwrap().with_security_token(TOKEN);
        service.emulator().add_identity(Identity::new(renewed.unwrap()));
        let mut bulk = service.served_bulk(BulkOptions::new());
        let run = Run::new(&mut bulk);
        let keys = (0..3000).map(key);
        let report = match &carrier {
            Carrier::Hyper(transport, tokio) => {
                let run = run.credentials_provider(transport.provider(ecs(&metadata)));
                let stream = oss_delete_vectors::transports::stream_iter(keys);
                tokio.block_on(run.run_async(
                    stream,
                    |request| transport.send(request),
                    tokio::time::sleep,
                ))
            }
            Carrier::Ureq(transport) => {
                let run = run.credentials_provider(transport.provider(ecs(&metadata)));
                let transport = transport.clone();
                run.run_blocking(keys, move |request| transport.send(request))
            }
        };
        assert_eq!(report.unwrap().deleted, 3000, "{}", carrier.name());
    }
}

#[test]
fn a_client_renews_its_credentials_from_a_source() {
    let metadata = metadata();
    let service = Service::with_keys(3);
    service.emulator().add_identity(Identity::new(credentials().with_expiration(UNIX_EPOCH)));
    let renewed = Credentials::new("STS.new", SECRET).unwrap().with_security_token(TOKEN);
    service.emulator().add_identity(Identity::new(renewed.unwrap()));
    let transport = UreqTransport::new(&TransportOptions::new());
    let client = blocking::Client::builder(&service.served_target(), credentials())
        .credentials_provider(transport.provider(ecs(&metadata)))
        .build_over(transport.clone())
        .unwrap();
    client.delete([key(0), key(1)]).unwrap();
    let carrier = Carrier::named("hyper", &TransportOptions::new());
    let Carrier::Hyper(transport, tokio) = &carrier else { panic!("the hyper transport") };
    tokio.block_on(async {
        let client = Client::builder(&service.served_target(), credentials())
            .credentials_provider(transport.provider(ecs(&metadata)))
            .build_over((**transport).clone())
            .unwrap();
        client.delete([key(2)]).await.unwrap();
    });
    assert_eq!(service.gone(), 3);
}

#[test]
fn cached_credentials_outlive_an_outage_of_the_source() {
    let is_down = Arc::new(AtomicUsize::new(0));
    let down = Arc::clone(&is_down);
    let soon = rfc3339(SystemTime::now() + Duration::from_secs(100));
    let service = serve(move |_| match down.load(Ordering::SeqCst) {
        0 => Some((200, keys().replace("2999-01-01T00:00:00Z", &soon))),
        _ => Some((503, String::new())),
    });
    let send = Carrier::named("ureq", &TransportOptions::new());
    let send = move |request| -> Result<_, TransportError> { send.send(request) };
    let uri = CredentialsUri::new(&service.url()).unwrap();
    let mut provider = oss_delete_vectors::transports::SourceProvider::new(uri, send);
    for is_down_now in [0, 1, 1] {
        is_down.store(is_down_now, Ordering::SeqCst);
        assert_eq!(provider.credentials().unwrap().access_key_id(), "STS.new");
    }
    provider.forget();
    assert!(provider.credentials().is_err());
}

/// A time of this century in RFC 3339, converted from the `Date` header.
fn rfc3339(time: SystemTime) -> String {
    let date = httpdate::fmt_http_date(time);
    let months =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let parts: Vec<&str> = date.split(' ').collect();
    let month = months.iter().position(|month| *month == parts[2]).unwrap() + 1;
    format!("{}-{month:02}-{}T{}Z", parts[3], parts[1], parts[4])
}
