//! Bodies in chunks: endless, invalid and truncated.

use super::behaviour::Expected::{BodyTooLarge, GivenUp, Is, NoAnswer};
use super::behaviour::{Behaviour, check};

/// An answer in these chunks.
macro_rules! chunked {
    ($chunks:literal) => {
        concat!("HTTP/1.1 500 Internal Server Error\r\ntransfer-encoding: chunked\r\n\r\n", $chunks)
    };
}

#[test]
fn endless_chunked_bodies_are_given_up() {
    check(&[
        Behaviour::does("endless chunks", BodyTooLarge, |wire| {
            wire.say(chunked!(""));
            wire.say_for_ever("400\r\n".to_owned() + &"x".repeat(1024) + "\r\n");
        }),
        Behaviour::does("endless chunks of a byte", BodyTooLarge, |wire| {
            wire.say(chunked!(""));
            wire.say_for_ever("1\r\nx\r\n");
        }),
        Behaviour::does("one endless chunk", BodyTooLarge, |wire| {
            wire.say(chunked!("7fffffffffffffff\r\n"));
            wire.say_for_ever("x");
        }),
        // To hyper zeros are no part of a size, however many there are: time ends it.
        Behaviour::does("endless chunk size", GivenUp, |wire| {
            wire.say(chunked!(""));
            wire.say_for_ever("0");
        }),
        Behaviour::does("endless chunk extension", NoAnswer, |wire| {
            wire.say(chunked!("1;"));
            wire.say_for_ever("a=b;");
        }),
        Behaviour::does("an extension for every chunk", NoAnswer, |wire| {
            wire.say(chunked!(""));
            wire.say_for_ever("1;a=".to_owned() + &"x".repeat(200) + "\r\nx\r\n");
        }),
        // ureq passes over trailers, however many there are: time ends it.
        Behaviour::does("endless trailers", GivenUp, |wire| {
            wire.say(chunked!("0\r\n"));
            wire.say_for_ever("a: trailer\r\n");
        }),
    ]);
}

#[test]
fn chunks_that_make_no_sense_are_no_answer() {
    check(&[
        Behaviour::says(
            "chunk size that is no number",
            NoAnswer,
            chunked!("later\r\nx\r\n0\r\n\r\n"),
        ),
        Behaviour::says("negative chunk size", NoAnswer, chunked!("-1\r\nx\r\n0\r\n\r\n")),
        Behaviour::says("signed chunk size", NoAnswer, chunked!("+1\r\nx\r\n0\r\n\r\n"))
            .ureq(Is(500, "x")),
        Behaviour::says(
            "chunk size beyond 64 bits",
            NoAnswer,
            chunked!("10000000000000001\r\nx\r\n0\r\n\r\n"),
        ),
        Behaviour::says("no chunk size", NoAnswer, chunked!("\r\nx\r\n0\r\n\r\n")),
        Behaviour::says("chunk longer than its size", NoAnswer, chunked!("1\r\nxxx\r\n0\r\n\r\n")),
        Behaviour::says(
            "good chunks",
            Is(500, "xy"),
            chunked!("1\r\nx\r\n01;a=b\r\ny\r\n0\r\na: b\r\n\r\n"),
        ),
    ]);
}
