//! `InvalidValue`, oversized and truncated heads, bodies and chunks, and pipelined requests.

use std::io::Write;
use std::net::Shutdown;

use oss_delete_vectors::transports::{MAX_REQUEST_BODY, ServerOptions};

use super::service::{Service, call, rest, signed, text, write_until_closed};
use crate::calls::ACCESS_KEY_ID;

/// A valid request with its framing replaced by `framing`, and its content by `body`.
fn framed(framing: &str, body: impl FnOnce(&str) -> String) -> String {
    let request = text(&signed(call("examplebucket", &["a"])));
    let (head, content) = request.split_once("content-length: ").unwrap();
    let content = content.split_once("\r\n\r\n").unwrap().1;
    format!("{head}{framing}\r\n\r\n{}", body(content))
}

fn chunk(content: &str) -> String {
    format!("{:x}\r\n{content}\r\n", content.len())
}

#[test]
fn malformed_requests_are_rejected() {
    let mut service = Service::start(&ServerOptions::new());
    let good = text(&signed(call("examplebucket", &["a"])));
    let with = |line: &str| good.replacen("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"), 1);
    let length =
        good.split_once("content-length: ").unwrap().1.split_once('\r').unwrap().0.to_owned();
    let chunked = "transfer-encoding: chunked";
    for (name, request, expected) in [
        ("not HTTP", "\x16\x03\x01\x02\0\x01\0".to_owned(), "HTTP/1.1 400 "),
        ("HTTP/0.9", "GET /\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), ""),
        ("a thousand headers", with("a: b\r\n".repeat(1000).trim_end()), "HTTP/1.1 431 "),
        ("a header without a name", with(": b"), "HTTP/1.1 400 "),
        ("a header without a colon", with("nonsense"), "HTTP/1.1 400 "),
        ("space before the colon", with("x-oss-date : 1"), "HTTP/1.1 400 "),
        ("folded header", with("a: b\r\n c"), "HTTP/1.1 400 "),
        ("zero byte in a value", with("a: \0"), "HTTP/1.1 400 "),
        ("carriage return in a value", with("a: b\rc: d"), "HTTP/1.1 400 "),
        ("two lengths", with("content-length: 1"), "HTTP/1.1 400 "),
        ("negative length", framed("content-length: -1", str::to_owned), "HTTP/1.1 400 "),
        (
            "signed length",
            framed(&format!("content-length: +{length}"), str::to_owned),
            "HTTP/1.1 400 ",
        ),
        (
            "length beyond 64 bits",
            framed("content-length: 18446744073709551617", str::to_owned),
            "HTTP/1.1 400 ",
        ),
        (
            "the longest length",
            framed("content-length: 9223372036854775807", |_| String::new()),
            "HTTP/1.1 413 ",
        ),
        (
            "length too large by one",
            framed(&format!("content-length: {}", MAX_REQUEST_BODY + 1), |_| String::new()),
            "HTTP/1.1 413 ",
        ),
        ("no length", framed("a: b", str::to_owned), "InvalidDigest"),
        ("length too short", framed("content-length: 2", str::to_owned), "InvalidDigest"),
        ("unknown coding", framed("transfer-encoding: xchunked", chunk), "HTTP/1.1 400 "),
        (
            "chunked before another coding",
            framed("transfer-encoding: chunked, gzip", chunk),
            "HTTP/1.1 400 ",
        ),
        (
            "chunk size that is not a number",
            framed(chunked, |_| "x\r\n".to_owned()),
            "HTTP/1.1 400 ",
        ),
        ("negative chunk size", framed(chunked, |_| "-1\r\n".to_owned()), "HTTP/1.1 400 "),
        (
            "chunk size beyond 64 bits",
            framed(chunked, |_| "10000000000000001\r\n".to_owned()),
            "HTTP/1.1 400 ",
        ),
        (
            "chunk longer than its size",
            framed(chunked, |content| format!("1\r\n{content}\r\n0\r\n\r\n")),
            "HTTP/1.1 400 ",
        ),
        (
            "a million trailers",
            framed(chunked, |content| chunk(content) + "0\r\n" + &"a: b\r\n".repeat(100_000)),
            "HTTP/1.1 400 ",
        ),
    ] {
        let response = service.exchange(&request);
        assert!(
            response.contains(expected) && !response.contains("HTTP/1.1 2"),
            "{name}: {response}"
        );
        service.check(name, 0);
    }
}

#[test]
fn oversized_parts_are_rejected() {
    let mut service = Service::start(&ServerOptions::new());
    let good = text(&signed(call("examplebucket", &["a"])));
    let more = |line: &str| good.replacen("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"), 1);
    let chunked = "transfer-encoding: chunked";
    for (name, request, expected) in [
        ("header of 1 MiB", more(&format!("a: {}", "x".repeat(1024 * 1024))), "HTTP/1.1 431 "),
        (
            "target of 1 MiB",
            good.replacen('?', &format!("?{}&", "x".repeat(1024 * 1024)), 1),
            "HTTP/1.1 4",
        ),
        ("100,000 headers", more("a: b\r\n".repeat(100_000).trim_end()), "HTTP/1.1 431 "),
        (
            "100,000 extensions",
            framed(chunked, |_| format!("1;{}", "a=b;".repeat(100_000))),
            "HTTP/1.1 400 ",
        ),
        (
            "100,000 trailers",
            framed(chunked, |content| chunk(content) + "0\r\n" + &"a: b\r\n".repeat(100_000)),
            "HTTP/1.1 400 ",
        ),
    ] {
        let response = service.exchange(&request);
        // The response may be lost, because the server closes before it has read everything.
        assert!(response.is_empty() || response.starts_with(expected), "{name}: {response}");
        service.check(name, 0);
    }
}

/// A list of such chunks would take a hundred times their size.
#[test]
fn body_in_one_byte_chunks_is_limited() {
    let mut service = Service::start(&ServerOptions::new());
    let mut stream = service.connect();
    stream.write_all(framed("transfer-encoding: chunked", |_| String::new()).as_bytes()).unwrap();
    let chunks = "1\r\nx\r\n".repeat(1024);
    // The buffers of the sockets may take more than the limit, but not four times as much.
    write_until_closed(&mut stream, &chunks, 4 * MAX_REQUEST_BODY / 1024);
    service.check("chunks of one byte", 0);
}

#[test]
fn truncated_requests_are_not_executed() {
    let mut service = Service::start(&ServerOptions::new());
    let good = text(&signed(call("examplebucket", &["a"])));
    let chunked = framed("transfer-encoding: chunked", |content| chunk(content) + "0\r\n\r\n");
    for request in [&good, &chunked] {
        for end in (1..request.len()).step_by(7).chain([request.len() - 1]) {
            let mut stream = service.connect();
            stream.write_all(&request.as_bytes()[..end]).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let response = rest(&mut stream);
            assert!(!response.starts_with("HTTP/1.1 2"), "{end}: {response}");
        }
        service.check("truncated", 0);
        assert!(service.exchange(request).starts_with("HTTP/1.1 204 "));
        service.check("whole", 1);
    }
}

#[test]
fn length_with_chunks_smuggles_no_request() {
    let mut service = Service::start(&ServerOptions::new());
    let hidden = text(&signed(call("examplebucket", &["a"])));
    for framing in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
    ] {
        // A server that believes the length takes the rest for a second request.
        let request = framed(framing, |_| format!("0\r\n\r\n{hidden}"));
        let response = service.exchange(request);
        assert!(!response.contains("HTTP/1.1 204 "), "{response}");
        service.check(framing, 0);
    }
}

#[test]
fn pipelined_requests_get_responses_in_order() {
    let mut service = Service::start(&ServerOptions::new());
    let good = text(&signed(call("examplebucket", &["a"]))).replace("connection: close\r\n", "");
    let forged = good.replacen(ACCESS_KEY_ID, "LTAI5tConformanceKey0002", 1);
    let last = text(&signed(call("examplebucket", &["b"])));
    let response =
        service.exchange(format!("{}{last}{good}", format!("{good}{forged}").repeat(100)));
    let statuses: Vec<&str> =
        response.split("HTTP/1.1 ").skip(1).map(|response| &response[..3]).collect();
    let expected: Vec<&str> = ["204", "403"].into_iter().cycle().take(200).chain(["204"]).collect();
    // Ignores what follows the request that closes the connection.
    assert_eq!(statuses, expected);
    service.check("pipelining", 101);
}
