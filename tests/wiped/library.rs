//! What credentials, signers and verifiers leave in memory.

use std::time::{Duration, SystemTime};

use oss_delete_vectors::signing::{Authorization, Resource, Signer};
use oss_delete_vectors::{Credentials, InvalidValue};

use crate::calls::{ACCESS_KEY_ID, SECRET, call, target, time};
use crate::derived::derived;
use crate::memory::{Needle, copies, left_alone};

/// Credentials with exactly one copy of the secret.
fn credentials(secret: &Needle) -> Credentials {
    Credentials::new(ACCESS_KEY_ID, secret.text()).unwrap()
}

fn days_later(days: u64) -> SystemTime {
    time() + Duration::from_secs(days * 24 * 60 * 60)
}

#[test]
fn clones_of_credentials_share_one_copy() {
    let (secret, token) = (Needle::random(500), Needle::random(600));
    let found = || copies([&secret, &token]);
    assert_eq!(found(), [0, 0]);
    let make = || {
        let pair = credentials(&secret);
        [pair.clone(), pair.with_security_token(token.text()).unwrap().with_expiration(time())]
    };
    left_alone(make, |[pair, with_token]| {
        assert_eq!(found(), [1, 1]);
        drop(with_token);
        assert_eq!(found(), [1, 0]);
        drop(pair);
        assert_eq!(found(), [0, 0]);
    });
}

#[test]
fn invalid_secrets_are_wiped() {
    let invalid: [fn(&Needle) -> InvalidValue; 3] = [
        |secret| Credentials::new(ACCESS_KEY_ID, with_line_break(secret)).unwrap_err(),
        |secret| Credentials::new("", secret.text()).unwrap_err(),
        |token| {
            Credentials::new(ACCESS_KEY_ID, SECRET)
                .unwrap()
                .with_security_token(with_line_break(token))
                .unwrap_err()
        },
    ];
    for refuse in invalid {
        let secret = Needle::random(500);
        left_alone(|| refuse(&secret), |error| assert_eq!(copies([&secret]), [0], "{error}"));
    }
}

#[test]
fn signers_hold_only_the_key_of_the_day() {
    let secret = Needle::random(55);
    let [before, last] = ["20231217", "20231218"]
        .map(|day| derived(&secret, &format!("{day}/cn-hangzhou/oss/aliyun_v4_request")));
    let found = || [copies([&secret]), copies(&before), copies(&last)];
    let sign = || {
        let signer = Signer::new(&target(), credentials(&secret));
        for day in 0..3 {
            signer.sign(&mut call(&["a"]), days_later(day));
        }
        signer.presign(&mut call(&["a"]), days_later(2), Duration::from_secs(60)).unwrap();
        signer
    };
    left_alone(sign, |signer| {
        assert_eq!(found(), [vec![1], vec![0; 6], vec![0, 0, 0, 0, 1, 1]]);
        drop(signer);
        assert_eq!(found(), [vec![0], vec![0; 6], vec![0; 6]]);
    });
}

#[test]
fn verifying_leaves_no_key() {
    let secret = Needle::random(55);
    let keys = derived(&secret, "20231216/cn-hangzhou/oss/aliyun_v4_request");
    let found = || [copies([&secret]), copies(&keys)];
    let verify = || {
        let mut request = call(&["a"]);
        let credentials = credentials(&secret);
        Signer::new(&target(), credentials.clone()).sign(&mut request, time());
        let authorization = Authorization::parse(&request).unwrap();
        authorization.verify(&request, &Resource::from(&target()), &credentials).unwrap();
        request.headers_mut().remove("x-oss-date");
        authorization.verify(&request, &Resource::from(&target()), &credentials).unwrap_err();
        credentials
    };
    left_alone(verify, |credentials| {
        assert_eq!(found(), [vec![1], vec![0; 6]]);
        drop(credentials);
        assert_eq!(found(), [vec![0], vec![0; 6]]);
    });
}

fn with_line_break(needle: &Needle) -> String {
    let mut text = String::with_capacity(1000);
    text.extend(needle.letters().chain(['\n']));
    text
}
