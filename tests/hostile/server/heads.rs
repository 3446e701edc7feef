//! Endless and slow heads, invalid statuses, and interim responses.

use super::behaviour::Expected::{GivenUp, Is, NoAnswer, Timeout};
use super::behaviour::{Behaviour, check};

#[test]
fn endless_heads_are_given_up() {
    check(&[
        Behaviour::does("endless headers", NoAnswer, |wire| {
            wire.say("HTTP/1.1 204 No Content\r\n");
            wire.say_for_ever("a-header: and its value\r\n");
        }),
        Behaviour::does("one endless header", NoAnswer, |wire| {
            wire.say("HTTP/1.1 204 No Content\r\na-header: ");
            wire.say_for_ever("x");
        }),
        Behaviour::does("endless name of a header", NoAnswer, |wire| {
            wire.say("HTTP/1.1 204 No Content\r\n");
            wire.say_for_ever("x");
        }),
        Behaviour::does("endless reason", NoAnswer, |wire| {
            wire.say("HTTP/1.1 204 ");
            wire.say_for_ever("No Content ");
        }),
        Behaviour::does("endless empty lines", NoAnswer, |wire| wire.say_for_ever("\r\n")),
        Behaviour::does("endless folded header", NoAnswer, |wire| {
            wire.say("HTTP/1.1 204 No Content\r\na: b\r\n");
            wire.say_for_ever(" folded\r\n");
        }),
        Behaviour::does("more headers than anyone needs", NoAnswer, |wire| {
            wire.say("HTTP/1.1 204 No Content\r\n");
            wire.say("a: b\r\n".repeat(1000));
            wire.say("\r\n");
        }),
    ]);
}

#[test]
fn slow_heads_and_bodies_end_with_the_call() {
    check(&[
        Behaviour::does("slow head", Timeout, |wire| {
            wire.say("HTTP/1.1 204 No Content\r\n");
            wire.drip_for_ever(b"a: b\r\n");
        }),
        Behaviour::does("slow body", Timeout, |wire| {
            wire.say("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 1000000\r\n\r\n");
            wire.drip_for_ever(b"x");
        }),
        Behaviour::does("slow chunks", Timeout, |wire| {
            wire.say("HTTP/1.1 500 Internal Server Error\r\ntransfer-encoding: chunked\r\n\r\n");
            wire.drip_for_ever(b"1\r\nx\r\n");
        }),
        Behaviour::does("slow informational answers", Timeout, |wire| {
            wire.drip_for_ever(b"HTTP/1.1 103 Early Hints\r\n\r\n");
        }),
    ]);
}

#[test]
fn informational_answers_are_no_answers() {
    check(&[
        Behaviour::does("a few informational answers", Is(204, ""), |wire| {
            wire.say("HTTP/1.1 100 Continue\r\n\r\n".repeat(3));
            wire.say(
                "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n",
            );
            wire.say("HTTP/1.1 204 No Content\r\n\r\n");
        }),
        Behaviour::does("flood of 100", GivenUp, |wire| {
            wire.say_for_ever("HTTP/1.1 100 Continue\r\n\r\n");
        }),
        Behaviour::does("flood of 103", GivenUp, |wire| {
            wire.say_for_ever("HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\nx-oss-request-id: 1\r\n\r\n");
        }),
        Behaviour::says(
            "switch to another protocol",
            Is(101, ""),
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        ),
    ]);
}

#[test]
fn statuses_that_are_none_are_no_answers() {
    check(&[
        Behaviour::says("status of two digits", NoAnswer, "HTTP/1.1 20 OK\r\n\r\n"),
        Behaviour::says("status of four digits", NoAnswer, "HTTP/1.1 2040 OK\r\n\r\n"),
        Behaviour::says("status 000", NoAnswer, "HTTP/1.1 000 OK\r\ncontent-length: 0\r\n\r\n"),
        Behaviour::says("status 999", Is(999, ""), "HTTP/1.1 999 ?\r\ncontent-length: 0\r\n\r\n"),
        Behaviour::says("negative status", NoAnswer, "HTTP/1.1 -204 OK\r\n\r\n"),
        Behaviour::says("HTTP/2 in plain text", NoAnswer, "HTTP/2.0 204 No Content\r\n\r\n"),
        Behaviour::says(
            "a header without a colon",
            Is(204, ""),
            "HTTP/1.1 204 OK\r\nnonsense\r\n\r\n",
        ),
        Behaviour::says("a zero byte in a header", NoAnswer, "HTTP/1.1 204 OK\r\na: \0\r\n\r\n"),
    ]);
}
