//! Malformed headers that other clients accept: the response is valid, and its well-formed headers
//! are read.

use std::io::Write;

use oss_delete_vectors::{DeleteVectors, Operation};

use crate::carrier::{AnyTransport, request};
use crate::peer::{Peer, read_request};

const FINAL: &str = "HTTP/1.1 204 No Content\r\nx-oss-request-id: 1\r\n\r\n";

/// A head, the request id in it, and the value of its header `a`.
const HEADS: &[(&str, Option<&str>, Option<&str>)] = &[
    (
        "HTTP/1.1 204 No Content\r\na: b\r\n c\r\nx-oss-request-id: 1\r\n\r\n",
        Some("1"),
        Some("b c"),
    ),
    (
        "HTTP/1.1 204 No Content\r\na: b\r\n\t \tc  \r\n d\r\nx-oss-request-id: 1\r\n\r\n",
        Some("1"),
        Some("b c d"),
    ),
    ("HTTP/1.1 204 No Content\r\nx-oss-request-id:\r\n 1\r\n\r\n", Some("1"), None),
    ("HTTP/1.1 204 No Content\r\nx-oss-request-id: 1\r\na: b\r\n \r\n\r\n", Some("1"), Some("b")),
    (
        "HTTP/1.1 204 No Content\r\n folded at the start\r\nx-oss-request-id: 1\r\n\r\n",
        Some("1"),
        None,
    ),
    ("HTTP/1.1 204 No Content\r\nno colon\r\nx-oss-request-id: 1\r\n\r\n", Some("1"), None),
    ("HTTP/1.1 204 No Content\r\nx-oss-request-id: 1\r\nno-colon\r\n\r\n", Some("1"), None),
    (
        "HTTP/1.1 204 No Content\r\nno-colon\r\n but folded\r\nx-oss-request-id: 1\r\n\r\n",
        Some("1"),
        None,
    ),
    ("HTTP/1.1 204 No Content\r\nx-oss-request-id : 1\r\na\t : b\r\n\r\n", Some("1"), Some("b")),
    ("HTTP/1.1 204 No Content\r\n: no name\r\nx-oss-request-id: 1\r\n\r\n", Some("1"), None),
    ("HTTP/1.1 204 No Content\r\nb[0]: x\r\nx-oss-request-id: 1\r\n\r\n", Some("1"), None),
    ("HTTP/1.1 204 No Content\r\nb c: x\r\nx-oss-request-id: 1\r\n\r\n", Some("1"), None),
    (
        "HTTP/1.1 204 No Content\r\nb\u{e9}: x\r\na: \u{e9}\r\nx-oss-request-id: 1\r\n\r\n",
        Some("1"),
        Some("\u{e9}"),
    ),
    ("HTTP/1.1 204 No Content\r\nb: \x01\x1b[0m\r\nx-oss-request-id: 1\r\n\r\n", Some("1"), None),
    ("HTTP/1.1 204 No Content\nx-oss-request-id: 1\na: b\n\n", Some("1"), Some("b")),
    ("HTTP/1.1 204\r\nx-oss-request-id: 1\r\n\r\n", Some("1"), None),
    ("\r\nHTTP/1.1 204 No Content\r\nx-oss-request-id: 1\r\n\r\n", Some("1"), None),
    ("HTTP/1.0 204 No Content\r\nx-oss-request-id: 1\r\nno colon\r\n\r\n", Some("1"), None),
    (
        "HTTP/1.1 100 Continue\r\ndate: x\r\nno colon\r\n\r\nHTTP/1.1 204 No Content\r\nx-oss-request-id: 1\r\n\r\n",
        Some("1"),
        None,
    ),
    (
        "HTTP/1.1 103 Early Hints\r\nno colon\r\n\r\nHTTP/1.1 204 X\r\nx-oss-request-id : 1\r\n\r\n",
        Some("1"),
        None,
    ),
];

/// Sends `head` in two writes, split at `at`, and checks what the client reads.
fn check(head: &str, at: usize, id: Option<&str>, header: Option<&str>) {
    for transport in AnyTransport::all() {
        let parts = [head[..at].to_owned(), head[at..].to_owned()];
        let peer = Peer::start(move |mut stream| {
            while read_request(&mut stream).is_some() {
                for part in &parts {
                    stream.write_all(part.as_bytes()).unwrap();
                    std::thread::yield_now();
                }
            }
        });
        // Twice, because the second response is read after what is left of the first.
        for _ in 0..2 {
            let response = transport
                .send(request(&peer.url()))
                .unwrap_or_else(|error| panic!("{}: {head:?}: {error}", transport.name()));
            let deleted = DeleteVectors::parse_response(&response).unwrap();
            assert_eq!(deleted.request_id(), id, "{}: {head:?}", transport.name());
            let value =
                response.headers().get("a").map(|value| str::from_utf8(value.as_bytes()).unwrap());
            assert_eq!(value, header, "{}: {head:?}", transport.name());
        }
    }
}

#[test]
fn headers_that_other_clients_accept_are_accepted() {
    for (head, id, header) in HEADS {
        check(head, 0, *id, *header);
    }
}

#[test]
fn a_head_in_two_parts_is_read_as_one() {
    let (head, id, header) = HEADS[0];
    for at in (0..head.len()).step_by(7) {
        check(head, at, id, header);
    }
    check(FINAL, FINAL.len() - 1, Some("1"), None);
}

#[test]
fn length_counts_with_a_space_before_the_colon() {
    for transport in AnyTransport::all() {
        let peer = Peer::start(|mut stream| {
            while read_request(&mut stream).is_some() {
                stream.write_all(b"HTTP/1.1 403 Forbidden\r\nfold: a\r\n b\r\ncontent-length : 6\r\n\r\ndenied").unwrap();
            }
        });
        for _ in 0..2 {
            let response = transport.send(request(&peer.url())).unwrap();
            assert_eq!(
                (response.status().as_u16(), &response.body()[..]),
                (403, &b"denied"[..]),
                "{}",
                transport.name()
            );
        }
        // hyper may open a second connection before the first one is idle.
        assert!(peer.connections() == 1 || transport.name() != "ureq", "{}", transport.name());
    }
}
