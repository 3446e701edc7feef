//! Endless and slow heads, invalid statuses, and interim responses.

use super::behaviour::Expected::{AnyFailure, NoResponse, Response, Timeout};
use super::behaviour::{Behaviour, check};

#[test]
fn endless_heads_end_with_an_error() {
    check(&[
        Behaviour::runs("endless headers", NoResponse, |wire| {
            wire.send("HTTP/1.1 204 No Content\r\n");
            wire.send_endlessly("a-header: and its value\r\n");
        }),
        Behaviour::runs("one endless header", NoResponse, |wire| {
            wire.send("HTTP/1.1 204 No Content\r\na-header: ");
            wire.send_endlessly("x");
        }),
        Behaviour::runs("endless name of a header", NoResponse, |wire| {
            wire.send("HTTP/1.1 204 No Content\r\n");
            wire.send_endlessly("x");
        }),
        Behaviour::runs("endless reason", NoResponse, |wire| {
            wire.send("HTTP/1.1 204 ");
            wire.send_endlessly("No Content ");
        }),
        Behaviour::runs("endless empty lines", NoResponse, |wire| wire.send_endlessly("\r\n")),
        Behaviour::runs("endless folded header", NoResponse, |wire| {
            wire.send("HTTP/1.1 204 No Content\r\na: b\r\n");
            wire.send_endlessly(" folded\r\n");
        }),
        Behaviour::runs("too many headers", NoResponse, |wire| {
            wire.send("HTTP/1.1 204 No Content\r\n");
            wire.send("a: b\r\n".repeat(1000));
            wire.send("\r\n");
        }),
    ]);
}

#[test]
fn slow_heads_and_bodies_time_out() {
    check(&[
        Behaviour::runs("slow head", Timeout, |wire| {
            wire.send("HTTP/1.1 204 No Content\r\n");
            wire.drip_endlessly(b"a: b\r\n");
        }),
        Behaviour::runs("slow body", Timeout, |wire| {
            wire.send("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 1000000\r\n\r\n");
            wire.drip_endlessly(b"x");
        }),
        Behaviour::runs("slow chunks", Timeout, |wire| {
            wire.send("HTTP/1.1 500 Internal Server Error\r\ntransfer-encoding: chunked\r\n\r\n");
            wire.drip_endlessly(b"1\r\nx\r\n");
        }),
        Behaviour::runs("slow chunk size", Timeout, |wire| {
            wire.send("HTTP/1.1 500 Internal Server Error\r\ntransfer-encoding: chunked\r\n\r\n");
            wire.drip_endlessly(b"0");
        }),
        Behaviour::runs("slow interim responses", Timeout, |wire| {
            wire.drip_endlessly(b"HTTP/1.1 103 Early Hints\r\n\r\n");
        }),
    ]);
}

#[test]
fn interim_responses_are_not_final() {
    check(&[
        Behaviour::runs("a few interim responses", Response(204, ""), |wire| {
            wire.send("HTTP/1.1 100 Continue\r\n\r\n".repeat(3));
            wire.send(
                "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n",
            );
            wire.send("HTTP/1.1 204 No Content\r\n\r\n");
        }),
        Behaviour::runs("flood of 100", AnyFailure, |wire| {
            wire.send_endlessly("HTTP/1.1 100 Continue\r\n\r\n");
        }),
        Behaviour::runs("flood of 103", AnyFailure, |wire| {
            wire.send_endlessly("HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\nx-oss-request-id: 1\r\n\r\n");
        }),
        Behaviour::sends(
            "switch to another protocol",
            Response(101, ""),
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        ),
    ]);
}

#[test]
fn invalid_statuses_are_errors() {
    check(&[
        Behaviour::sends("status of two digits", NoResponse, "HTTP/1.1 20 OK\r\n\r\n"),
        Behaviour::sends("status of four digits", NoResponse, "HTTP/1.1 2040 OK\r\n\r\n"),
        Behaviour::sends("status 000", NoResponse, "HTTP/1.1 000 OK\r\ncontent-length: 0\r\n\r\n"),
        Behaviour::sends(
            "status 999",
            Response(999, ""),
            "HTTP/1.1 999 ?\r\ncontent-length: 0\r\n\r\n",
        ),
        Behaviour::sends("negative status", NoResponse, "HTTP/1.1 -204 OK\r\n\r\n"),
        Behaviour::sends("HTTP/2 in plain text", NoResponse, "HTTP/2.0 204 No Content\r\n\r\n"),
        Behaviour::sends(
            "a header without a colon",
            Response(204, ""),
            "HTTP/1.1 204 OK\r\nnonsense\r\n\r\n",
        ),
        Behaviour::sends("a zero byte in a header", NoResponse, "HTTP/1.1 204 OK\r\na: \0\r\n\r\n"),
    ]);
}
