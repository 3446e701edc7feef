//! STS: roles assumed with an OIDC token or with the credentials of another source.

use std::io;

use oss_delete_vectors::Credentials;
use oss_delete_vectors::credentials::{AssumeRole, EcsRole, Oidc, Reply, Source, Step};

use super::{
    JSON, PROVIDER, ROLE, SECRET, error, fetch, line, noon, ok, page, redirect, respond, sts_json,
};

fn oidc() -> Source {
    Oidc::new(ROLE, PROVIDER, "/var/run/token").unwrap().session_name("my.session").unwrap().into()
}

#[test]
fn oidc_reads_the_token_again_for_each_request() {
    let mut source = oidc();
    for token in ["first.token+/=", "second"] {
        let mut step = source.start(noon());
        assert!(matches!(&step, Step::Read(path) if path.to_str() == Some("/var/run/token")));
        step = source.handle(noon(), Reply::File(Ok(format!("{token}\n").into_bytes())));
        let Step::Send(request) = step else { panic!("{step:?}") };
        assert_eq!(
            line(&request),
            "POST https://sts.aliyuncs.com/?Action=AssumeRoleWithOIDC&Format=JSON\
             &Timestamp=2026-09-03T12%3A00%3A00Z&Version=2015-04-01"
        );
        assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
        let encoded = token.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        assert_eq!(
            str::from_utf8(request.body()).unwrap(),
            format!(
                "DurationSeconds=3600&RoleArn=acs%3Aram%3A%3A1234567890123456%3Arole%2Fmy-role\
                 &RoleSessionName=my.session\
                 &OIDCProviderArn=acs%3Aram%3A%3A1234567890123456%3Aoidc-provider%2Fack&OIDCToken={encoded}"
            )
        );
        let done = source.handle(noon(), ok(&sts_json()));
        assert!(matches!(done, Step::Done(Ok(_))), "{done:?}");
    }
}

#[test]
fn errors_of_oidc_are_reported() {
    let file = |text: &str| Reply::File(Ok(text.as_bytes().to_vec()));
    let from = format!("no credentials from STS at sts.aliyuncs.com, for {ROLE}: ");
    let token = "aTokenThatNoErrorMayShow";
    let echo = format!(
        r#"{{"Code":"AuthenticationFail.OIDCToken.Invalid","Message":"bad {token}","RequestId":"7"}}"#
    );
    let missing = || Reply::File(Err(io::ErrorKind::NotFound.into()));
    for (replies, expected) in [
        (vec![missing()], "\"/var/run/token\": entity not found"),
        (vec![file(" \n")], "\"/var/run/token\": the file is empty"),
        (
            vec![file(&"x".repeat(65_537))],
            "\"/var/run/token\": not a token: text of up to 64 KiB is expected",
        ),
        (
            vec![file(token), respond(400, &[], &echo)],
            "400 AuthenticationFail.OIDCToken.Invalid bad [OIDC token] (request id 7)",
        ),
        (vec![file(token), page()], "200, a page of HTML, not a response of this service"),
        (
            vec![
                file(token),
                respond(307, &[("location", &format!("https://example.com/{token}"))], ""),
            ],
            "307, a redirect to https://example.com/[OIDC token], which is not followed",
        ),
        (
            vec![file(token), ok(&sts_json().replace("2026-09-03T13:00:00Z", token))],
            "expiration must be a time in RFC 3339 format, such as 2026-09-03T12:00:00Z",
        ),
        (vec![file(token), ok("{}")], "Credentials is missing"),
        (
            vec![file(token), ok(&sts_json().replace("2026", "2025"))],
            "they expired at 20250903T130000Z",
        ),
        (
            vec![file(token), redirect()],
            "302, a redirect to http://evil.example/creds, which is not followed",
        ),
    ] {
        assert_eq!(error(&mut oidc(), replies), format!("{from}{expected}"));
    }
}

const SKEWED: &str =
    r#"{"Code":"InvalidTimeStamp.Expired","Message":"Specified time stamp is expired."}"#;

#[test]
fn a_skewed_clock_takes_one_more_request() {
    let skewed = || respond(400, &[("date", "Thu, 03 Sep 2026 10:00:00 GMT")], SKEWED);
    let file = || Reply::File(Ok(b"token".to_vec()));
    let (steps, credentials) = fetch(&mut oidc(), [file(), skewed(), ok(&sts_json())]);
    assert!(steps[2].contains("Timestamp=2026-09-03T10%3A00%3A00Z"), "{steps:?}");
    assert!(credentials.is_ok());
    // Only once, and only if the response has a date.
    assert!(error(&mut oidc(), [file(), skewed(), skewed()]).contains("InvalidTimeStamp.Expired"));
    assert!(error(&mut oidc(), [file(), respond(400, &[], SKEWED)]).contains("InvalidTimeStamp"));
    let keys = Credentials::new("id", SECRET).unwrap();
    let mut source = Source::from(AssumeRole::new(keys, ROLE).unwrap());
    assert!(fetch(&mut source, [skewed(), ok(&sts_json())]).1.is_ok());
}

#[test]
fn a_role_is_assumed_with_another_source() {
    let role = AssumeRole::new(EcsRole::new().role_name("a-role").unwrap(), ROLE).unwrap();
    let role = role.external_id("an id").sts_address("http://127.0.0.1:82").unwrap();
    let mut source = Source::from(role);
    assert!(matches!(source.start(noon()), Step::Send(_)));
    assert!(matches!(source.handle(noon(), ok("t")), Step::Send(_)));
    let step = source.handle(noon(), ok(JSON));
    let Step::Send(request) = step else { panic!("{step:?}") };
    assert_eq!(line(&request), "POST http://127.0.0.1:82/");
    let header = |name: &str| request.headers()[name].to_str().unwrap();
    assert_eq!(header("host"), "127.0.0.1:82");
    assert_eq!(header("x-acs-action"), "AssumeRole");
    assert_eq!(header("x-acs-date"), "2026-09-03T12:00:00Z");
    assert_eq!(header("x-acs-security-token"), "CAIS-aTokenThatNoErrorMayShow");
    assert!(
        header("authorization")
            .starts_with("ACS3-HMAC-SHA256 Credential=STS.1,SignedHeaders=content-type;host;")
    );
    assert!(str::from_utf8(request.body()).unwrap().ends_with("&ExternalId=an%20id"));
    assert!(!format!("{source:?}").contains("NoErrorMayShow"));
    let echo = format!(r#"{{"Code":"NoPermission","Message":"not with {SECRET}"}}"#);
    let Step::Done(Err(denied)) = source.handle(noon(), respond(403, &[], &echo)) else {
        panic!("an error response")
    };
    assert_eq!(
        denied.to_string(),
        format!(
            "no credentials from STS at 127.0.0.1:82, for {ROLE}: 403 NoPermission not with [AccessKey secret]"
        )
    );
    // An error of the base credentials is returned as it is.
    assert_eq!(
        error(&mut source, [ok("t"), respond(404, &[], "")]),
        "no credentials from the ECS metadata service: 404, without a message"
    );
    for (role, session) in
        [("my-role", "session"), (ROLE, "x"), (ROLE, "a b"), ("acs:ram::1:r ole", "session")]
    {
        let role =
            AssumeRole::new(EcsRole::new(), role).and_then(|role| role.session_name(session));
        assert!(role.is_err());
    }
}
