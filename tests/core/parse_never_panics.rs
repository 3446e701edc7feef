//! Any bytes are parsed without a panic, with the same result every time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::calls::{call, presigned, signed, target, time, with_token};
use crate::fixtures::{error_cases, signing_cases};
use crate::random::Random;
use bytes::Bytes;
use http::header::HeaderValue;
use http::{HeaderMap, Request, Response, StatusCode};
use oss_delete_vectors::signing::{Authorization, Resource};
use oss_delete_vectors::{
    DeleteVectors, GetVectors, KeyBatch, ListVectors, Listed, Operation, PutVectors, RequestError,
    Vector,
};

/// Fragments that are hard to parse.
const PIECES: [&[u8]; 24] = [
    b"",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x98",
    b"\"",
    b"\\u",
    b"\\ud800",
    b"{",
    b"[[[[[[[[",
    b"}",
    b":",
    b"\"Code\"",
    b"\"Error\":",
    b"<Error>",
    b"</",
    b"<!--",
    b"<![CDATA[",
    b"&#x110000;",
    b"&#;",
    b"%",
    b"=,;",
    b"x-oss-date=",
    b"9999999999999999999999",
];

/// `text` with up to eight changes: a byte replaced, a fragment inserted, or a part removed,
/// doubled or cut off.
fn mutated(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..random.below(8) {
        let from = random.below(text.len() + 1);
        let to = from + random.below(text.len() - from + 1).min(40);
        match random.below(5) {
            0 if from < text.len() => text[from] = u8::try_from(random.below(256)).unwrap(),
            1 => drop(text.splice(from..from, PIECES[random.below(PIECES.len())].iter().copied())),
            2 => drop(text.drain(from..to)),
            3 => text.splice(from..from, text[from..to].to_vec()).for_each(drop),
            _ => text.truncate(from),
        }
    }
    text
}

/// Changes some of `headers`. Drops invalid values.
fn mutated_headers(headers: &HeaderMap, random: &mut Random) -> HeaderMap {
    let mut out = HeaderMap::new();
    for (name, value) in headers {
        let value = if random.below(3) == 0 {
            mutated(value.as_bytes(), random)
        } else {
            value.as_bytes().to_vec()
        };
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            out.append(name, value);
        }
    }
    out
}

/// Parses a response twice, and checks that the result is consistent.
fn read_response(response: &Response<Vec<u8>>) -> String {
    let outcome = DeleteVectors::parse_response(response);
    assert_eq!(DeleteVectors::parse_response(response), outcome);
    let error = match outcome {
        Ok(deleted) => {
            let status = response.status();
            assert!(
                status == StatusCode::NO_CONTENT
                    || status.is_success() && deleted.request_id().is_some(),
                "{response:?}"
            );
            return "deleted".to_owned();
        }
        Err(error) => error,
    };
    assert_eq!(error.status(), response.status());
    assert!(!error.code().is_empty());
    assert!(!error.to_string().contains(char::is_control), "{error}");
    read_page(response);
    let _ = (error.advice(&target()), error.retry_after(time()));
    // A server that forwards the error sends the same one, except for a 204, which is always a
    // success.
    if error.status() != StatusCode::NO_CONTENT {
        let again = DeleteVectors::parse_response(&error.to_response()).unwrap_err();
        assert_eq!(
            (again.code(), again.message()),
            (error.code(), error.message()),
            "{response:?}"
        );
        assert_eq!(
            (again.request_id(), again.ec(), again.date()),
            (error.request_id(), error.ec(), error.date())
        );
    }
    error.code().to_owned()
}

/// Parses the response as one to a listing, a lookup and a put. Never a deletion.
fn read_page(response: &Response<Vec<u8>>) {
    let errors = [
        ListVectors::parse_response(response).err(),
        GetVectors::parse_response(response).err(),
        PutVectors::parse_response(response).err(),
    ];
    for error in errors.into_iter().flatten() {
        assert_eq!(error.status(), response.status());
        assert!(!error.may_have_deleted());
        assert!(!error.to_string().contains(char::is_control), "{error}");
        let _ = error.advice(&target());
    }
}

#[test]
fn modified_pages_are_parsed() {
    let vectors = ["a", "b\"\u{e9}"].map(|key| {
        Vector::new(key).unwrap().with_data([0.5, -3e9]).with_metadata(r#"{"t":["x",1]}"#).unwrap()
    });
    let page = Listed::new("id", vectors.to_vec()).with_next_token("token").to_response();
    let mut random = Random::new(8);
    let mut read = 0;
    for _ in 0..10_000 {
        let response = page.clone().map(|body| mutated(&body, &mut random));
        read_page(&response);
        if let Ok(page) = ListVectors::parse_response(&response) {
            read += 1;
            // A parsed page survives a round trip.
            let again = ListVectors::parse_response(&page.to_response()).unwrap();
            assert_eq!((again.vectors(), again.next_token()), (page.vectors(), page.next_token()));
        }
    }
    assert!((500..9500).contains(&read), "{read} pages were parsed");
}

#[test]
fn truncated_responses_are_parsed() {
    for case in error_cases() {
        let Some(response) = case.response else { continue };
        // At every byte of the small ones, and at some bytes of the large ones.
        for end in (0..=response.body().len()).step_by(response.body().len() / 500 + 1) {
            read_response(&response.clone().map(|body| body[..end].to_vec()));
        }
    }
}

#[test]
fn modified_responses_are_parsed() {
    let responses: Vec<_> = error_cases().into_iter().filter_map(|case| case.response).collect();
    let mut random = Random::new(2);
    let mut codes = BTreeMap::<String, u32>::new();
    for _ in 0..10_000 {
        let original = &responses[random.below(responses.len())];
        let body = mutated(&original.body()[..original.body().len().min(2000)], &mut random);
        let mut response = Response::new(body);
        *response.headers_mut() = mutated_headers(original.headers(), &mut random);
        *response.status_mut() = match random.below(4) {
            0 => StatusCode::from_u16(u16::try_from(100 + random.below(900)).unwrap()).unwrap(),
            _ => original.status(),
        };
        *codes.entry(read_response(&response)).or_default() += 1;
    }
    // Most changes must leave the response parseable. Otherwise only the error path is tested.
    for code in
        ["deleted", "BadErrorResponse", "NoSuchVectorIndex", "QpsLimitExceeded", "AccessDenied"]
    {
        assert!(codes[code] > 100, "{code}: {}", codes[code]);
    }
}

#[test]
fn random_responses_are_parsed() {
    let mut random = Random::new(3);
    for _ in 0..5000 {
        let body: Vec<u8> =
            (0..random.below(200)).map(|_| u8::try_from(random.next() >> 56).unwrap()).collect();
        for status in [
            StatusCode::OK,
            StatusCode::NO_CONTENT,
            StatusCode::NOT_FOUND,
            StatusCode::SERVICE_UNAVAILABLE,
        ] {
            let mut response = Response::new(body.clone());
            *response.status_mut() = status;
            if let Ok(value) = HeaderValue::from_bytes(&body) {
                for name in [
                    "x-oss-err",
                    "x-oss-request-id",
                    "date",
                    "retry-after",
                    "x-oss-qos-delay-time",
                    "x-oss-error-type",
                ] {
                    response.headers_mut().insert(name, value.clone());
                }
            }
            read_response(&response);
        }
    }
}

/// Thousands of brackets must not cause recursion.
#[test]
fn deep_nesting_is_parsed_without_recursion() {
    for (open, close) in
        [("[", "]"), ("{\"Error\":", "}"), ("<Error>", "</Error>"), ("<!--", "-->"), ("&", ";")]
    {
        let body =
            format!("{{\"Error\":{}{}", open.repeat(100_000), close.repeat(100_000)).into_bytes();
        for body in [body.clone(), body[9..].to_vec()] {
            let mut response = Response::new(body.clone());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            assert_eq!(read_response(&response), "BadErrorResponse");
            let refused = DeleteVectors::parse_request(
                &target(),
                &Request::post("/?deleteVectors").body(body).unwrap(),
            );
            assert!(matches!(refused, Err(RequestError::MalformedJson(_))));
        }
    }
}

/// Parses the same body as a request of the other operations.
fn read_other_requests(request: &Request<Vec<u8>>) {
    let (parts, body) = request.clone().into_parts();
    let named = |name: &str| {
        let mut request = Request::from_parts(parts.clone(), body.clone());
        *request.uri_mut() = format!("/?{name}").parse().unwrap();
        request
    };
    if let Ok(call) = ListVectors::parse_request(&target(), &named("listVectors")) {
        assert_eq!(ListVectors::parse_request(&target(), &call.to_request()), Ok(call));
    }
    if let Ok(call) = GetVectors::parse_request(&target(), &named("getVectors")) {
        assert_eq!(GetVectors::parse_request(&target(), &call.to_request()), Ok(call));
    }
    let _ = PutVectors::parse_request(&target(), &named("putVectors"));
}

/// Parses a request twice. A valid one survives a round trip.
fn read_request(request: &Request<Vec<u8>>) -> &'static str {
    read_other_requests(request);
    let outcome = DeleteVectors::parse_request(&target(), request);
    assert_eq!(DeleteVectors::parse_request(&target(), request), outcome);
    match outcome {
        Ok(call) => {
            assert!((1..=KeyBatch::MAX_KEYS).contains(&call.keys().len()));
            assert_eq!(DeleteVectors::parse_request(&target(), &call.to_request()), Ok(call));
            "call"
        }
        Err(RequestError::OtherOperation { .. }) => "not delete vectors",
        Err(RequestError::InvalidDigest) => "digest",
        Err(RequestError::MalformedJson(_)) => "json",
        Err(RequestError::InvalidParameter(_)) => "parameter",
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn modified_requests_are_parsed() {
    let mut requests: Vec<Request<Bytes>> =
        signing_cases().into_iter().map(|case| case.compact.request).collect();
    requests.retain(|request| request.body().len() < 2000);
    let mut random = Random::new(4);
    let mut outcomes = BTreeMap::<&str, u32>::new();
    for _ in 0..10_000 {
        let original = &requests[random.below(requests.len())];
        let mut request = Request::new(mutated(original.body(), &mut random));
        *request.method_mut() = original.method().clone();
        *request.headers_mut() = mutated_headers(original.headers(), &mut random);
        // A wrong digest would hide later errors.
        if random.below(4) > 0 {
            request.headers_mut().remove("content-md5");
        }
        let query = mutated(b"/?deleteVectors", &mut random);
        let uri = if random.below(8) == 0 {
            str::from_utf8(&query).unwrap_or("/")
        } else {
            "/?deleteVectors"
        };
        *request.uri_mut() = uri.parse().unwrap_or_default();
        *outcomes.entry(read_request(&request)).or_default() += 1;
    }
    for outcome in ["call", "not delete vectors", "digest", "json", "parameter"] {
        assert!(outcomes.get(outcome).is_some_and(|&count| count > 30), "{outcomes:?}");
    }
}

#[test]
fn modified_authorizations_are_parsed() {
    let mut requests: Vec<Request<Bytes>> =
        signing_cases().into_iter().map(|case| case.sdk.request).collect();
    requests.extend([signed(call(&["a"])), presigned(call(&["a"]), Duration::MAX)]);
    let resource = Resource::from(&target());
    let mut random = Random::new(5);
    let mut outcomes = BTreeMap::<String, u32>::new();
    for _ in 0..10_000 {
        let mut request = requests[random.below(requests.len())].clone();
        *request.headers_mut() = mutated_headers(request.headers(), &mut random);
        let query = request.uri().query().unwrap_or_default();
        let query = mutated(query.as_bytes(), &mut random);
        if let Some(uri) =
            str::from_utf8(&query).ok().and_then(|query| format!("/?{query}").parse().ok())
        {
            *request.uri_mut() = uri;
        }
        let read = || match Authorization::parse(&request) {
            Err(why) => why.to_string(),
            Ok(authorization) => {
                let dated = authorization.check_date(time()).is_ok();
                // No request was signed with this token, so none may be accepted.
                let why = authorization.verify(&request, &resource, &with_token()).unwrap_err();
                format!("in time: {dated}, {why}")
            }
        };
        let outcome = read();
        assert_eq!(read(), outcome);
        *outcomes.entry(outcome).or_default() += 1;
    }
    assert!(
        outcomes["in time: true, the signature does not match the request"] > 500,
        "{outcomes:#?}"
    );
    assert!(outcomes["the request carries no authorization"] > 50, "{outcomes:#?}");
    assert!(outcomes.len() > 20, "{outcomes:#?}");
}
