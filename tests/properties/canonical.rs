//! The canonical request does not depend on the order or the escapes of a request.

use http::header::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::cases;
use crate::strategies::{Signing, query_piece, signing};

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn order_of_headers_does_not_matter(signing in signing(), turn: Index) {
        let mut reordered = signing.request.clone();
        let mut headers: Vec<_> = reordered.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        if !headers.is_empty() {
            headers.rotate_left(turn.index(signing.request.headers().len()));
            headers.reverse();
        }
        *reordered.headers_mut() = headers.into_iter().collect::<HeaderMap>();
        let names = signing.additional.iter().rev().chain(&signing.additional).cloned().collect();
        let canonical = signing.sign(&mut signing.request.clone());
        prop_assert_eq!(Signing { additional: names, ..signing }.sign(&mut reordered), canonical);
    }

    #[test]
    fn order_of_parameters_does_not_matter(signing in signing(), pieces in prop::collection::vec(query_piece(), 0..8), turn: Index) {
        let sign = |pieces: &[String]| {
            let mut request = signing.request.clone();
            *request.uri_mut() = format!("/?{}", pieces.join("&")).parse().unwrap();
            signing.sign(&mut request)
        };
        let mut reordered: Vec<String> = pieces.clone();
        if !reordered.is_empty() {
            reordered.rotate_left(turn.index(pieces.len()));
            reordered.reverse();
        }
        prop_assert_eq!(sign(&reordered), sign(&pieces));
    }

    #[test]
    fn escapes_in_the_query_do_not_matter(signing in signing(), name in "[a-z~]{1,6}", value in "[A-Z0-9/:]{1,6}") {
        let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let sign = |query: &str| {
            let mut request = signing.request.clone();
            *request.uri_mut() = format!("/?{query}").parse().unwrap();
            signing.sign(&mut request)
        };
        let plain = sign(&format!("{name}={value}"));
        prop_assert_eq!(sign(&format!("&{}={}&", escaped(&name), escaped(&value))), plain);
    }

    #[test]
    fn white_space_around_values_does_not_matter(signing in signing(), before in "[ \t]{0,3}", after in "[ \t]{0,3}") {
        let mut spaced = signing.request.clone();
        for value in spaced.headers_mut().values_mut() {
            let bytes = [before.as_bytes(), value.as_bytes(), after.as_bytes()].concat();
            *value = HeaderValue::from_bytes(&bytes).unwrap();
        }
        prop_assert_eq!(signing.sign(&mut spaced), signing.sign(&mut signing.request.clone()));
    }
}
