//! The emulator's PutVectors, GetVectors and ListVectors: pages, segments, tokens, and stale
//! listings.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use oss_delete_vectors::emulator::Emulator;
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::{
    DeleteVectors, GetVectors, KeyBatch, ListVectors, Listed, Operation, PutVectors, ServiceError,
    Vector,
};

use crate::calls::{BUCKET, INDEX, call_with_body, credentials, now, target};

fn signed_at(mut request: Request<Bytes>, passed: Duration) -> Request<Bytes> {
    Signer::new(&target(), credentials()).sign(&mut request, now(passed).wall);
    request
}

fn send<O: Operation>(emulator: &mut Emulator, call: &O) -> Result<O::Output, ServiceError> {
    send_at(emulator, call, Duration::ZERO)
}

fn send_at<O: Operation>(
    emulator: &mut Emulator,
    call: &O,
    passed: Duration,
) -> Result<O::Output, ServiceError> {
    let request = signed_at(call.to_request(), passed);
    O::parse_response_to(&credentials(), &emulator.handle(now(passed), &request))
}

fn holding(count: usize) -> Emulator {
    let keys = (0..count).map(|number| format!("doc-{number:05}"));
    Emulator::with_vectors(&target(), credentials(), keys).unwrap()
}

fn keys(page: &Listed) -> Vec<&str> {
    page.vectors().iter().map(Vector::key).collect()
}

/// All pages of a listing that starts with `call`.
fn list_all(emulator: &mut Emulator, call: &ListVectors) -> Vec<Listed> {
    let mut pages = vec![send(emulator, call).unwrap()];
    while let Some(token) = pages[pages.len() - 1].next_token() {
        let call = call.clone().next_token(token);
        pages.push(send(emulator, &call).unwrap());
        assert!(pages.len() < 1000);
    }
    pages
}

#[test]
fn vectors_are_put_found_listed_and_deleted() {
    let mut emulator = holding(0);
    let vector = |key: &str, data: &[f32], metadata: &str| {
        Vector::new(key).unwrap().with_data(data).with_metadata(metadata).unwrap()
    };
    let (a, b) = (vector("a", &[0.25, 3.0], r#"{"t":"x"}"#), vector("b", &[1.0], "{}"));
    send(&mut emulator, &PutVectors::new(&target(), vec![a.clone(), b.clone()]).unwrap()).unwrap();
    let get = GetVectors::new(&target(), KeyBatch::new(["b", "none", "a"]).unwrap()).unwrap();
    let found = send(&mut emulator, &get.clone().return_data().return_metadata()).unwrap();
    assert_eq!(found.vectors(), [b, a.clone()]);
    let found = send(&mut emulator, &get).unwrap();
    assert_eq!((found.vectors()[1].data(), found.vectors()[1].metadata()), (None, None));

    let listed = send(&mut emulator, &ListVectors::new(&target()).return_data()).unwrap();
    assert_eq!((keys(&listed), listed.vectors()[0].metadata()), (vec!["a", "b"], None));
    let replaced = vector("a", &[9.0], "{}");
    send(&mut emulator, &PutVectors::new(&target(), vec![replaced.clone()]).unwrap()).unwrap();
    send(&mut emulator, &DeleteVectors::new(&target(), KeyBatch::new(["b"]).unwrap())).unwrap();
    let found = send(&mut emulator, &get.return_data().return_metadata()).unwrap();
    assert_eq!(found.vectors(), [replaced]);
    assert_eq!((emulator.len(BUCKET, INDEX), emulator.deleted_keys()), (Some(1), 1));
}

#[test]
fn pages_contain_the_requested_parts() {
    let mut emulator = holding(1234);
    for (asked, sizes) in [(None, vec![500, 500, 234]), (Some(1000), vec![1000, 234])] {
        let call = ListVectors::new(&target());
        let call = asked.map_or(call.clone(), |most| call.max_results(most).unwrap());
        let pages = list_all(&mut emulator, &call);
        assert_eq!(pages.iter().map(|page| page.vectors().len()).collect::<Vec<_>>(), sizes);
        let all: Vec<&str> = pages.iter().flat_map(keys).collect();
        assert!(all.iter().copied().eq(emulator.keys(BUCKET, INDEX)));
    }
    // There is no page after one that ends with the last vector.
    let exact = list_all(&mut emulator, &ListVectors::new(&target()).max_results(617).unwrap());
    assert_eq!(exact.iter().map(|page| page.vectors().len()).collect::<Vec<_>>(), [617, 617]);
}

#[test]
fn segments_together_are_the_whole_index() {
    let mut emulator = holding(3000);
    for count in [1, 2, 7, 16] {
        let mut all = Vec::new();
        for index in 0..count {
            let call = ListVectors::new(&target()).max_results(100).unwrap();
            let pages = list_all(&mut emulator, &call.segment(index, count).unwrap());
            let part: Vec<String> = pages.iter().flat_map(keys).map(str::to_owned).collect();
            assert!(part.len() > 3000 / usize::from(count) / 2, "{index} of {count}");
            all.extend(part);
        }
        assert_eq!(all.len(), 3000, "{count}");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 3000, "{count}");
    }
}

#[test]
fn pages_are_limited_to_a_megabyte() {
    let mut emulator = holding(0);
    let wide = |number: usize| {
        Vector::new(&number.to_string()).unwrap().with_data(vec![0.123_456_78; 1024])
    };
    emulator.put_whole_vectors(BUCKET, INDEX, (0..300).map(wide)).unwrap();
    let call = ListVectors::new(&target()).max_results(1000).unwrap();
    assert_eq!(list_all(&mut emulator, &call).len(), 1);
    let pages = list_all(&mut emulator, &call.return_data());
    assert_eq!(pages.iter().map(|page| page.vectors().len()).sum::<usize>(), 300);
    for page in &pages {
        assert!(page.to_response().body().len() <= 1_000_000);
        assert_eq!(page.vectors()[0].data().map(<[f32]>::len), Some(1024));
    }
    assert!((6..9).contains(&pages.len()), "{}", pages.len());
}

#[test]
fn pages_before_the_last_can_be_empty() {
    let mut emulator = holding(25_000);
    let last = Vector::new("z").unwrap().with_metadata(r#"{"t":1}"#).unwrap();
    emulator.put_whole_vectors(BUCKET, INDEX, [last]).unwrap();
    let call = ListVectors::new(&target()).filter(r#"{"t":1}"#.parse().unwrap());
    let pages = list_all(&mut emulator, &call);
    assert_eq!(pages.iter().map(keys).collect::<Vec<_>>(), [vec![], vec![], vec!["z"]]);
}

#[test]
fn listings_can_be_configured_to_be_stale() {
    let mut emulator = holding(10);
    emulator.set_listing_delay(Duration::from_secs(5));
    let gone = KeyBatch::new(["doc-00003", "doc-00007"]).unwrap();
    send(&mut emulator, &DeleteVectors::new(&target(), gone.clone())).unwrap();
    let get = GetVectors::new(&target(), gone).unwrap();
    assert!(
        send(&mut emulator, &get).unwrap().vectors().is_empty(),
        "GetVectors sees the deletion at once"
    );
    for (seconds, count) in [(0, 10), (4, 10), (5, 8), (60, 8)] {
        let call = ListVectors::new(&target());
        let page = send_at(&mut emulator, &call, Duration::from_secs(seconds)).unwrap();
        assert_eq!(page.vectors().len(), count, "after {seconds} s");
        assert!(keys(&page).is_sorted());
    }
    // A vector that is put again is listed once.
    send(&mut emulator, &DeleteVectors::new(&target(), KeyBatch::new(["doc-00001"]).unwrap()))
        .unwrap();
    let again = vec![Vector::new("doc-00001").unwrap().with_data([1.0])];
    send(&mut emulator, &PutVectors::new(&target(), again).unwrap()).unwrap();
    assert_eq!(send(&mut emulator, &ListVectors::new(&target())).unwrap().vectors().len(), 8);
}

#[test]
fn tokens_are_checked_and_expire() {
    let mut emulator = holding(2000);
    let call = ListVectors::new(&target());
    let token = send(&mut emulator, &call).unwrap().next_token().unwrap().to_owned();
    let filtered = call.clone().filter(r#"{"a":1}"#.parse().unwrap());
    for other in [
        call.clone().next_token("nonsense"),
        call.clone().next_token(&token[1..]),
        call.clone().next_token(&token).segment(0, 2).unwrap(),
        filtered.next_token(&token),
    ] {
        let error = send(&mut emulator, &other).unwrap_err();
        assert_eq!(error.code(), "VectorIndexParameterInvalid");
        assert!(error.message().starts_with("nextToken must be the token of the page before"));
    }
    emulator.set_token_lifetime(Some(Duration::from_secs(60)));
    let call = call.next_token(&token);
    send_at(&mut emulator, &call, Duration::from_secs(59)).unwrap();
    let error = send_at(&mut emulator, &call, Duration::from_secs(60)).unwrap_err();
    assert!(error.message().starts_with("nextToken must not have expired"), "{error}");
}

#[test]
fn invalid_requests_are_rejected_with_the_reason() {
    let mut emulator = holding(3);
    let mut respond = |name: &str, body: &str| {
        let mut request = call_with_body(body.replace('\'', "\"").into_bytes());
        let uri = request.uri().to_string().replace("deleteVectors", name);
        *request.uri_mut() = uri.parse().unwrap();
        let response: Response<Bytes> =
            emulator.handle(now(Duration::ZERO), &signed_at(request, Duration::ZERO));
        ListVectors::parse_response(&response).unwrap_err().to_string()
    };
    for (name, members, expected) in [
        ("listVectors", "'maxResults':0", "maxResults must be 1 to 1000, not \"0\""),
        ("listVectors", "'maxResults':1001", "maxResults must be 1 to 1000, not \"1001\""),
        (
            "listVectors",
            "'maxResults':'5'",
            "MalformedJson: malformed body: maxResults must be a whole number",
        ),
        ("listVectors", "'maxResults':18446744073709551615", "maxResults must be 1 to 1000"),
        ("listVectors", "'segmentCount':17,'segmentIndex':0", "segment count must be 1 to 16"),
        ("listVectors", "'segmentCount':2,'segmentIndex':2", "segment index must be at least 0"),
        ("listVectors", "'segmentIndex':-1,'segmentCount':4", "segment index must be at least 0"),
        ("listVectors", "'filter':'x'", "filter must be a JSON object"),
        ("listVectors", "'filter':{}", "filter must be a JSON object"),
        ("listVectors", "'returnData':1", "returnData must be true or false"),
        ("getVectors", "'keys':[]", "keys must be 1 to 500 unique keys, got none"),
        ("getVectors", "'keys':[1]", "malformed body: keys must be strings"),
        ("putVectors", "'vectors':[]", "vectors must be 1 to 500"),
        ("putVectors", "'vectors':[{'key':'a'}]", "data of each vector must hold a number"),
        ("putVectors", "'vectors':[{'key':'a','data':{'float32':[]}}]", "must hold a number"),
        ("putVectors", "'vectors':[{'key':'a','data':{'float32':['1']}}]", "data.float32 must be"),
        ("putVectors", "'vectors':[{'key':'','data':{'float32':[1]}}]", "key must be 1 to 1024"),
        (
            "putVectors",
            "'vectors':[{'key':'a','data':{'float32':[1]},'metadata':1}]",
            "metadata must be an object",
        ),
        (
            "queryVectors",
            "'topK':3",
            "501 NotImplemented: the emulator implements POST ?deleteVectors, ",
        ),
        ("getVectorIndex", "'a':1", "501 NotImplemented: "),
        ("deleteVectors&listVectors", "'keys':['a']", "501 NotImplemented: "),
    ] {
        let text = respond(name, &format!("{{'indexName':'vectorindex1',{members}}}"));
        assert!(text.contains(expected), "{name} {members}: {text}");
    }
    assert!(respond("listVectors", "{'indexName':'other'}").contains("NoSuchVectorIndex"));
    assert!(
        respond(
            "putVectors",
            "{'indexName':'other','vectors':[{'key':'a','data':{'float32':[1]}}]}"
        )
        .contains("NoSuchVectorIndex")
    );
}
