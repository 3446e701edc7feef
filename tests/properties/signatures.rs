//! Signed requests are accepted, and modified ones are not.

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Request, Uri};
use oss_delete_vectors::signing::{Authorization, AuthorizationForm};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::cases;
use crate::signed_content::SignedContent;
use crate::strategies::{Signing, signing};

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn signed_requests_are_accepted(signing in signing()) {
        let signed = signing.signed();
        prop_assert_eq!(signing.verify(&signed), Ok(()));
        let authorization = Authorization::parse(&signed).unwrap();
        prop_assert_eq!(authorization.access_key_id(), signing.credentials.access_key_id());
        prop_assert_eq!((authorization.date(), authorization.check_date(signing.time)), (signing.time, Ok(())));
        let form = signing.expires.map_or(AuthorizationForm::Header, |expires| AuthorizationForm::Query { expires });
        prop_assert_eq!(authorization.form(), form);
    }

    #[test]
    fn other_signers_and_resources_are_rejected((signing, other) in (signing(), signing())) {
        let signed = signing.signed();
        let (credentials, resource) = (other.credentials.clone(), other.resource.clone());
        if credentials.access_key_id() != signing.credentials.access_key_id() {
            let other_signer = Signing { credentials, ..signing.clone() };
            prop_assert!(other_signer.verify(&signed).is_err());
        }
        if resource != signing.resource {
            let other_resource = Signing { resource, ..signing.clone() };
            prop_assert!(other_resource.verify(&signed).is_err());
        }
    }

    #[test]
    fn changes_of_signed_bytes_are_rejected(signing in signing(), place: Index, at: Index, byte in 32..=255_u8) {
        let signed = signing.signed();
        // An invalid request never reaches the verification.
        if let Some(changed) = with_one_byte_changed(&signed, place, at, byte) {
            let is_equivalent = SignedContent::of(&changed) == SignedContent::of(&signed);
            prop_assert!(is_equivalent || signing.verify(&changed).is_err(), "{:?} {:?}", changed, changed.headers());
        }
    }

    #[test]
    fn changes_of_unsigned_bytes_are_accepted(signing in signing(), at: Index, byte in b'a'..=b'z') {
        let mut changed = signing.signed();
        let path = String::from_utf8(replaced(changed.uri().path().as_bytes(), at, byte)).unwrap();
        let path_and_query = format!("/{}?{}", path.trim_start_matches('/'), changed.uri().query().unwrap_or_default());
        *changed.uri_mut() = path_and_query.parse().unwrap();
        *changed.body_mut() = Bytes::from(vec![byte]);
        prop_assert_eq!(signing.verify(&changed), Ok(()));
    }
}

/// Changes a byte of the query or of a header. `None` if the result is not a valid request.
fn with_one_byte_changed(
    signed: &Request<Bytes>,
    place: Index,
    at: Index,
    byte: u8,
) -> Option<Request<Bytes>> {
    let mut changed = signed.clone();
    let names: Vec<HeaderName> = signed.headers().keys().cloned().collect();
    match place.index(names.len() + 1).checked_sub(1) {
        None => {
            let query = replaced(signed.uri().query()?.as_bytes(), at, byte);
            let uri = format!("{}?{}", signed.uri().path(), str::from_utf8(&query).ok()?);
            *changed.uri_mut() = uri.parse::<Uri>().ok()?;
        }
        Some(name) => {
            let value = replaced(signed.headers()[&names[name]].as_bytes(), at, byte);
            changed.headers_mut().insert(&names[name], HeaderValue::from_bytes(&value).ok()?);
        }
    }
    Some(changed)
}

fn replaced(text: &[u8], at: Index, byte: u8) -> Vec<u8> {
    let mut text = text.to_vec();
    if !text.is_empty() {
        let at = at.index(text.len());
        text[at] = byte;
    }
    text
}
