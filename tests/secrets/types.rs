//! `Debug` and `Display` show no secret.

use std::fmt::{Debug, Display};
use std::time::Duration;

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Response, StatusCode};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
use oss_delete_vectors::signing::{Authorization, Resource, Signer};
use oss_delete_vectors::transports::Run;
use oss_delete_vectors::{Credentials, Endpoint, Key, Now, ServiceError, TransportError, code};
use sha2::Sha256;

use crate::calls::{REGION, SECRET, TOKEN, call, target, time, with_token};
use crate::canary::{self, WRONG_SECRET};

fn debug(value: &dyn Debug) {
    canary::assert_not_in(&format!("{value:?}"));
    canary::assert_not_in(&format!("{value:#?}"));
}

fn display(value: &dyn Display) {
    canary::assert_not_in(&value.to_string());
}

#[test]
fn credentials_show_no_secret() {
    let shown = format!("{:?}", with_token());
    assert_eq!(
        shown,
        r#"Credentials { access_key_id: "LTAI5tConformanceKey0001", has_security_token: true, expiration: None, .. }"#
    );
    debug(&with_token().with_expiration(time()));
    debug(&Some(vec![with_token()]));
}

#[test]
fn signing_and_verifying_show_no_secret() {
    let signer = Signer::new(&target(), with_token());
    debug(&signer);
    let mut request = call(&["a"]);
    let signature = signer.sign(&mut request, time());
    debug(&signature);
    display(&signature);
    // Anyone who has the signature can send the request.
    assert_eq!(format!("{signature:?}"), "Signature { .. }");
    canary::assert_not_in(signature.string_to_sign());

    let authorization = Authorization::parse(&request).unwrap();
    debug(&authorization);
    let others = Credentials::new("LTAI5tConformanceKey0001", WRONG_SECRET).unwrap();
    let error = authorization.verify(&request, &Resource::from(&target()), &others).unwrap_err();
    debug(&error);
    display(&error);

    signer.presign(&mut request, time(), Duration::from_secs(60)).unwrap();
    debug(&Authorization::parse(&request).unwrap());
}

#[test]
fn a_signed_request_shows_neither_signature_nor_token() {
    let mut request = call(&["a"]);
    let signature = Signer::new(&target(), with_token()).sign(&mut request, time()).to_string();
    debug(&request);
    assert!(!format!("{request:?}").contains(&signature));
    let sensitive: Vec<&str> = request
        .headers()
        .iter()
        .filter(|(_, value)| value.is_sensitive())
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(sensitive, ["x-oss-security-token", "authorization"]);
    assert_eq!(request.headers()["x-oss-security-token"], TOKEN);
}

#[test]
fn errors_show_no_secret() {
    for broken in [format!("{SECRET}\n"), format!(" {SECRET}"), format!("{SECRET}\0")] {
        let error = [
            Credentials::new("id", broken.as_str()).unwrap_err(),
            with_token().with_security_token(broken).unwrap_err(),
            format!("https://user:{SECRET}@example.com").parse::<Endpoint>().unwrap_err(),
        ];
        for error in &error {
            debug(error);
            display(error);
            assert_eq!(error.value(), None);
        }
    }
    let mut request = call(&["a"]);
    let value = format!("OSS4-HMAC-SHA256 {SECRET}={TOKEN}");
    Signer::new(&target(), with_token()).sign(&mut request, time());
    request.headers_mut().insert(AUTHORIZATION, HeaderValue::try_from(value).unwrap());
    let error = Authorization::parse(&request).unwrap_err();
    debug(&error);
    display(&error);
}

#[cfg(feature = "emulator")]
#[test]
fn the_emulator_shows_no_secret() {
    use oss_delete_vectors::Now;
    use oss_delete_vectors::emulator::{Emulator, Identity};

    debug(&Identity::new(with_token()));
    let mut emulator = Emulator::with_vectors(&target(), with_token(), ["a"]).unwrap();
    debug(&emulator);
    let mut request = call(&["a"]);
    let others = Credentials::new("LTAI5tConformanceKey0001", WRONG_SECRET)
        .unwrap()
        .with_security_token(TOKEN)
        .unwrap();
    Signer::new(&target(), others).sign(&mut request, time());
    let response = emulator.handle(Now::new(Duration::ZERO, time()), &request);
    assert!(str::from_utf8(response.body()).unwrap().contains("StringToSign"));
    debug(&response);
}

#[test]
fn runs_show_no_secret() {
    let mut bulk = BulkDelete::new(&target(), with_token(), BulkOptions::new()).unwrap();
    bulk.push(Key::new("a").unwrap()).unwrap();
    bulk.finish();
    let now = Now::new(Duration::ZERO, time());
    let transmit = bulk.poll_transmit(now).unwrap();
    debug(&transmit);
    debug(&bulk);
    debug(&Run::new(&mut bulk));
    display(&bulk.checkpoint());
    let error = ServiceError::new(StatusCode::FORBIDDEN, code::SECURITY_TOKEN_EXPIRED, "expired");
    bulk.handle_response(now, transmit.id, &error.to_response());
    while let Some(event) = bulk.poll_event() {
        debug(&event);
    }
    let error = Run::new(&mut bulk)
        .run_blocking([""; 0], |_| Err::<Response<Bytes>, _>(TransportError::may_have_arrived("x")))
        .unwrap_err();
    debug(&error);
    display(&error);
}

/// A derived key can sign for a whole day.
#[test]
fn nothing_shows_a_derived_key() {
    let signer = Signer::new(&target(), with_token());
    let mut request = call(&["a"]);
    let signature = signer.sign(&mut request, time());
    let authorization = Authorization::parse(&request).unwrap();
    authorization.verify(&request, &Resource::from(&target()), &with_token()).unwrap();
    let bulk = BulkDelete::new(&target(), with_token(), BulkOptions::new()).unwrap();
    let shown = format!(
        "{signer:?}{signer:#?}{signature}{signature:?}{authorization:?}{request:?}{bulk:?}"
    );

    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut key = format!("aliyun_v4{SECRET}").into_bytes();
    for step in ["20231216", REGION, "oss", "aliyun_v4_request"] {
        key = mac(&key, step.as_bytes());
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let bytes = format!("{key:?}");
        for form in [
            &hex,
            &hex.to_uppercase(),
            &Base64::encode_string(&key),
            bytes.trim_matches(['[', ']']),
        ] {
            assert!(!shown.contains(form), "{shown}");
        }
    }
    // The derived key is the right one.
    let signed = mac(&key, signature.string_to_sign().as_bytes());
    assert_eq!(
        signature.to_string(),
        signed.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    );
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.chain_update(text).finalize().into_bytes().to_vec()
}
