//! What credential sources leave of the secrets that they use, and of those that they return.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Response;
use oss_delete_vectors::Credentials;
use oss_delete_vectors::credentials::{
    AssumeRole, CredentialsUri, EcsRole, Oidc, Renewal, Reply, Source, SourceError, Step,
};

use crate::calls::{ACCESS_KEY_ID, time};
use crate::memory::{Needle, copies, left_alone};

const ROLE: &str = "acs:ram::1234567890123456:role/my-role";
const PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/ack";

/// Text with secrets, in one allocation that never moves. A `\x01` stands for the next secret.
fn bytes(template: &str, secrets: &[&Needle]) -> Vec<u8> {
    let mut text = String::with_capacity(8192);
    let mut secrets = secrets.iter();
    for letter in template.chars() {
        match letter {
            '\x01' => text.extend(secrets.next().expect("a secret for each mark").letters()),
            letter => text.push(letter),
        }
    }
    text.into_bytes()
}

fn respond(status: u16, template: &str, secrets: &[&Needle]) -> Reply {
    let response =
        Response::builder().status(status).header("date", "Sat, 16 Dec 2023 16:20:57 GMT");
    Reply::Response(response.body(Bytes::from(bytes(template, secrets))).unwrap())
}

const KEYS: &str = "{\"Code\":\"Success\",\"AccessKeyId\":\"STS.1\",\"AccessKeySecret\":\"\x01\",\
                    \"SecurityToken\":\"\x01\",\"Expiration\":\"2023-12-16T17:20:57Z\"}";

fn sts_keys() -> String {
    format!("{{\"RequestId\":\"1\",\"Credentials\":{KEYS}}}")
}

/// Runs a fetch to its end. Drops each request, as a transport does that has sent it.
fn fetch(
    source: &mut Source,
    replies: impl IntoIterator<Item = Reply>,
) -> Result<Credentials, SourceError> {
    let mut step = source.start(time());
    for reply in replies {
        assert!(!matches!(step, Step::Done(_)), "{step:?}");
        step = source.handle(time(), reply);
    }
    let Step::Done(result) = step else { panic!("{step:?}") };
    result
}

/// The secret and the token that a source returns, of unusual lengths.
fn needles() -> [Needle; 2] {
    [Needle::random(501), Needle::random(603)]
}

fn pair(secret: &Needle, token: &Needle) -> Credentials {
    let pair = Credentials::new(ACCESS_KEY_ID, secret.text()).unwrap();
    pair.with_security_token(token.text()).unwrap()
}

#[test]
fn a_metadata_token_is_wiped_and_credentials_are_there_once() {
    let ([secret, token], metadata) = (needles(), Needle::random(57));
    let work = || {
        let mut source = Source::from(EcsRole::new());
        let replies = [
            respond(200, "\x01", &[&metadata]),
            respond(200, "my-role", &[]),
            respond(200, KEYS, &[&secret, &token]),
        ];
        (fetch(&mut source, replies).unwrap(), source)
    };
    left_alone(work, |(credentials, source)| {
        assert_eq!(copies([&secret, &token, &metadata]), [1, 1, 0]);
        drop((credentials, source));
        assert_eq!(copies([&secret, &token, &metadata]), [0, 0, 0]);
    });
}

#[test]
fn responses_of_a_credentials_uri_are_wiped() {
    let [secret, token] = needles();
    let uri = || Source::from(CredentialsUri::new("http://127.0.0.1:81/creds").unwrap());
    let get = |keys: &str| fetch(&mut uri(), [respond(200, keys, &[&secret, &token])]);
    left_alone(
        || get(KEYS).unwrap(),
        |credentials| {
            assert_eq!(copies([&secret, &token]), [1, 1]);
            drop(credentials);
            assert_eq!(copies([&secret, &token]), [0, 0]);
        },
    );
    for broken in [
        KEYS.replace("2023-12-16T17", "2023-12-16T15"),
        KEYS.replace("Success", "Failed"),
        KEYS.replace("AccessKeyId", "Id"),
        KEYS.replace("\"SecurityToken\":\"", "\"SecurityToken\":\"\\u00e9"),
        format!("<html>{KEYS}"),
    ] {
        left_alone(
            || get(&broken).unwrap_err(),
            |error| assert_eq!(copies([&secret, &token]), [0, 0], "{error}"),
        );
    }
}

#[test]
fn an_oidc_token_is_wiped() {
    let ([secret, token], oidc) = (needles(), Needle::random(1207));
    let source = || Source::from(Oidc::new(ROLE, PROVIDER, "/token").unwrap());
    let file = || Reply::File(Ok(bytes("\x01\n", &[&oidc])));
    let skewed = || respond(400, r#"{"Code":"InvalidTimeStamp.Expired","Message":"late"}"#, &[]);
    let work = || {
        let mut source = source();
        let keys = respond(200, &sts_keys(), &[&secret, &token]);
        (fetch(&mut source, [file(), skewed(), keys]).unwrap(), source)
    };
    left_alone(work, |(credentials, source)| {
        assert_eq!(copies([&secret, &token, &oidc]), [1, 1, 0]);
        drop((credentials, source));
        assert_eq!(copies([&secret, &token, &oidc]), [0, 0, 0]);
    });
    let unsent = || {
        let mut source = source();
        let step = source.start(time());
        drop(step);
        drop(source.handle(time(), file()));
        source
    };
    left_alone(unsent, |source| {
        assert_eq!(copies([&oidc]), [1], "it waits for the response");
        drop(source);
        assert_eq!(copies([&oidc]), [0]);
    });
}

#[test]
fn a_role_is_assumed_without_copies_of_the_base() {
    let ([secret, token], base) = (needles(), [Needle::random(55), Needle::random(707)]);
    let all = || copies([&secret, &token, &base[0], &base[1]]);
    let work = || {
        let role = AssumeRole::new(pair(&base[0], &base[1]), ROLE).unwrap();
        let mut source = Source::from(role);
        let keys = respond(200, &sts_keys(), &[&secret, &token]);
        (fetch(&mut source, [keys]).unwrap(), source)
    };
    left_alone(work, |(credentials, source)| {
        assert_eq!(all(), [1, 1, 1, 1]);
        drop(credentials);
        assert_eq!(all(), [0, 0, 1, 1]);
        drop(source);
        assert_eq!(all(), [0, 0, 0, 0]);
    });
}

#[test]
fn renewed_credentials_replace_the_kept_ones() {
    let [[earlier, earlier_token], [later, later_token]] = [needles(), needles()];
    let all = || copies([&earlier, &earlier_token, &later, &later_token]);
    let work = || {
        let mut renewal = Renewal::new(CredentialsUri::new("http://127.0.0.1:81/").unwrap());
        let mut get = |now: SystemTime, keys: &str, secrets: &[&Needle]| {
            let step = renewal.start(now);
            assert!(matches!(step, Step::Send(_)), "{step:?}");
            let done = renewal.handle(now, respond(200, keys, secrets));
            assert!(matches!(done, Step::Done(Ok(_))), "{done:?}");
        };
        get(time(), KEYS, &[&earlier, &earlier_token]);
        let soon = time() + Duration::from_secs(3500);
        get(soon, &KEYS.replace("16T17", "16T19"), &[&later, &later_token]);
        renewal
    };
    left_alone(work, |renewal| {
        assert_eq!(all(), [0, 0, 1, 1]);
        drop(renewal);
        assert_eq!(all(), [0, 0, 0, 0]);
    });
}

#[test]
fn variables_are_wiped_even_if_one_is_missing() {
    let [secret, token] = needles();
    let names = ["OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN"];
    let value = |name: &str| match name {
        "OSS_ACCESS_KEY_ID" => Some(ACCESS_KEY_ID.to_owned()),
        "OSS_ACCESS_KEY_SECRET" => Some(secret.text()),
        "OSS_SESSION_TOKEN" => Some(token.text()),
        _ => None,
    };
    left_alone(
        || Source::from_environment(&value).unwrap(),
        |source| {
            assert_eq!(copies([&secret, &token]), [1, 1]);
            drop(source);
            assert_eq!(copies([&secret, &token]), [0, 0]);
        },
    );
    for missing in &names[..2] {
        let some = |name: &str| if name == *missing { None } else { value(name) };
        left_alone(
            || Source::from_environment(&some).unwrap_err(),
            |error| assert_eq!(copies([&secret, &token]), [0, 0], "{error}"),
        );
    }
}

/// The HTTP clients make copies of their own, which are not wiped.
#[cfg(any(feature = "hyper", feature = "ureq"))]
#[test]
fn passwords_of_proxies_are_wiped() {
    use oss_delete_vectors::transports::{Proxy, TransportOptions};

    let password = Needle::random(205);
    let work = || {
        let mut url = bytes("http://user:\x01@proxy.example.com:8080", &[&password]);
        let proxy = Proxy::parse(str::from_utf8(&url).unwrap()).unwrap();
        zeroize::Zeroize::zeroize(&mut url);
        TransportOptions::new().proxy(proxy)
    };
    left_alone(work, |options| {
        assert_eq!(copies([&password]), [1]);
        drop(options.clone());
        assert_eq!(copies([&password]), [1]);
        drop(options);
        assert_eq!(copies([&password]), [0]);
    });
    let invalid = || {
        let mut url = bytes("http://user:\x01%zz@proxy.example.com", &[&password]);
        let invalid = Proxy::parse(str::from_utf8(&url).unwrap()).unwrap_err();
        zeroize::Zeroize::zeroize(&mut url);
        invalid
    };
    left_alone(invalid, |error| assert_eq!(copies([&password]), [0], "{error}"));
}
