//! Requests and responses as text: a first line, one header per line, an empty line, and the body.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};

/// The first line is `POST https://host/?deleteVectors`. `None` if it is invalid.
pub(crate) fn request(text: &[u8]) -> Option<Request<Vec<u8>>> {
    let (first, headers, body) = parts(text);
    let (method, uri) = str::from_utf8(first).ok()?.split_once(' ')?;
    let mut request = Request::new(body.to_vec());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = uri.parse::<Uri>().ok()?;
    *request.headers_mut() = headers;
    Some(request)
}

/// The first line is the status, such as `503`. `None` if it is invalid.
pub(crate) fn response(text: &[u8]) -> Option<Response<Vec<u8>>> {
    let (first, headers, body) = parts(text);
    let mut response = Response::new(body.to_vec());
    *response.status_mut() = StatusCode::from_bytes(first).ok()?;
    *response.headers_mut() = headers;
    Some(response)
}

/// Messages, separated by lines of `====`. There is at least one.
pub(crate) fn messages(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.windows(6).position(|part| part == b"\n====\n");
        rest = end.map(|end| &text[end + 6..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

/// Skips invalid headers, so that more inputs are useful.
fn parts(text: &[u8]) -> (&[u8], HeaderMap, &[u8]) {
    let end = text.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((text, &[][..]), |end| (&text[..end], &text[end + 2..]));
    let mut lines = head.split(|&byte| byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii_start());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    (first, headers, body)
}
