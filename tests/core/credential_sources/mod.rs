//! Credential sources: the requests of each, and the result of each response.

mod local;
mod sts;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use oss_delete_vectors::Credentials;
use oss_delete_vectors::credentials::{
    CredentialsUri, Renewal, Reply, Source, SourceError, Step, sts_address,
};

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

/// Runs a fetch. Returns its steps; a request as its method, URI and some headers.
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
                assert!(replies.next().is_none(), "too many replies: {steps:?}");
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

/// The result of a renewal `seconds` after noon, with `reply` to its request.
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
fn credentials_are_renewed_early_and_kept_on_errors() {
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
fn renewal_uses_the_time_of_the_service() {
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
fn environment_variables_select_the_source() {
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
fn json_of_all_tools_is_parsed() {
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
