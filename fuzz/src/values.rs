//! Endpoints, targets and keys: what is taken can be used, and what is refused is told in short and without secrets.

use std::collections::BTreeSet;

use oss_delete_vectors::{DeleteVectors, Endpoint, Invalid, Key, KeyBatch, Target};

use crate::example::target;

/// Lines of text: an endpoint, a region, an account id, a bucket, an index name; and all of them as keys.
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
        Err(refused) => {
            check_refusal(&refused);
            assert_eq!(refused.field(), "endpoint");
            assert!(!text.contains('@') || refused.value().is_none(), "user information may hold a password");
            return;
        }
    };
    assert!(!text.contains(['@', '?', '#', '\\']));
    assert_eq!(endpoint.to_string().parse::<Endpoint>().as_ref(), Ok(&endpoint));
    let usual = ["cn-hangzhou", "1234567890123456", "examplebucket", "exampleindex"];
    for [region, account_id, bucket, index_name] in [usual, parts] {
        for endpoint in [endpoint.clone(), endpoint.clone().with_path_style(), Endpoint::public(), Endpoint::internal()] {
            let builder = Target::builder(region, account_id, bucket).index_name(index_name).endpoint(endpoint.clone());
            match builder.build() {
                Ok(target) => check_target(&target, &endpoint),
                Err(refused) => check_refusal(&refused),
            }
        }
    }
}

/// Requests go to the endpoint's host and to no other.
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
        Err(refused) => {
            assert!(!is_key);
            check_refusal(&refused);
        }
    }
}

/// A batch holds each of its keys once, in the order in which they came, and carries them through a request.
fn check_batch(keys: &[&str]) {
    let mut seen = BTreeSet::new();
    let unique: Vec<&str> = keys.iter().copied().filter(|key| seen.insert(*key)).collect();
    let is_batch = unique.len() <= KeyBatch::MAX_KEYS && keys.iter().all(|key| Key::new(key).is_ok());
    match KeyBatch::new(keys) {
        Ok(batch) => {
            assert!(is_batch);
            assert!(batch.iter().map(Key::as_str).eq(unique));
            assert_eq!(batch.duplicates(), keys.len() - batch.len());
            let call = DeleteVectors::new(&target(), batch);
            assert_eq!(DeleteVectors::parse_request(&target(), &call.to_request()), Ok(call));
        }
        Err(refused) => {
            assert!(!is_batch);
            check_refusal(&refused);
        }
    }
}

/// Enough to recognise the value, too little to flood a log.
fn check_refusal(refused: &Invalid) {
    assert!(refused.value().is_none_or(|value| value.chars().count() <= 81));
    assert!(!refused.field().is_empty() && refused.to_string().contains(refused.rule()));
    assert!(!refused.to_string().contains(char::is_control));
}
