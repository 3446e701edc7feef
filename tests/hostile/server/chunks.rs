//! Bodies in chunks: endless, invalid and truncated.

use super::behaviour::Expected::{AnyFailure, BodyTooLarge, NoResponse, Response};
use super::behaviour::{Behaviour, check};

/// A response with these chunks.
macro_rules! chunked {
    ($chunks:literal) => {
        concat!("HTTP/1.1 500 Internal Server Error\r\ntransfer-encoding: chunked\r\n\r\n", $chunks)
    };
}

#[test]
fn endless_chunked_bodies_end_with_an_error() {
    check(&[
        Behaviour::runs("endless chunks", BodyTooLarge, |wire| {
            wire.send(chunked!(""));
            wire.send_endlessly("400\r\n".to_owned() + &"x".repeat(1024) + "\r\n");
        }),
        Behaviour::runs("endless one-byte chunks", BodyTooLarge, |wire| {
            wire.send(chunked!(""));
            wire.send_endlessly("1\r\nx\r\n");
        }),
        Behaviour::runs("one endless chunk", BodyTooLarge, |wire| {
            wire.send(chunked!("7fffffffffffffff\r\n"));
            wire.send_endlessly("x");
        }),
        // hyper accepts any number of leading zeros, so the call times out.
        Behaviour::runs("endless chunk size", AnyFailure, |wire| {
            wire.send(chunked!(""));
            wire.send_endlessly("0");
        }),
        Behaviour::runs("endless chunk extension", NoResponse, |wire| {
            wire.send(chunked!("1;"));
            wire.send_endlessly("a=b;");
        }),
        Behaviour::runs("an extension in every chunk", NoResponse, |wire| {
            wire.send(chunked!(""));
            wire.send_endlessly("1;a=".to_owned() + &"x".repeat(200) + "\r\nx\r\n");
        }),
        // ureq skips any number of trailers, so the call times out.
        Behaviour::runs("endless trailers", AnyFailure, |wire| {
            wire.send(chunked!("0\r\n"));
            wire.send_endlessly("a: trailer\r\n");
        }),
    ]);
}

#[test]
fn invalid_chunks_are_errors() {
    check(&[
        Behaviour::sends(
            "chunk size that is not a number",
            NoResponse,
            chunked!("later\r\nx\r\n0\r\n\r\n"),
        ),
        Behaviour::sends("negative chunk size", NoResponse, chunked!("-1\r\nx\r\n0\r\n\r\n")),
        Behaviour::sends("signed chunk size", NoResponse, chunked!("+1\r\nx\r\n0\r\n\r\n"))
            .ureq(Response(500, "x")),
        Behaviour::sends(
            "chunk size beyond 64 bits",
            NoResponse,
            chunked!("10000000000000001\r\nx\r\n0\r\n\r\n"),
        ),
        Behaviour::sends("missing chunk size", NoResponse, chunked!("\r\nx\r\n0\r\n\r\n")),
        Behaviour::sends(
            "chunk longer than its size",
            NoResponse,
            chunked!("1\r\nxxx\r\n0\r\n\r\n"),
        ),
        Behaviour::sends(
            "good chunks",
            Response(500, "xy"),
            chunked!("1\r\nx\r\n01;a=b\r\ny\r\n0\r\na: b\r\n\r\n"),
        ),
    ]);
}
