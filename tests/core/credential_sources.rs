//! Credential sources: which requests each sends, and what each makes of the responses.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use oss_delete_vectors::credentials::{
    AssumeRole, CredentialsUri, Direct, EcsRole, Oidc, Renewal, Reply, Source, SourceError, Step,
    sts_address,
};
use oss_delete_vectors::{Credentials, TransportError};

/// 2026-09-03T12:00:00Z.
fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_788_436_800)
}

const ROLE: &str = "acs:ram::1234567890123456:role/my-role";
const PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/ack";
const SECRET: &str = "aSecretThatNoErrorMayShow01";
const JSON: &str = r#"{"Code":"Success","AccessKeyId":"STS.1","AccessKeySecret":"aSecretThatNoErrorMayShow01",
    "SecurityToken":"CAIS-aTokenThatNoErrorMayShow","Expiration":"2026-09-03T13:00:00Z"}"#;

fn sts_json() -> String {
    format!(r#"{{"RequestId":"1","AssumedRoleUser":{{}},"Credentials":{JSON}}}"#)
}

fn respond(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Reply::Response(response.body(Bytes::from(body.as_bytes().to_vec())).unwrap())
}

fn ok(body: &str) -> Reply {
    respond(200, &[], body)
}

fn page() -> Reply {
    respond(200, &[("content-type", "text/html; charset=utf-8")], "<html>log in</html>")
}

fn redirect() -> Reply {
    respond(302, &[("location", "http://evil.example/creds?token=x")], "")
}

/// Runs a fetch. Each step is noted: a request as its method, URI and the headers of interest.
fn fetch(
    source: &mut Source,
    replies: impl IntoIterator<Item = Reply>,
) -> (Vec<String>, Result<Credentials, SourceError>) {
    let mut replies = replies.into_iter();
    let mut step = source.start(noon());
    let mut steps = Vec::new();
    loop {
        steps.push(match step {
            Step::Send(request) => line(&request),
            Step::Read(path) => format!("read {}", path.display()),
            Step::Done(result) => {
                assert!(replies.next().is_none(), "a reply too many: {steps:?}");
                if let Err(error) = &result {
                    let text = format!("{error} {error:?}");
                    assert!(!text.contains("NoErrorMayShow"), "{text}");
                }
                return (steps, result);
            }
        });
        step = source.handle(noon(), replies.next().expect("a reply for each step"));
    }
}

fn line(request: &Request<Bytes>) -> String {
    let mut line = format!("{} {}", request.method(), request.uri());
    for name in ["x-aliyun-ecs-metadata-token-ttl-seconds", "x-aliyun-ecs-metadata-token"] {
        if let Some(value) = request.headers().get(name) {
            line += &format!(
                " {}={}",
                &name["x-aliyun-ecs-metadata-".len()..],
                value.to_str().unwrap()
            );
        }
    }
    line
}

fn error(source: &mut Source, replies: impl IntoIterator<Item = Reply>) -> String {
    fetch(source, replies).1.unwrap_err().to_string()
}

const IMDS: &str = "http://100.100.100.200/latest";

fn put() -> String {
    format!("PUT {IMDS}/api/token token-ttl-seconds=21600")
}

#[test]
fn the_ecs_role_is_found_with_a_token_or_without() {
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
fn requests_to_this_host_are_marked_and_others_are_not() {
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
fn a_metadata_service_that_misbehaves_is_reported() {
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
            Ok(_) => assert_eq!(expected, "", "an unlimited life is one"),
            Err(error) => assert_eq!(error.to_string(), format!("{from}{expected}")),
        }
    }
}

#[test]
fn an_expiration_is_compared_with_the_service_and_not_this_host() {
    let mut source = Source::from(CredentialsUri::new("http://127.0.0.1:81/").unwrap());
    let date = |text| [("date", text)];
    let earlier =
        respond(200, &date("Thu, 03 Sep 2026 09:00:00 GMT"), &JSON.replace("13:00", "10:00"));
    assert!(fetch(&mut source, [earlier]).1.is_ok());
    let later = respond(200, &date("Thu, 03 Sep 2026 14:00:00 GMT"), JSON);
    assert!(fetch(&mut source, [later]).1.is_err());
}

#[test]
fn a_credentials_uri_is_asked_once() {
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
        (Reply::File(Ok(Vec::new())), "a reply that no step asked for"),
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

fn oidc() -> Source {
    Oidc::new(ROLE, PROVIDER, "/var/run/token").unwrap().session_name("my.session").unwrap().into()
}

#[test]
fn oidc_reads_the_token_anew_and_sends_it_in_the_form() {
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
fn what_keeps_oidc_from_credentials_is_reported() {
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
fn a_skewed_clock_costs_one_request_more() {
    let skewed = || respond(400, &[("date", "Thu, 03 Sep 2026 10:00:00 GMT")], SKEWED);
    let file = || Reply::File(Ok(b"token".to_vec()));
    let (steps, credentials) = fetch(&mut oidc(), [file(), skewed(), ok(&sts_json())]);
    assert!(steps[2].contains("Timestamp=2026-09-03T10%3A00%3A00Z"), "{steps:?}");
    assert!(credentials.is_ok());
    // Once only, and only if the response has a date.
    assert!(error(&mut oidc(), [file(), skewed(), skewed()]).contains("InvalidTimeStamp.Expired"));
    assert!(error(&mut oidc(), [file(), respond(400, &[], SKEWED)]).contains("InvalidTimeStamp"));
    let keys = Credentials::new("id", SECRET).unwrap();
    let mut source = Source::from(AssumeRole::new(keys, ROLE).unwrap());
    assert!(fetch(&mut source, [skewed(), ok(&sts_json())]).1.is_ok());
}

#[test]
fn a_role_is_assumed_with_the_credentials_of_another_source() {
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
    // What keeps the base from credentials is its own error.
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

/// What a renewal gives at so many seconds after noon, with these replies if it asks.
fn renewed(renewal: &mut Renewal, seconds: u64, reply: Option<Reply>) -> Result<String, String> {
    let now = noon() + Duration::from_secs(seconds);
    let mut step = renewal.start(now);
    if let Some(reply) = reply {
        assert!(matches!(step, Step::Send(_)), "{seconds}: {step:?}");
        step = renewal.handle(now, reply);
    }
    match step {
        Step::Done(result) => result
            .map(|credentials| credentials.access_key_id().to_owned())
            .map_err(|error| error.to_string()),
        step => panic!("{seconds}: {step:?}"),
    }
}

#[test]
fn credentials_are_renewed_ahead_and_stale_ones_kept() {
    let mut renewal = Renewal::new(CredentialsUri::new("http://127.0.0.1:81/").unwrap());
    let named = |id: &str, hour: &str| Some(ok(&JSON.replace("STS.1", id).replace("13:00", hour)));
    let down = || Some(respond(503, &[], ""));
    let is = |id: &str| Ok(id.to_owned());
    assert!(renewed(&mut renewal, 0, down()).is_err());
    assert_eq!(renewed(&mut renewal, 0, named("a", "13:00")), is("a"));
    assert_eq!(renewed(&mut renewal, 3419, None), is("a"));
    assert_eq!(renewed(&mut renewal, 3420, down()), is("a"));
    assert!(renewal.last_error().is_some());
    assert_eq!(renewed(&mut renewal, 3429, None), is("a"));
    assert_eq!(renewed(&mut renewal, 3430, down()), is("a"));
    assert!(renewed(&mut renewal, 3600, down()).is_err());
    assert_eq!(renewed(&mut renewal, 3601, named("b", "14:00")), is("b"));
    assert!(renewal.last_error().is_none());
    assert_eq!(renewed(&mut renewal, 3700, None), is("b"));
    renewal.forget();
    assert_eq!(renewed(&mut renewal, 3701, named("c", "14:00")), is("c"));
}

#[test]
fn a_renewal_counts_in_the_time_of_the_service() {
    let mut renewal = Renewal::new(CredentialsUri::new("http://127.0.0.1:81/").unwrap());
    // This host is two hours ahead.
    let date = [("date", "Thu, 03 Sep 2026 10:00:00 GMT")];
    let reply = respond(200, &date, &JSON.replace("13:00", "11:00"));
    assert!(renewed(&mut renewal, 0, Some(reply)).is_ok());
    assert!(renewed(&mut renewal, 3419, None).is_ok());
    let reply = respond(503, &[], "");
    assert!(renewed(&mut renewal, 3420, Some(reply)).is_ok());
}

#[test]
fn the_environment_names_the_source() {
    let prefix = "ALIBABA_CLOUD_";
    let oidc = "OIDC_TOKEN_FILE=/token ROLE_ARN=acs:ram::1:role/r OIDC_PROVIDER_ARN=acs:ram::1:oidc-provider/p";
    let keys = "ACCESS_KEY_ID=id ACCESS_KEY_SECRET=aSecretThatNoErrorMayShow03";
    let ecs = "the ECS metadata service";
    let sts = |host: &str| format!("STS at {host}, for acs:ram::1:role/r");
    for (variables, expected) in [
        (String::new(), ecs.to_owned()),
        ("ECS_METADATA_DISABLED=true".to_owned(), "None".to_owned()),
        ("CREDENTIALS_URI=http://c/".to_owned(), "the credentials URI http://c/".to_owned()),
        ("CREDENTIALS_URI=http://c/ ECS_METADATA=role".to_owned(), ecs.to_owned()),
        (
            "CREDENTIALS_URI=http://c/ ECS_METADATA=role ECS_METADATA_DISABLED=True".to_owned(),
            "the credentials URI http://c/".to_owned(),
        ),
        (format!("{oidc} CREDENTIALS_URI=http://c/ ECS_METADATA=role"), sts("sts.aliyuncs.com")),
        (format!("{oidc} STS_REGION=cn-beijing"), sts("sts.cn-beijing.aliyuncs.com")),
        (
            format!("{oidc} STS_REGION=cn-beijing VPC_ENDPOINT_ENABLED=true"),
            sts("sts-vpc.cn-beijing.aliyuncs.com"),
        ),
        (format!("{oidc} {keys}"), "the AccessKey id".to_owned()),
        ("ROLE_ARN=acs:ram::1:role/r".to_owned(), ecs.to_owned()),
        (
            "OIDC_TOKEN_FILE=/token".to_owned(),
            "ALIBABA_CLOUD_ROLE_ARN must be set, as ALIBABA_CLOUD_OIDC_TOKEN_FILE is".to_owned(),
        ),
        (
            "ACCESS_KEY_ID=id".to_owned(),
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET must be set, as the other half of the pair is"
                .to_owned(),
        ),
        (
            "ECS_METADATA=a/b".to_owned(),
            "role name must be 1 to 64 characters of A-Z, a-z, 0-9 and ._@-, not \"a/b\""
                .to_owned(),
        ),
        (
            "CREDENTIALS_URI=c".to_owned(),
            "credentials URI must be an http or https URL with a host".to_owned(),
        ),
    ] {
        let get = |name: &str| {
            let name = name.strip_prefix(prefix)?;
            variables
                .split(' ')
                .find_map(|set| set.strip_prefix(name)?.strip_prefix('='))
                .map(str::to_owned)
        };
        let found = match Source::from_environment(&get) {
            Ok(source) => source.map_or("None".to_owned(), |source| source.to_string()),
            Err(invalid) => invalid.to_string(),
        };
        assert_eq!(found, expected, "{variables}");
    }
    let both = |name: &str| match name {
        "OSS_ACCESS_KEY_ID" | "ALIBABA_CLOUD_ACCESS_KEY_ID" => Some(name.to_owned()),
        "OSS_ACCESS_KEY_SECRET" | "ALIBABA_CLOUD_ACCESS_KEY_SECRET" => Some(SECRET.to_owned()),
        _ => None,
    };
    let source = Source::from_environment(&both).unwrap().unwrap();
    assert_eq!(source.to_string(), "the AccessKey OSS_ACCESS_KEY_ID");
    assert_eq!(sts_address(&|_| None), "https://sts.aliyuncs.com");
}

#[test]
fn json_of_every_program_is_read() {
    let id = |json: &str| Credentials::from_json(json.as_bytes()).map(|found| found.expiration());
    let expires = Some(noon() + Duration::from_secs(3600));
    for (json, expected) in [
        (JSON, Ok(expires)),
        (
            r#"{"mode":"StsToken","access_key_id":"a","access_key_secret":"b","sts_token":"c","expiration":"2026-09-03T21:00:00+08:00"}"#,
            Ok(expires),
        ),
        (r#"{"mode":"AK","access_key_id":"a","access_key_secret":"b","sts_token":" "}"#, Ok(None)),
        (
            r#"{"AccessKeyId":"a","AccessKeySecret":"b","SecurityToken":null,"Other":{"x":[1]}}"#,
            Ok(None),
        ),
        (
            r#"{"mode":"StsToken","access_key_id":"a","access_key_secret":"b"}"#,
            Err("SecurityToken is missing"),
        ),
        (
            r#"{"mode":"External","access_key_id":"a","access_key_secret":"b"}"#,
            Err("mode must be StsToken or AK"),
        ),
        (r#"{"AccessKeyId":"a","AccessKeySecret":7}"#, Err("AccessKeySecret must be a string")),
        (r#"{"AccessKeyId":"","AccessKeySecret":"b"}"#, Err("AccessKeyId is missing")),
        ("[]", Err("output must be a JSON object")),
        (r#""aSecretThatNoErrorMayShow04""#, Err("output must be a JSON object")),
    ] {
        assert_eq!(
            id(json).map_err(|invalid| invalid.to_string()),
            expected.map_err(str::to_owned),
            "{json}"
        );
    }
}
