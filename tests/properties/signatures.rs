//! What was signed is accepted, and nothing else is.

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
    fn what_is_signed_is_accepted(signing in signing()) {
        let signed = signing.signed();
        prop_assert_eq!(signing.verify(&signed), Ok(()));
        let authorization = Authorization::parse(&signed).unwrap();
        prop_assert_eq!(authorization.access_key_id(), signing.credentials.access_key_id());
        prop_assert_eq!((authorization.date(), authorization.check_date(signing.time)), (signing.time, Ok(())));
        let form = signing.expires.map_or(AuthorizationForm::Header, |expires| AuthorizationForm::Query { expires });
        prop_assert_eq!(authorization.form(), form);
    }

    #[test]
    fn a_signature_is_for_its_signer_and_its_resource_alone((signing, other) in (signing(), signing())) {
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
    fn one_byte_changed_in_what_is_signed_is_refused(signing in signing(), place: Index, at: Index, byte in 32..=255_u8) {
        let signed = signing.signed();
        // What is no request is refused before anyone could verify it.
        if let Some(changed) = with_one_byte_changed(&signed, place, at, byte) {
            let says_the_same = SignedContent::of(&changed) == SignedContent::of(&signed);
            prop_assert!(says_the_same || signing.verify(&changed).is_err(), "{:?} {:?}", changed, changed.headers());
        }
    }

    #[test]
    fn one_byte_changed_in_what_is_not_signed_is_accepted(signing in signing(), at: Index, byte in b'a'..=b'z') {
        let mut changed = signing.signed();
        let path = String::from_utf8(replaced(changed.uri().path().as_bytes(), at, byte)).unwrap();
        let path_and_query = format!("/{}?{}", path.trim_start_matches('/'), changed.uri().query().unwrap_or_default());
        *changed.uri_mut() = path_and_query.parse().unwrap();
        *changed.body_mut() = Bytes::from(vec![byte]);
        prop_assert_eq!(signing.verify(&changed), Ok(()));
    }
}

/// In the query or in one of the headers; `None` where that makes no request.
fn with_one_byte_changed(signed: &Request<Bytes>, place: Index, at: Index, byte: u8) -> Option<Request<Bytes>> {
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
