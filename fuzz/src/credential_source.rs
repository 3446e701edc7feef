//! Credential sources: each fetch ends after a few steps, sends requests only to the configured
//! hosts, and shows no secret.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use http::Request;
use oss_delete_vectors::credentials::{
    AssumeRole, CredentialsUri, Direct, EcsRole, Oidc, Renewal, Reply, Source, Step,
};
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::{Credentials, TransportError};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::example::{credentials, target, time};
use crate::wire;

/// Secrets that must not appear in any text of their source: the one that signs a call of STS, and
/// the OIDC token.
const SECRET: &str = "yourAccessKeySecretForTests0001";
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.ZnV6emluZw.c2lnbmF0dXJl";

const ROLE: &str = "acs:ram::1234567890123456:role/my-role";
const PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/my-provider";

/// The input is responses, separated by lines of `====`. Each source gets them in turn. An invalid
/// response becomes a failure. The whole input and each body are also parsed as output of a
/// credential process.
pub fn credential_source(data: &[u8]) {
    check_json(data);
    let replies: Vec<_> = wire::messages(data).map(wire::response).collect();
    replies.iter().flatten().for_each(|response| check_json(response.body()));

    let ecs = EcsRole::new();
    let named = ecs.clone().role_name("my-role").unwrap();
    let oidc = Oidc::new(ROLE, PROVIDER, "token").unwrap();
    let assumed = |base: Source| Source::from(AssumeRole::new(base, ROLE).unwrap());
    let uri = CredentialsUri::new("http://localhost:7/credentials?token=t").unwrap();
    let (metadata, sts) = ("100.100.100.200", "sts.aliyuncs.com");
    for (source, most, hosts, secret) in [
        (ecs.clone().into(), 3, &[metadata][..], None),
        (named.without_imds_v1().into(), 2, &[metadata], None),
        (oidc.into(), 2, &[sts], Some(TOKEN)),
        (Source::from(uri), 1, &["localhost"], None),
        (assumed(credentials().into()), 2, &[sts], Some(SECRET)),
        (assumed(assumed(ecs.into())), 7, &[metadata, sts], None),
    ] {
        let check_text = |text: &str| assert!(secret.is_none_or(|it| !text.contains(it)), "{text}");
        let mut replies = replies.iter().cycle().map(|response| match response {
            Some(response) => Reply::Response(response.clone().map(Bytes::from)),
            None => Reply::Failure(TransportError::surely_not_sent("refused")),
        });
        let mut renewal = Renewal::new(source);
        let mut step = renewal.start(time());
        let mut requests = 0;
        let result = loop {
            check_text(&format!("{step:?} {renewal:?}"));
            step = match step {
                Step::Done(result) => break result,
                Step::Read(_) => {
                    let is_missing = data.first() == Some(&b'!');
                    let error = || io::Error::from(io::ErrorKind::NotFound);
                    let file = if is_missing { Err(error()) } else { Ok(TOKEN.into()) };
                    renewal.handle(time(), Reply::File(file))
                }
                Step::Send(request) => {
                    requests += 1;
                    check_text(&request.uri().to_string());
                    check_request(&request, hosts);
                    renewal.handle(time(), replies.next().expect("at least one message"))
                }
            };
        };
        assert!(requests <= most, "{requests} requests");
        match result {
            Ok(fetched) => {
                assert!(!fetched.access_key_id().is_empty());
                check_text(&format!("{fetched:?}"));
            }
            Err(error) => {
                check_text(&format!("{error} {error:?}"));
                assert!(!error.to_string().contains(char::is_control));
            }
        }
    }
}

fn check_request(request: &Request<Bytes>, hosts: &[&str]) {
    let host = request.uri().host().expect("an absolute URI");
    assert!(hosts.contains(&host), "{host}");
    // Direct requests go to this host. All others use TLS.
    let is_direct = request.extensions().get::<Direct>().is_some();
    assert_eq!(is_direct, request.uri().scheme_str() == Some("http"));
}

/// Credentials in JSON are those that `serde_json` reads, and errors name a member.
fn check_json(json: &[u8]) {
    let expected = read(json);
    match Credentials::from_json(json) {
        Ok(read) => {
            let expected = expected.unwrap_or_else(|| panic!("{read:?} are not credentials"));
            assert_eq!(signed(&read), signed(&expected));
            assert_eq!(read.expiration(), expected.expiration());
        }
        Err(error) => {
            assert!(expected.is_none(), "{expected:?}: {error}");
            assert!(!error.field().is_empty());
            assert!(!error.to_string().contains(char::is_control));
        }
    }
}

/// The same as [`Credentials::from_json`], with copies that are not wiped.
fn read(json: &[u8]) -> Option<Credentials> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(json).ok()?;
    let letters = |name: &str| name.replace(['-', '_'], "").to_ascii_lowercase();
    let member = |names: &[&str]| {
        let is_it = |given: &str| names.contains(&letters(given).as_str());
        match members.iter().find(|(given, _)| is_it(given)) {
            None => Some(String::new()),
            Some((_, json)) => match serde_json::from_str(json.get()).ok()? {
                Value::Null => Some(String::new()),
                Value::String(text) => Some(text),
                _ => None,
            },
        }
    };
    let mode = member(&["mode"])?.to_ascii_lowercase();
    let token = member(&["securitytoken", "ststoken"])?;
    let token = match mode.as_str() {
        "ak" => String::new(),
        "ststoken" if token.is_empty() => return None,
        "" | "ststoken" => token,
        _ => return None,
    };
    if !["", "Success"].contains(&member(&["code"])?.as_str()) {
        return None;
    }
    let (id, secret) = (member(&["accesskeyid"])?, member(&["accesskeysecret"])?);
    let credentials = Credentials::new(id, secret).ok()?.with_security_token(token).ok()?;
    match member(&["expiration"])?.as_str() {
        "" => Some(credentials),
        expiration => credentials.with_expiration_text(expiration).ok(),
    }
}

/// A request that depends on every part of the credentials.
fn signed(credentials: &Credentials) -> String {
    let mut request = Request::post("https://localhost/?deleteVectors").body(()).unwrap();
    Signer::new(&target(), credentials.clone()).sign(&mut request, time());
    let token = request.headers().get("x-oss-security-token");
    format!("{:?} {:?}", request.headers()["authorization"].to_str(), token.map(|t| t.to_str()))
}
