//! Compressed responses, and headers that ask the client to send more requests.

use std::sync::mpsc::{Receiver, channel};

use oss_delete_vectors::{DeleteVectors, Operation};

use super::wire::Wire;
use crate::carrier::{AnyTransport, request};
use crate::peer::{NO_CONTENT, Peer, read_request, respond_to_all};

/// 80 MB of zeros in half a megabyte.
fn bomb() -> Vec<u8> {
    let head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";
    // A block of the fixed codes: a zero, 40,000 times eight repetitions of it, 258 bytes each, and
    // the end.
    let zeros = b"\x18\x05\xa3\x60\x14\x8c\x82\x51\x30\x0a\x46\xc1\x28".repeat(40_000);
    // The checksum, and the size: 82,560,001 bytes.
    [head, &b"\x63"[..], &zeros, b"\0\0", b"\xc1\xd1\x66\x35", b"\x01\xc4\xeb\x04"].concat()
}

/// A server that sends every client the same response, and the requests that it received.
fn responding(response: Vec<u8>) -> (Peer, Receiver<String>) {
    let (sender, received) = channel();
    let peer = Peer::start(move |mut stream| {
        while let Some(request) = read_request(&mut stream) {
            sender.send(String::from_utf8(request).unwrap().to_ascii_lowercase()).unwrap();
            if !Wire::new(stream.try_clone().unwrap()).send(&response) {
                return;
            }
        }
    });
    (peer, received)
}

#[test]
fn compression_is_not_requested_and_bodies_stay_compressed() {
    let bomb = bomb();
    for coding in ["gzip", "deflate", "br", "gzip, gzip, gzip"] {
        let head = format!(
            "HTTP/1.1 500 Error\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\n\r\n",
            bomb.len()
        );
        let (peer, received) = responding([head.as_bytes(), &bomb].concat());
        for transport in AnyTransport::all() {
            let case = format!("{coding}, {}", transport.name());
            let response = transport.send(request(&peer.url())).unwrap();
            assert!(response.body() == &bomb, "{case}: {} bytes", response.body().len());
            let error = DeleteVectors::parse_response(&response).unwrap_err();
            assert_eq!(error.code(), "BadErrorResponse", "{case}");
            assert!(error.to_string().len() < 1000, "{case}: {error}");
            let sent = received.recv().unwrap();
            assert!(!sent.contains("accept-encoding") && !sent.contains("\nte:"), "{case}: {sent}");
        }
    }
}

#[test]
fn headers_cause_no_further_requests() {
    let other = Peer::start(|mut stream| respond_to_all(&mut stream, NO_CONTENT));
    let other_url = other.url();
    for (status, headers) in [
        (401, "www-authenticate: Basic realm=\"x\"\r\nwww-authenticate: Digest realm=\"x\", nonce=\"y\"".to_owned()),
        (407, "proxy-authenticate: Basic realm=\"x\"".to_owned()),
        (417, "connection: close".to_owned()),
        (421, format!("location: {other_url}")),
        (426, "upgrade: h2c\r\nconnection: upgrade".to_owned()),
        (201, format!("location: {other_url}\r\ncontent-location: {other_url}")),
        (300, format!("location: {other_url}")),
        (305, format!("location: {other_url}")),
        (200, format!("refresh: 0; url={other_url}\r\nlink: <{other_url}>; rel=preconnect")),
        (503, format!("alt-svc: http/1.1=\"{}\"\r\nset-cookie: a=b; path=/", other_url.trim_start_matches("http://"))),
    ] {
        let (peer, received) = responding(format!("HTTP/1.1 {status} X\r\n{headers}\r\ncontent-length: 4\r\n\r\nbody").into());
        for transport in AnyTransport::all() {
            let case = format!("{status}, {}", transport.name());
            // A client that obeys would add the cookie or the credentials, or connect to the other
            // host.
            for _ in 0..2 {
                let response = transport.send(request(&peer.url())).unwrap();
                assert_eq!((response.status().as_u16(), &response.body()[..]), (status, &b"body"[..]), "{case}");
            }
            assert_eq!(received.recv().unwrap(), received.recv().unwrap(), "{case}");
            assert!(received.try_recv().is_err(), "{case}: sent more than once");
        }
    }
    assert_eq!(other.connections(), 0);
}
