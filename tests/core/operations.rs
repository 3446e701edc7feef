//! ListVectors, GetVectors and PutVectors: the exact bytes of requests, and the meaning of
//! responses.

use http::{Request, Response, StatusCode};
use oss_delete_vectors::{
    DeleteVectors, Filter, GetVectors, InvalidValue, KeyBatch, ListVectors, Listed, Operation,
    PutVectors, RequestError, ServiceError, Vector, code,
};

use crate::calls::{target, with_token};
use crate::canary::{SECRET, TOKEN};

fn response(status: u16, request_id: Option<&str>, body: &str) -> Response<String> {
    let mut response = Response::new(body.to_owned());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(id) = request_id {
        response.headers_mut().insert("x-oss-request-id", id.parse().unwrap());
    }
    response
}

fn list(body: &str) -> Result<Listed, ServiceError> {
    ListVectors::parse_response(&response(200, Some("id"), body))
}

#[test]
fn requests_have_exact_bytes() {
    let list = ListVectors::new(&target());
    let all = list.clone().max_results(7).unwrap().next_token("a\"b").segment(3, 16).unwrap();
    let all = all.return_data().return_metadata().filter(r#"{"a": 1}"#.parse().unwrap());
    let get = GetVectors::new(&target(), KeyBatch::new(["a", "\u{1f}"]).unwrap()).unwrap();
    let put = vec![
        Vector::new("a").unwrap().with_data([0.5, -1.0, f32::NAN]),
        Vector::new("b").unwrap().with_data([2.0]).with_metadata(r#"{"t":["x"]}"#).unwrap(),
    ];
    let put = PutVectors::new(&target(), put).unwrap();
    for (request, name, body) in [
        (list.to_request(), "listVectors", r#"{"indexName":"vectorindex1"}"#),
        (
            all.to_request(),
            "listVectors",
            r#"{"indexName":"vectorindex1","maxResults":7,"nextToken":"a\"b","returnData":true,"returnMetadata":true,"segmentCount":16,"segmentIndex":3,"filter":{"a": 1}}"#,
        ),
        (
            get.return_data().to_request(),
            "getVectors",
            r#"{"indexName":"vectorindex1","keys":["a","\u001f"],"returnData":true}"#,
        ),
        (
            put.to_request(),
            "putVectors",
            r#"{"indexName":"vectorindex1","vectors":[{"data":{"float32":[0.5,-1.0,0.0]},"key":"a"},{"data":{"float32":[2.0]},"key":"b","metadata":{"t":["x"]}}]}"#,
        ),
    ] {
        assert_eq!(request.body(), body);
        assert_eq!(
            request.uri().to_string(),
            format!(
                "https://examplebucket-1234567890123456.cn-hangzhou.oss-vectors.aliyuncs.com/?{name}"
            )
        );
        assert!(request.headers().contains_key("content-md5"));
        assert_eq!(request.headers()["content-type"], "application/json");
    }
    assert_eq!(
        ListVectors::parse_request(&target(), &all.to_request()),
        Ok({
            // The white space is removed, because parsed JSON is serialized again.
            all.clone().filter(r#"{"a":1}"#.parse().unwrap())
        })
    );
}

#[test]
fn member_names_are_case_insensitive() {
    for body in [
        r#"{"nextToken":"t","vectors":[{"key":"a","data":{"float32":[1]},"metadata":{"K":"v"}}]}"#,
        r#"{"NextToken":"t","Vectors":[{"Key":"a","Data":{"Float32":[1]},"Metadata":{"K":"v"}}]}"#,
        r#"{"NEXTTOKEN":"t","VECTORS":[{"KEY":"a","DATA":{"FLOAT32":[1.0]},"METADATA":{"K":"v"},"more":1}]}"#,
    ] {
        let page = list(body).unwrap();
        let vector = &page.vectors()[0];
        assert_eq!((vector.key(), vector.data()), ("a", Some(&[1.0][..])), "{body}");
        assert_eq!(vector.metadata().as_deref(), Some(r#"{"K":"v"}"#));
        assert_eq!((page.next_token(), page.request_id()), (Some("t"), Some("id")));
    }
}

#[test]
fn the_last_page_has_no_token_and_may_be_empty() {
    for body in [
        "{}",
        r#"{"vectors":[]}"#,
        r#"{"vectors":null,"nextToken":null}"#,
        r#"{"nextToken":"","vectors":[]}"#,
    ] {
        let page = list(body).unwrap();
        assert_eq!((page.vectors().len(), page.next_token()), (0, None), "{body}");
    }
    let page = list(r#"{"nextToken":"more"}"#).unwrap();
    assert_eq!((page.vectors().len(), page.next_token()), (0, Some("more")));
}

#[test]
fn metadata_may_contain_error_members() {
    let body = r#"{"vectors":[{"key":"a","metadata":{"code":"E1","error":"x"}}]}"#;
    assert_eq!(list(body).unwrap().vectors().len(), 1);
}

#[test]
fn responses_that_are_not_pages_are_errors() {
    let page = r#"{"vectors":[]}"#;
    for (status, id, body) in [
        (200, None, page),
        (200, Some("id"), ""),
        (204, Some("id"), ""),
        (200, Some("id"), "null"),
        (200, Some("id"), "[]"),
        (200, Some("id"), "<html></html>"),
        (200, Some("id"), r#"{"vectors":[]"#),
        (200, Some("id"), r#"{"vectors":[],"Error":{"Code":"InternalError"}}"#),
        (200, Some("id"), r#"{"code":"InternalError"}"#),
        (200, Some("id"), r#"{"vectors":{}}"#),
        (200, Some("id"), r#"{"vectors":["a"]}"#),
        (200, Some("id"), r#"{"vectors":[{}]}"#),
        (200, Some("id"), r#"{"vectors":[{"key":""}]}"#),
        (200, Some("id"), r#"{"vectors":[{"key":1}]}"#),
        (200, Some("id"), r#"{"vectors":[],"nextToken":1}"#),
        (302, Some("id"), page),
        (503, Some("id"), page),
    ] {
        let error = ListVectors::parse_response(&response(status, id, body)).unwrap_err();
        assert_eq!(error.status(), status, "{body}");
        assert!(!error.may_have_deleted(), "{status} {body}: a listing deletes nothing");
        let found = GetVectors::parse_response(&response(status, id, body));
        assert!(found.is_err() || body.contains("nextToken"), "{status} {body}");
    }
}

#[test]
fn advice_contains_the_action_of_the_call() {
    let denied = ServiceError::new(StatusCode::FORBIDDEN, code::ACCESS_DENIED, "no").to_response();
    let advice = |error: ServiceError| error.advice(&target()).unwrap().into_owned();
    let resource = "acs:ossvector:cn-hangzhou:1234567890123456:examplebucket";
    for (error, action) in [
        (ListVectors::parse_response(&denied).unwrap_err(), "oss:ListVectors"),
        (GetVectors::parse_response(&denied).unwrap_err(), "oss:GetVectors"),
        (PutVectors::parse_response(&denied).unwrap_err(), "oss:PutVectors"),
    ] {
        let expected = format!("allow the action {action} on {resource} and {resource}/*");
        assert_eq!(advice(error), expected);
    }
    let status = StatusCode::BAD_REQUEST;
    let invalid = ServiceError::new(status, code::VECTOR_INDEX_PARAMETER_INVALID, "no");
    let error = ListVectors::parse_response(&invalid.to_response()).unwrap_err();
    assert_eq!(advice(error), "check the index name and the filter");
    // Without a request id, a failure is not from OSS. With one, it is sent again.
    for (id, of_list, of_delete) in [
        (
            None,
            "check the endpoint: the response is not from OSS",
            "check the endpoint: the response is not from OSS, and some keys may be deleted",
        ),
        (Some("id"), "send again", "send again: some keys may be deleted"),
    ] {
        let response = response(502, id, "");
        assert_eq!(advice(ListVectors::parse_response(&response).unwrap_err()), of_list);
        assert_eq!(advice(DeleteVectors::parse_response(&response).unwrap_err()), of_delete);
    }
}

#[test]
fn echoed_secrets_are_removed_from_errors() {
    for body in [
        format!(r#"{{"Error":{{"Code":"AccessDenied","Message":"{TOKEN} {SECRET}"}}}}"#),
        format!("<p>{TOKEN}{SECRET}</p>"),
    ] {
        let response = response(403, Some(TOKEN), &body);
        let credentials = with_token();
        for error in [
            ListVectors::parse_response_to(&credentials, &response).unwrap_err(),
            GetVectors::parse_response_to(&credentials, &response).unwrap_err(),
            PutVectors::parse_response_to(&credentials, &response).unwrap_err(),
        ] {
            crate::canary::assert_not_in(&format!("{error} {error:?}"));
        }
    }
    let page = response(200, Some(TOKEN), r#"{"vectors":[]}"#);
    let page = ListVectors::parse_response_to(&with_token(), &page).unwrap();
    crate::canary::assert_not_in(&format!("{page:?}"));
}

#[test]
fn invalid_parameters_are_named() {
    let list = || ListVectors::new(&target());
    let keys = KeyBatch::new((0..101).map(|number| number.to_string())).unwrap();
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(Filter::MAX_BYTES - 7));
    let rule = r#"filter must be a JSON object with a condition, such as {"tenant":"acme"}, not "#;
    let filter = |json: &str| json.parse::<Filter>().map(drop);
    let valid: Filter = r#"{"a": 1}"#.parse().unwrap();
    assert_eq!(format!("{valid} {valid:?}"), r#"{"a": 1} Filter({"a": 1})"#);
    for (outcome, expected) in [
        (list().max_results(0).map(drop), r#"max results must be 1 to 1000, not "0""#.to_owned()),
        (list().max_results(1001).map(drop), r#"max results must be 1 to 1000, not "1001""#.into()),
        (list().segment(0, 0).map(drop), r#"segment count must be 1 to 16, not "0""#.into()),
        (list().segment(0, 17).map(drop), r#"segment count must be 1 to 16, not "17""#.into()),
        (
            list().segment(4, 4).map(drop),
            r#"segment index must be at least 0 and below the segment count, not "4""#.into(),
        ),
        (
            GetVectors::new(&target(), keys).map(drop),
            "keys must be 1 to 100 unique keys, got more".into(),
        ),
        (
            PutVectors::new(&target(), Vec::new()).map(drop),
            r#"vectors must be 1 to 500, not "0""#.into(),
        ),
        (
            PutVectors::new(&target(), vec![Vector::new("a").unwrap()]).map(drop),
            r#"data of each vector must hold a number, not "a""#.into(),
        ),
        (filter("{}"), format!(r#"{rule}"{{}}""#)),
        (filter("[]"), format!(r#"{rule}"[]""#)),
        (filter("tenant"), format!(r#"{rule}"tenant""#)),
        (filter(""), format!(r#"{rule}"""#)),
        (
            filter(&long),
            format!(
                "filter must be at most 65536 bytes, not \"{}…\"",
                r#"{\"a\":\""#.to_owned() + &"x".repeat(74)
            ),
        ),
        (filter(&long[1..]), format!(r#"{rule}"\"a\":\"{}…""#, "x".repeat(75))),
    ] {
        let error: InvalidValue = outcome.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert!(filter(&long.replacen("xx", "x", 1)).is_ok(), "64 KiB are allowed");
}

#[test]
fn operation_of_a_call_is_recognized() {
    let request = |method: &str, uri: &str| Request::builder().method(method).uri(uri).body(());
    for (method, uri, expected) in [
        ("POST", "/?listVectors", [true, false]),
        ("POST", "/bucket/?getVectors=&a=b", [false, true]),
        ("POST", "/?a=b&getVectors", [false, true]),
        ("POST", "/?deleteVectors", [false, false]),
        ("POST", "/?listVectors=a", [false, false]),
        ("POST", "/listVectors", [false, false]),
        ("GET", "/?listVectors", [false, false]),
    ] {
        let request = request(method, uri).unwrap();
        let is_call = [ListVectors::is_call(&request), GetVectors::is_call(&request)];
        assert_eq!(is_call, expected, "{method} {uri}");
    }
}

#[test]
fn requests_of_other_operations_are_rejected() {
    let request = ListVectors::new(&target()).to_request();
    let error = GetVectors::parse_request(&target(), &request).unwrap_err();
    assert_eq!(error.to_string(), "the request is not POST ?getVectors");
    let mut request: Request<_> =
        GetVectors::new(&target(), KeyBatch::new(["a"]).unwrap()).unwrap().to_request();
    *request.body_mut() = "{}".into();
    assert_eq!(GetVectors::parse_request(&target(), &request), Err(RequestError::InvalidDigest));
}
