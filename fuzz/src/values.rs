//! Endpoints, targets and keys: valid values work, and errors are short and contain no secrets.

use std::collections::BTreeSet;

use oss_delete_vectors::{DeleteVectors, Endpoint, InvalidValue, Key, KeyBatch, Target};

use crate::example::target;

/// The input is lines: an endpoint, a region, an account id, a bucket and an index name. All lines
/// are also used as keys.
pub fn values(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<&str> = text.split('\n').collect();
    let line = |number: usize| lines.get(number).copied().unwrap_or_default();
    check_endpoint(line(0), [line(1), line(2), line(3), line(4)]);
    lines.iter().for_each(|line| check_key(line));
    check_batch(&lines);
}

fn check_endpoint(text: &str, parts: [&str; 4]) {
    let endpoint = match text.parse::<Endpoint>() {
        Ok(endpoint) => endpoint,
        Err(error) => {
            check_error(&error);
            assert_eq!(error.field(), "endpoint");
            assert!(
                !text.contains('@') || error.value().is_none(),
                "user information may contain a password"
            );
            return;
        }
    };
    assert!(!text.contains(['@', '?', '#', '\\']));
    assert_eq!(endpoint.to_string().parse::<Endpoint>().as_ref(), Ok(&endpoint));
    let usual = ["cn-hangzhou", "1234567890123456", "examplebucket", "exampleindex"];
    for [region, account_id, bucket, index_name] in [usual, parts] {
        for endpoint in [
            endpoint.clone(),
            endpoint.clone().with_path_style(),
            Endpoint::public(),
            Endpoint::internal(),
        ] {
            let builder = Target::builder()
                .region(region)
                .account_id(account_id)
                .bucket(bucket)
                .index_name(index_name)
                .endpoint(endpoint.clone());
            match builder.build() {
                Ok(target) => check_target(&target, &endpoint),
                Err(error) => check_error(&error),
            }
        }
    }
}

/// Requests go to the host of the endpoint.
fn check_target(target: &Target, endpoint: &Endpoint) {
    let uri = target.uri();
    let shown = endpoint.to_string().replace("{region}", target.region());
    let (scheme, authority) = shown.split_once("://").expect("a URL");
    assert_eq!(uri.scheme_str(), Some(scheme));
    let sent_to = uri.authority().expect("an absolute URI").as_str();
    let names = format!("{}-{}.{authority}", target.bucket(), target.account_id());
    match uri.path() {
        "/" => assert_eq!(sent_to, names),
        path => assert_eq!((sent_to, path), (authority, format!("/{}/", target.bucket()).as_str())),
    }
    assert_eq!(uri.query(), Some("deleteVectors"));
    let call = DeleteVectors::new(target, KeyBatch::new(["a"]).unwrap());
    assert_eq!(DeleteVectors::parse_request(target, &call.to_request()), Ok(call));
}

fn check_key(text: &str) {
    let is_key = (1..=1024).contains(&text.chars().count());
    match Key::new(text) {
        Ok(key) => assert!(is_key && key.as_str() == text),
        Err(error) => {
            assert!(!is_key);
            check_error(&error);
        }
    }
}

/// A batch has each key once, in order of first occurrence, and round-trips through a request.
fn check_batch(keys: &[&str]) {
    let mut seen = BTreeSet::new();
    let unique: Vec<&str> = keys.iter().copied().filter(|key| seen.insert(*key)).collect();
    let is_batch =
        unique.len() <= KeyBatch::MAX_KEYS && keys.iter().all(|key| Key::new(key).is_ok());
    match KeyBatch::new(keys) {
        Ok(batch) => {
            assert!(is_batch);
            assert!(batch.iter().map(Key::as_str).eq(unique));
            assert_eq!(batch.duplicates(), keys.len() - batch.len());
            let call = DeleteVectors::new(&target(), batch);
            assert_eq!(DeleteVectors::parse_request(&target(), &call.to_request()), Ok(call));
        }
        Err(error) => {
            assert!(!is_batch);
            check_error(&error);
        }
    }
}

/// An error contains enough of the value to recognize it, but not so much that it floods a log.
fn check_error(error: &InvalidValue) {
    assert!(error.value().is_none_or(|value| value.chars().count() <= 81));
    assert!(!error.field().is_empty() && error.to_string().contains(error.rule()));
    assert!(!error.to_string().contains(char::is_control));
}
