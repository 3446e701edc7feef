use std::borrow::Cow;

use http::Request;
use http::header::HOST;

/// The bucket that a request is addressed to, in virtual-hosted or path style. Empty if there is
/// none.
///
/// `{bucket}-{account id}` before the first dot of the host is virtual-hosted style, with any rest
/// of the host, even an IP address, and in any case, because host names ignore case. `Host`
/// overrides the authority of the URI, which is the only one in HTTP/2.
pub(super) fn bucket<'a, B>(request: &'a Request<B>, account_id: &str) -> Cow<'a, str> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host
        .or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
        .unwrap_or_default();
    let label = host.split('.').next().unwrap_or_default();
    let virtual_hosted = label.strip_suffix(account_id).and_then(|label| label.strip_suffix('-'));
    if let Some(bucket) = virtual_hosted {
        return bucket.to_ascii_lowercase().into();
    }
    let path = request.uri().path();
    path.strip_prefix('/').map_or("", |path| path.strip_suffix('/').unwrap_or(path)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_is_found_in_both_styles() {
        for (uri, host, expected) in [
            ("https://b-1-42.cn-hangzhou.oss-vectors.aliyuncs.com/?deleteVectors", None, "b-1"),
            ("/?deleteVectors", Some("b-42.127.0.0.1:9000"), "b"),
            ("http://127.0.0.1:9000/b/?deleteVectors", Some("127.0.0.1:9000"), "b"),
            ("/b?deleteVectors", Some("[::1]:9000"), "b"),
            ("/", Some("127.0.0.1"), ""),
            ("/", Some("b-43.example.com"), ""),
            ("/", Some("B-Bucket-42.Example.COM"), "b-bucket"),
            ("https://B-1-42.CN-Hangzhou.oss-vectors.aliyuncs.com/", None, "b-1"),
            ("/B/", Some("LOCALHOST"), "B"),
            ("/", None, ""),
            ("/a/b/", Some("localhost"), "a/b"),
        ] {
            let mut request = Request::post(uri);
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            assert_eq!(bucket(&request.body(()).unwrap(), "42"), expected, "{uri} {host:?}");
        }
    }
}
