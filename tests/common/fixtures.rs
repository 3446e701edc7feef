//! The golden cases in `tests/fixtures`; see the README there.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response};
use oss_delete_vectors::Credentials;
use serde_json::Value;

/// A case of `signing.json`: the inputs of the official SDK, and the requests that it signed.
pub(crate) struct SigningCase {
    pub(crate) id: String,
    inputs: Value,
    /// With the SDK's JSON as the body.
    pub(crate) sdk: SignedBySdk,
    /// With compact JSON in raw UTF-8 as the body.
    pub(crate) compact: SignedBySdk,
}

/// A request that the official SDK signed, and the steps of its signature.
pub(crate) struct SignedBySdk {
    pub(crate) request: Request<Bytes>,
    pub(crate) canonical_request: String,
    pub(crate) string_to_sign: String,
    pub(crate) signature: String,
}

/// The form of the authorization.
#[derive(PartialEq)]
pub(crate) enum Form {
    Header,
    Query { expires: Duration },
}

pub(crate) fn signing_cases() -> Vec<SigningCase> {
    elements(include_str!("../fixtures/signing.json")).iter().map(SigningCase::read).collect()
}

impl SigningCase {
    fn read(case: &Value) -> Self {
        let inputs = case["inputs"].clone();
        let (sdk, compact) = (&case["expected"], &case["expected_compact"]);
        let method = string(&sdk["method"]);
        let headers = headers(&sdk["headers"]);
        let mut compact_headers = headers.clone();
        // Replaces headers of the same name.
        compact_headers.extend(self::headers(&compact["headers_changed"]));
        Self {
            id: string(&case["id"]).to_owned(),
            inputs,
            sdk: SignedBySdk::read(sdk, method, headers),
            compact: SignedBySdk::read(compact, method, compact_headers),
        }
    }

    /// A text member of `inputs`.
    pub(crate) fn input(&self, name: &str) -> &str {
        string(&self.inputs[name])
    }

    /// A text member of `inputs` that may be null.
    pub(crate) fn optional(&self, name: &str) -> Option<&str> {
        self.inputs[name].as_str()
    }

    /// A boolean member of `inputs`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.inputs[name].as_bool().expect("a flag")
    }

    /// An array of texts in `inputs`.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        array(&self.inputs[name]).iter().map(string).collect()
    }

    pub(crate) fn extra_headers(&self) -> HeaderMap {
        headers(&self.inputs["extra_headers"])
    }

    pub(crate) fn additional_headers(&self) -> Vec<HeaderName> {
        self.texts("additional_headers")
            .into_iter()
            .map(|name| name.parse().expect("a header's name"))
            .collect()
    }

    pub(crate) fn time(&self) -> SystemTime {
        UNIX_EPOCH
            + Duration::from_secs(
                self.inputs["signing_time_unix"].as_u64().expect("a time since 1970"),
            )
    }

    pub(crate) fn form(&self) -> Form {
        // The default of the SDK.
        const DEFAULT_EXPIRES: u64 = 900;
        match self.input("auth") {
            "header" => Form::Header,
            "query" => Form::Query {
                expires: Duration::from_secs(
                    self.inputs["expires"].as_u64().unwrap_or(DEFAULT_EXPIRES),
                ),
            },
            other => panic!("unknown form {other}"),
        }
    }

    pub(crate) fn credentials(&self) -> Credentials {
        Credentials::new(self.input("access_key_id"), self.input("access_key_secret"))
            .and_then(|pair| {
                pair.with_security_token(self.optional("security_token").unwrap_or_default())
            })
            .unwrap_or_else(|error| panic!("{}: {error}", self.id))
    }
}

impl SignedBySdk {
    fn read(signed: &Value, method: &str, headers: HeaderMap) -> Self {
        let body = Bytes::from(string(&signed["body"]).to_owned());
        let mut request = Request::builder()
            .method(method)
            .uri(string(&signed["url"]))
            .body(body)
            .expect("a request");
        *request.headers_mut() = headers;
        Self {
            request,
            canonical_request: string(&signed["canonical_request"]).to_owned(),
            string_to_sign: string(&signed["string_to_sign"]).to_owned(),
            signature: string(&signed["signature"]).to_owned(),
        }
    }

    /// The request before signing.
    pub(crate) fn unsigned(&self) -> Request<Bytes> {
        let mut request = self.request.clone();
        for name in
            ["authorization", "date", "x-oss-date", "x-oss-content-sha256", "x-oss-security-token"]
        {
            request.headers_mut().remove(name);
        }
        let uri = request.uri().to_string();
        // The SDK writes the parameters of the query form last.
        let unsigned = uri
            .split_once("&x-oss-signature-version=")
            .map_or(uri.as_str(), |(unsigned, _)| unsigned);
        *request.uri_mut() = unsigned.parse().expect("a URI");
        request
    }
}

/// A case of `errors.json`: the responses of a server, and the result of the official SDK.
pub(crate) struct ErrorCase {
    pub(crate) id: String,
    pub(crate) level: Level,
    /// The first response. `None` if the transport failed.
    pub(crate) response: Option<Response<Bytes>>,
    /// All responses in order. The last one repeats.
    pub(crate) responses: Vec<Option<Response<Bytes>>>,
    pub(crate) expected: Value,
    /// The members of `expected` that a client should reproduce.
    pub(crate) compare: Vec<String>,
}

/// How closely the crate must match a case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Level {
    Full,
    NoMessage,
    Quirk,
}

pub(crate) fn error_cases() -> Vec<ErrorCase> {
    elements(include_str!("../fixtures/errors.json")).iter().map(ErrorCase::read).collect()
}

impl ErrorCase {
    fn read(case: &Value) -> Self {
        Self {
            id: string(&case["id"]).to_owned(),
            level: match string(&case["level"]) {
                "full" => Level::Full,
                "no_message" => Level::NoMessage,
                "quirk" => Level::Quirk,
                other => panic!("unknown level {other}"),
            },
            response: response(&case["responses"][0]),
            responses: array(&case["responses"]).iter().map(response).collect(),
            expected: case["expected_sdk"].clone(),
            compare: array(&case["compare"]).iter().map(|name| string(name).to_owned()).collect(),
        }
    }
}

fn response(case: &Value) -> Option<Response<Bytes>> {
    if case.get("transport_error").is_some() {
        return None;
    }
    let body = match (case["body_text"].as_str(), case["body_base64"].as_str()) {
        (Some(text), None) => text.as_bytes().to_vec(),
        (None, Some(base64)) => Base64::decode_vec(base64).expect("base64"),
        _ => panic!("a response has one body"),
    };
    assert_eq!(Some(body.len() as u64), case["body_length"].as_u64());
    let mut response = Response::new(Bytes::from(body));
    let status =
        case["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
    *response.status_mut() = status.try_into().expect("a status");
    *response.headers_mut() = headers(&case["headers"]);
    Some(response)
}

fn elements(json: &str) -> Vec<Value> {
    array(&serde_json::from_str(json).expect("a fixture is JSON")).clone()
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is not an array"))
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a string"))
}

fn headers(members: &Value) -> HeaderMap {
    let members = members.as_object().expect("headers are an object");
    let header = |(name, value): (&String, &Value)| -> (HeaderName, HeaderValue) {
        (
            name.parse().expect("a header's name"),
            HeaderValue::from_str(string(value)).expect("a header's value"),
        )
    };
    members.iter().map(header).collect()
}
