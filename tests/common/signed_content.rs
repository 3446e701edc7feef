//! The parts of a request that a signature covers, extracted independently of the crate's canonical
//! request. Two requests with different signed content cannot both be accepted.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderMap, Request};

/// Everything that is signed, and the claimed signer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SignedContent {
    method: String,
    /// Decoded and sorted, including the signature of the query form.
    parameters: Vec<(Vec<u8>, Vec<u8>)>,
    headers: BTreeMap<String, Vec<u8>>,
    /// The parts of the `Authorization` header, without the names of additional headers.
    authorization: BTreeSet<String>,
}

impl SignedContent {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let parameters = parameters(request.uri().query().unwrap_or_default());
        let authorization = request
            .headers()
            .get("authorization")
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        let authorization = authorization.as_deref().unwrap_or_default();
        let parts =
            authorization.trim().trim_start_matches("OSS4-HMAC-SHA256").split(',').map(str::trim);
        let (added, parts): (Vec<&str>, Vec<&str>) =
            parts.partition(|part| part.starts_with("AdditionalHeaders="));
        let in_query = parameters.iter().filter(|(name, _)| name == b"x-oss-additional-headers");
        let in_query = in_query.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        let in_header = added.iter().filter_map(|part| Some(part.split_once('=')?.1.to_owned()));
        let added: BTreeSet<String> =
            in_header.chain(in_query).flat_map(|names| lower_case_names(&names)).collect();
        Self {
            method: request.method().to_string(),
            headers: signed_headers(request.headers(), &added),
            authorization: parts.into_iter().map(str::to_owned).collect(),
            parameters,
        }
    }
}

fn lower_case_names(names: &str) -> Vec<String> {
    names.split(';').map(str::to_ascii_lowercase).collect()
}

fn signed_headers(headers: &HeaderMap, added: &BTreeSet<String>) -> BTreeMap<String, Vec<u8>> {
    let mut signed = BTreeMap::new();
    for (name, value) in headers {
        let (name, value) = (name.as_str(), trimmed(value.as_bytes()));
        let always = name.starts_with("x-oss-") || matches!(name, "content-type" | "content-md5");
        if always || (added.contains(name) && !value.is_empty()) {
            signed.insert(name.to_owned(), value);
        }
    }
    signed
}

fn trimmed(value: &[u8]) -> Vec<u8> {
    str::from_utf8(value)
        .map_or_else(|_| value.trim_ascii().to_vec(), |text| text.trim().as_bytes().to_vec())
}

/// The parameters of a query, as a server reads them.
fn parameters(query: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut parameters = Vec::new();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let mut halves = piece.splitn(2, '=');
        let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
        parameters.push((decoded(name), decoded(value)));
    }
    parameters.sort();
    // A single parameter without name and value has the same canonical form as no parameter.
    let is_nothing = parameters.len() == 1 && parameters[0] == (Vec::new(), Vec::new());
    if is_nothing { Vec::new() } else { parameters }
}

fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let escape = text
            .get(at + 1..at + 3)
            .filter(|digits| bytes[at] == b'%' && digits.bytes().all(|b| b.is_ascii_hexdigit()));
        if let Some(digits) = escape {
            out.push(u8::from_str_radix(digits, 16).expect("two hex digits"));
            at += 3;
        } else {
            out.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
            at += 1;
        }
    }
    out
}
