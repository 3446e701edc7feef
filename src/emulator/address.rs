use http::Request;
use http::header::HOST;

/// The bucket that a request is addressed to, in virtual-hosted or path style. Empty if it has
/// none.
///
/// Virtual-hosted style means `{bucket}-{account id}` before the first dot of the host. The rest of
/// the host may be anything, even an IP address. Prefers the `Host` header to the authority of the
/// URI; over HTTP/2 there is only the authority.
pub(super) fn bucket<'a, B>(request: &'a Request<B>, account_id: &str) -> &'a str {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str)).unwrap_or_default();
    let label = host.split('.').next().unwrap_or_default();
    let virtual_hosted = label.strip_suffix(account_id).and_then(|label| label.strip_suffix('-'));
    virtual_hosted.unwrap_or_else(|| {
        let path = request.uri().path();
        path.strip_prefix('/').map_or("", |path| path.strip_suffix('/').unwrap_or(path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_styles_name_the_bucket() {
        for (uri, host, expected) in [
            ("https://b-1-42.cn-hangzhou.oss-vectors.aliyuncs.com/?deleteVectors", None, "b-1"),
            ("/?deleteVectors", Some("b-42.127.0.0.1:9000"), "b"),
            ("http://127.0.0.1:9000/b/?deleteVectors", Some("127.0.0.1:9000"), "b"),
            ("/b?deleteVectors", Some("[::1]:9000"), "b"),
            ("/", Some("127.0.0.1"), ""),
            ("/", Some("b-43.example.com"), ""),
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
