//! The signed request is sent byte for byte, and only two headers are added.

use std::io::Write;
use std::sync::mpsc::{Receiver, channel};

use http::Request;
use http::header::{HOST, USER_AGENT};
use oss_delete_vectors::transports::TransportOptions;

use crate::carrier::{AnyTransport, Carrier, request};
use crate::peer::{NO_CONTENT, Peer, read_request};

/// A server that records its requests.
fn recorder(response: &'static [u8]) -> (Peer, Receiver<Vec<u8>>) {
    let (sender, receiver) = channel();
    let peer = Peer::start(move |mut stream| {
        while let Some(request) = read_request(&mut stream) {
            sender.send(request).unwrap();
            stream.write_all(response).unwrap();
        }
    });
    (peer, receiver)
}

/// The request line, the sorted header lines, and the body.
fn parts(request: &[u8]) -> (String, Vec<String>, String) {
    let text = String::from_utf8(request.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n").map(str::to_owned);
    let first = lines.next().unwrap();
    let mut headers: Vec<_> = lines.collect();
    headers.sort();
    (first, headers, body.to_owned())
}

#[test]
fn only_host_and_content_length_are_added() {
    let (peer, received) = recorder(NO_CONTENT);
    for transport in AnyTransport::all() {
        transport.send(request(&peer.url())).unwrap();
        let (first, headers, body) = parts(&received.recv().unwrap());
        assert_eq!(first, "POST /?deleteVectors HTTP/1.1", "{}", transport.name());
        let host = format!("host: 127.0.0.1:{}", peer.port());
        let expected = [
            "authorization: OSS4-HMAC-SHA256 Credential=ak/20231216/r/oss,Signature=00ff",
            "content-length: 34",
            "content-md5: 7hUQEjKNfVfQPqjLoIFtxQ==",
            "content-type: application/json",
            "date: Sat, 16 Dec 2023 16:20:57 GMT",
            &host,
            "x-oss-date: 20231216T162057Z",
        ];
        assert_eq!(headers, expected, "{}", transport.name());
        assert_eq!(body, r#"{"indexName":"i","keys":["a","b"]}"#, "{}", transport.name());
    }
}

#[test]
fn headers_and_target_of_the_request_are_kept() {
    let (peer, received) = recorder(NO_CONTENT);
    // With and without escapes, with and without values, not sorted: a presigned target.
    let target = "/b-1/?deleteVectors&x-oss-signature=ab%2Fc%3d&x-oss-expires=900&a=%7E~&empty=";
    for transport in AnyTransport::all() {
        let (mut head, body) = request(&peer.url()).into_parts();
        head.uri = format!("{}{target}", peer.url()).parse().unwrap();
        head.headers.insert(HOST, "b-1.cn-x.oss-vectors.aliyuncs.com".parse().unwrap());
        head.headers.insert(USER_AGENT, "purge/1.0".parse().unwrap());
        transport.send(Request::from_parts(head, body)).unwrap();
        let (first, headers, _) = parts(&received.recv().unwrap());
        assert_eq!(first, format!("POST {target} HTTP/1.1"), "{}", transport.name());
        for (name, line) in [
            ("host", "host: b-1.cn-x.oss-vectors.aliyuncs.com"),
            ("user-agent", "user-agent: purge/1.0"),
        ] {
            let sent: Vec<_> = headers.iter().filter(|header| header.starts_with(name)).collect();
            assert_eq!(sent, [line], "{}", transport.name());
        }
    }
}

#[test]
fn the_user_agent_of_the_options_replaces_that_of_requests() {
    let (peer, received) = recorder(NO_CONTENT);
    for carrier in
        Carrier::each(&TransportOptions::new().user_agent("purge/2.0 (nightly)").unwrap())
    {
        for own in [None, Some("own/1.0")] {
            let mut request = request(&peer.url());
            request.headers_mut().extend(own.map(|own| (USER_AGENT, own.parse().unwrap())));
            carrier.send(request).unwrap();
            let (_, headers, _) = parts(&received.recv().unwrap());
            let sent: Vec<_> =
                headers.iter().filter(|header| header.starts_with("user-agent")).collect();
            assert_eq!(sent, ["user-agent: purge/2.0 (nightly)"], "{}, {own:?}", carrier.name());
        }
    }
    for bad in ["", " ", "a\nb", "ä"] {
        let refused = TransportOptions::new().user_agent(bad).unwrap_err();
        assert_eq!((refused.field(), refused.value()), ("user agent", Some(bad)));
    }
}

#[test]
fn a_large_body_arrives_unchanged() {
    let (peer, received) = recorder(NO_CONTENT);
    let large: String = ('a'..='z').cycle().take(2 * 1024 * 1024).collect();
    for transport in AnyTransport::all() {
        transport.send(request(&peer.url()).map(|_| large.clone().into())).unwrap();
        assert!(parts(&received.recv().unwrap()).2 == large, "{}", transport.name());
    }
}

#[test]
fn redirects_are_not_followed() {
    let (elsewhere, _) = recorder(NO_CONTENT);
    let target = elsewhere.url();
    for status in [301, 302, 303, 307, 308] {
        let response = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {target}/?deleteVectors\r\ncontent-length: 4\r\n\r\nthen"
        );
        let (peer, received) = recorder(response.leak().as_bytes());
        for transport in AnyTransport::all() {
            let response = transport.send(request(&peer.url())).unwrap();
            assert_eq!(response.status(), status, "{}", transport.name());
            assert_eq!(&response.body()[..], b"then", "{status}, {}", transport.name());
            received.recv().unwrap();
            assert!(received.try_recv().is_err(), "{status}, {}", transport.name());
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}
