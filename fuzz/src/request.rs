//! Requests as a server handles them: parsed, verified, and executed only with a valid signature.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use oss_delete_vectors::emulator::Emulator;
use oss_delete_vectors::signing::{
    Authorization, AuthorizationForm, Resource, Signer, VerifyError,
};
use oss_delete_vectors::{Credentials, DeleteVectors, KeyBatch, Now, Operation, RequestError};

use crate::example::{credentials, target, time};
use crate::fixtures::signing_cases;
use crate::random::Random;
use crate::signed_content::SignedContent;
use crate::wire;

/// Parses a request, checks its authorization, sends it to the emulator, and signs it again.
pub fn request(data: &[u8]) {
    let Some(request) = wire::request(data) else { return };
    check_call(&request);
    check_authorization(&request);
    check_emulator(&request);
    check_signing(&request, &mut Random::new(hash(data)));
}

/// A valid call round-trips.
fn check_call(request: &Request<Vec<u8>>) {
    let outcome = DeleteVectors::parse_request(&target(), request);
    assert_eq!(DeleteVectors::parse_request(&target(), request), outcome);
    match outcome {
        Ok(call) => {
            assert!((1..=KeyBatch::MAX_KEYS).contains(&call.keys().len()));
            assert_eq!(DeleteVectors::parse_request(&target(), &call.to_request()), Ok(call));
        }
        Err(RequestError::OtherOperation { .. }) => assert!(!DeleteVectors::is_call(request)),
        Err(error) => assert!(DeleteVectors::is_call(request) && !error.to_string().is_empty()),
    }
}

/// No request verifies with a secret that signed nothing.
fn check_authorization(request: &Request<Vec<u8>>) {
    let Ok(authorization) = Authorization::parse(request) else { return };
    let unknown = Credentials::new(authorization.access_key_id(), "a secret that signed nothing");
    let Ok(unknown) = unknown else { return };
    let outcome = authorization.verify(request, &Resource::from(&target()), &unknown);
    assert!(
        matches!(
            outcome,
            Err(VerifyError::SignatureMismatch { .. } | VerifyError::ScopeMismatch { .. })
        ),
        "{outcome:?}"
    );
}

/// The signed content of all conformance cases.
static SIGNED: LazyLock<BTreeSet<SignedContent>> = LazyLock::new(|| {
    let cases = signing_cases();
    cases
        .iter()
        .flat_map(|case| [&case.sdk, &case.compact])
        .map(|signed| SignedContent::of(&signed.request))
        .collect()
});

const KEYS: [&str; 5] = ["key1", "key2", "a", "b", "doc-001"];

/// A request deletes exactly its keys, and nothing if it is not one of the conformance cases.
fn check_emulator(request: &Request<Vec<u8>>) {
    let mut emulator = Emulator::with_vectors(&target(), credentials(), KEYS).unwrap();
    let (bucket, index) = ("examplebucket", "exampleindex");
    let now = Now::new(Duration::ZERO, time());
    let response = emulator.handle(now, request);
    let left = emulator.len(bucket, index).expect("indexes stay");
    if DeleteVectors::parse_response(&response).is_err() {
        assert!(response.status().as_u16() >= 400);
        assert_eq!((left, emulator.deleted_keys()), (KEYS.len(), 0));
        return;
    }
    assert!(
        SIGNED.contains(&SignedContent::of(request)),
        "executed an unsigned request: {request:?}"
    );
    let call = DeleteVectors::parse_request(&target(), request).expect("it was executed");
    assert_eq!(emulator.deleted_keys(), call.keys().len() as u64);
    let named = |key: &&str| call.keys().iter().any(|named| named.as_str() == *key);
    assert!(KEYS.iter().all(|key| named(key) != emulator.contains(bucket, index, key)));
    assert_eq!(left, KEYS.len() - KEYS.iter().filter(|key| named(key)).count());
}

/// A signed request is accepted in either form, and rejected if a signed byte is changed.
fn check_signing(original: &Request<Vec<u8>>, random: &mut Random) {
    let token = if random.below(2) == 0 { "" } else { "CAISsome+token/=" };
    let credentials = credentials().with_security_token(token).unwrap();
    let resource = Resource::from(&target());
    let names = original.headers().keys().filter(|_| random.below(2) == 0).cloned();
    let signer = Signer::new(resource.clone(), credentials.clone())
        .with_additional_headers(names.collect::<Vec<_>>());
    let mut signed = one_value_each(original);
    let form = if random.below(2) == 0 {
        signer.sign(&mut signed, time());
        AuthorizationForm::Header
    } else {
        let expires = Duration::from_secs(random.next());
        if signer.presign(&mut signed, time(), expires).is_err() {
            return;
        }
        AuthorizationForm::Query { expires }
    };
    let authorization = Authorization::parse(&signed)
        .unwrap_or_else(|why| panic!("{why}: {:?} {:?}", signed, signed.headers()));
    assert_eq!((authorization.form(), authorization.date()), (form, time()));
    assert_eq!(authorization.check_date(time()), Ok(()));
    assert_eq!(authorization.verify(&signed, &resource, &credentials), Ok(()));

    let content = SignedContent::of(&signed);
    for _ in 0..4 {
        let Some(changed) = with_one_change(&signed, random) else { continue };
        let is_accepted = Authorization::parse(&changed)
            .is_ok_and(|read| read.verify(&changed, &resource, &credentials).is_ok());
        assert!(
            !is_accepted || SignedContent::of(&changed) == content,
            "accepted {changed:?} for {signed:?}"
        );
    }
}

/// Keeps one value per header: repeated headers cannot be signed.
fn one_value_each(original: &Request<Vec<u8>>) -> Request<Vec<u8>> {
    let mut request = original.clone();
    let headers: HeaderMap = original
        .headers()
        .keys()
        .map(|name| (name.clone(), original.headers()[name].clone()))
        .collect();
    *request.headers_mut() = headers;
    request
}

/// Changes the method, or a byte of the query or of a header. `None` if the result is invalid.
fn with_one_change(original: &Request<Vec<u8>>, random: &mut Random) -> Option<Request<Vec<u8>>> {
    let mut request = original.clone();
    let names: Vec<HeaderName> = original.headers().keys().cloned().collect();
    match random.below(names.len() + 2) {
        0 => {
            *request.method_mut() =
                [Method::GET, Method::PUT, Method::POST][random.below(3)].clone();
        }
        1 => {
            let query = with_one_byte_changed(original.uri().query()?.as_bytes(), random)?;
            *request.uri_mut() =
                format!("{}?{}", original.uri().path(), str::from_utf8(&query).ok()?)
                    .parse()
                    .ok()?;
        }
        choice => {
            let name = &names[choice - 2];
            let value = with_one_byte_changed(original.headers()[name].as_bytes(), random)?;
            request.headers_mut().insert(name, HeaderValue::from_bytes(&value).ok()?);
        }
    }
    Some(request)
}

fn with_one_byte_changed(text: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut changed = text.to_vec();
    let at = random.below(text.len().max(1));
    *changed.get_mut(at)? = u8::try_from(32 + random.below(224)).expect("below 256");
    Some(changed)
}

/// FNV-1a. Seeds the random choices for an input.
fn hash(data: &[u8]) -> u64 {
    let hash = data.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.max(1)
}
