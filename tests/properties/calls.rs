//! Any call survives a round trip.

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use http::{Request, StatusCode};
use md5::{Digest, Md5};
use oss_delete_vectors::{DeleteVectors, Key, KeyBatch, Operation, ServiceError, Target};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cases;
use crate::strategies::{keys, text};

fn target(index_name: &str) -> Target {
    Target::builder()
        .region("cn-hangzhou")
        .account_id("1234567890123456")
        .bucket("examplebucket")
        .index_name(index_name)
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn calls_round_trip(keys in keys(30), index_name in text(1..=20)) {
        let call = DeleteVectors::new(&target(&index_name), keys);
        let request = call.to_request();
        prop_assert_eq!(&DeleteVectors::parse_request(&target("other"), &request).unwrap(), &call);
        // Any JSON parser reads the same.
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let texts: Vec<&str> = call.keys().iter().map(Key::as_str).collect();
        prop_assert_eq!(body, json!({ "indexName": index_name, "keys": texts }));
        prop_assert_eq!(request.headers()["content-md5"].to_str().unwrap(), Base64::encode_string(&Md5::digest(request.body())));
    }

    /// The official SDK escapes keys like this.
    #[test]
    fn escaped_keys_are_parsed(keys in keys(30)) {
        let escaped = |key: Key<'_>| key.as_str().encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
        let members: Vec<String> = keys.iter().map(|key| format!("\"{}\"", escaped(key))).collect();
        let body = format!("{{\"keys\": [{}], \"indexName\": \"i\"}}", members.join(", "));
        let request = Request::post("/?deleteVectors").body(Bytes::from(body)).unwrap();
        let call = DeleteVectors::parse_request(&target("i"), &request).unwrap();
        prop_assert_eq!(call.keys(), &keys);
    }

    #[test]
    fn key_length_is_counted_in_characters(text in prop_oneof![text(0..=3), text(1020..=1030)]) {
        let is_key = (1..=1024).contains(&text.chars().count());
        prop_assert_eq!(Key::new(&text).is_ok(), is_key);
        prop_assert_eq!(KeyBatch::new([&text]).is_ok(), is_key);
    }

    #[test]
    fn service_errors_round_trip(status in 400..600_u16, code in text(1..=20), message in text(0..=40), ec in "[ -~]{1,9}") {
        let error = ServiceError::new(StatusCode::from_u16(status).unwrap(), code.as_str(), message.as_str()).with_ec(ec.as_str());
        let read = DeleteVectors::parse_response(&error.to_response()).unwrap_err();
        prop_assert_eq!((read.status().as_u16(), read.code(), read.message(), read.ec()), (status, &*code, &*message, Some(&*ec)));
        prop_assert!(!read.to_string().contains(char::is_control));
    }
}
