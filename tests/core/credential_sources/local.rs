//! The ECS metadata service and the credentials URI.

use std::io;
use std::time::Duration;

use oss_delete_vectors::credentials::{
    AssumeRole, CredentialsUri, Direct, EcsRole, Reply, Source, Step,
};
use oss_delete_vectors::{Credentials, TransportError};

use super::{JSON, ROLE, SECRET, error, fetch, noon, ok, page, redirect, respond};

const IMDS: &str = "http://100.100.100.200/latest";

fn put() -> String {
    format!("PUT {IMDS}/api/token token-ttl-seconds=21600")
}

#[test]
fn ecs_role_works_with_and_without_a_token() {
    let roles = format!("GET {IMDS}/meta-data/ram/security-credentials/");
    let named = EcsRole::new().role_name("a-role").unwrap();
    for (source, replies, expected) in [
        (
            EcsRole::new(),
            vec![ok("a-token\n"), ok("my-role\n"), ok(JSON)],
            vec![put(), format!("{roles} token=a-token"), format!("{roles}my-role token=a-token")],
        ),
        (
            named.clone(),
            vec![ok("a-token"), ok(JSON)],
            vec![put(), format!("{roles}a-role token=a-token")],
        ),
        (
            EcsRole::new(),
            vec![respond(404, &[], ""), ok("my-role"), ok(JSON)],
            vec![put(), roles.clone(), format!("{roles}my-role")],
        ),
        (named, vec![ok(""), ok(JSON)], vec![put(), format!("{roles}a-role")]),
    ] {
        let mut source = Source::from(source);
        let (steps, credentials) = fetch(&mut source, replies);
        assert_eq!(steps, expected);
        let credentials = credentials.unwrap();
        assert_eq!(credentials.access_key_id(), "STS.1");
        assert_eq!(credentials.expiration(), Some(noon() + Duration::from_secs(3600)));
    }
}

#[test]
fn only_requests_to_local_services_are_marked() {
    let timeout = |source: Source| {
        let mut source = source;
        let Step::Send(request) = source.start(noon()) else { panic!("a request") };
        request.extensions().get::<Direct>().map(|direct| direct.timeout)
    };
    let uri = CredentialsUri::new("http://127.0.0.1:81/creds").unwrap();
    let keys = Credentials::new("id", SECRET).unwrap();
    assert_eq!(timeout(EcsRole::new().into()), Some(Duration::from_secs(1)));
    assert_eq!(timeout(uri.into()), Some(Duration::from_secs(5)));
    assert_eq!(timeout(AssumeRole::new(keys, ROLE).unwrap().into()), None);
}

#[test]
fn errors_of_the_metadata_service_are_reported() {
    let late = || {
        Reply::Failure(TransportError::surely_not_sent(io::Error::from(io::ErrorKind::TimedOut)))
    };
    let from = "no credentials from the ECS metadata service: ";
    let strict = EcsRole::new().without_imds_v1();
    for (source, replies, expected) in [
        (EcsRole::new(), vec![late()], "the request was not sent: timed out"),
        (EcsRole::new(), vec![ok("t"), late()], "the request was not sent: timed out"),
        (strict.clone(), vec![respond(403, &[], "")], "403, without a message"),
        (strict, vec![ok("")], "200, not a response of the metadata service"),
        (
            EcsRole::new(),
            vec![ok("t"), respond(404, &[], "")],
            "404, no RAM role is attached to the instance",
        ),
        (
            EcsRole::new(),
            vec![page(), page()],
            "200, a page of HTML, not a response of this service",
        ),
        (
            EcsRole::new(),
            vec![redirect(), redirect()],
            "302, a redirect to http://evil.example/creds, which is not followed",
        ),
        (
            EcsRole::new(),
            vec![ok("t"), ok("r"), redirect()],
            "302, a redirect to http://evil.example/creds, which is not followed",
        ),
        (
            EcsRole::new(),
            vec![ok("t"), ok("r"), page()],
            "200, a page of HTML, not a response of this service",
        ),
        (
            EcsRole::new(),
            vec![ok("t"), ok("r"), ok(&JSON.replace("Success", "Failed"))],
            "Code must be Success",
        ),
        (EcsRole::new(), vec![ok("t"), ok("r"), ok(&JSON.replace("Expiration", "Until"))], ""),
        (
            EcsRole::new(),
            vec![ok("t"), ok("r"), ok(&JSON.replace("AccessKeySecret", "Key"))],
            "AccessKeySecret is missing",
        ),
        (
            EcsRole::new(),
            vec![ok("t"), ok("r"), ok(&JSON.replace("2026", "2025"))],
            "they expired at 20250903T130000Z",
        ),
    ] {
        let (_, result) = fetch(&mut source.into(), replies);
        match result {
            Ok(_) => assert_eq!(expected, "", "credentials without an expiration are valid"),
            Err(error) => assert_eq!(error.to_string(), format!("{from}{expected}")),
        }
    }
}

#[test]
fn expiration_is_compared_with_the_date_of_the_response() {
    let mut source = Source::from(CredentialsUri::new("http://127.0.0.1:81/").unwrap());
    let date = |text| [("date", text)];
    let earlier =
        respond(200, &date("Thu, 03 Sep 2026 09:00:00 GMT"), &JSON.replace("13:00", "10:00"));
    assert!(fetch(&mut source, [earlier]).1.is_ok());
    let later = respond(200, &date("Thu, 03 Sep 2026 14:00:00 GMT"), JSON);
    assert!(fetch(&mut source, [later]).1.is_err());
}

#[test]
fn a_credentials_uri_takes_one_request() {
    let uri = "http://127.0.0.1:81/creds?key=aSecretThatNoErrorMayShow02";
    let mut source = Source::from(CredentialsUri::new(uri).unwrap());
    let (steps, credentials) = fetch(&mut source, [ok(JSON)]);
    assert_eq!(steps, [format!("GET {uri}")]);
    assert!(credentials.is_ok());
    let from = "no credentials from the credentials URI http://127.0.0.1:81/creds: ";
    for (reply, expected) in [
        (respond(500, &[], r#"{"Code":"Busy","Message":"later"}"#), "500 Busy later"),
        (respond(403, &[], ""), "403, without a message"),
        (ok("AccessKeyId=x"), "200, not a JSON object"),
        (redirect(), "302, a redirect to http://evil.example/creds, which is not followed"),
        (Reply::File(Ok(Vec::new())), "an unexpected reply"),
    ] {
        assert_eq!(error(&mut source, [reply]), format!("{from}{expected}"));
    }
    let again = source.handle(noon(), ok(JSON));
    assert!(matches!(again, Step::Done(Err(_))), "{again:?}");
    for bad in ["", "creds", "ftp://host/", "http://", "/creds"] {
        assert_eq!(
            CredentialsUri::new(bad).unwrap_err().to_string(),
            "credentials URI must be an http or https URL with a host"
        );
    }
}
