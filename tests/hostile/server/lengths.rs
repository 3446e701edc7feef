//! Wrong lengths, and responses with an unexpected or a missing body.

use super::behaviour::Expected::{BodyTooLarge, Is, NoAnswer, Timeout};
use super::behaviour::{Behaviour, check};

#[test]
fn lengths_that_are_none_are_no_answer() {
    check(&[
        Behaviour::says(
            "two lengths",
            NoAnswer,
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxy",
        ),
        Behaviour::says(
            "two lengths in one",
            NoAnswer,
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 1, 2\r\n\r\nxy",
        ),
        Behaviour::says(
            "negative length",
            NoAnswer,
            "HTTP/1.1 403 Forbidden\r\ncontent-length: -1\r\n\r\nx",
        ),
        Behaviour::says(
            "signed length",
            NoAnswer,
            "HTTP/1.1 403 Forbidden\r\ncontent-length: +1\r\n\r\nx",
        ),
        Behaviour::says(
            "length in hex",
            NoAnswer,
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 0x1\r\n\r\nx",
        ),
        Behaviour::says(
            "length beyond 64 bits",
            NoAnswer,
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 18446744073709551617\r\n\r\nx",
        ),
        Behaviour::says(
            "the same length twice",
            Is(403, "x"),
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
        ),
        Behaviour::says(
            "a length and chunks",
            Is(403, "x"),
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 7\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        ),
        Behaviour::does("a coding that was not asked for", Is(403, "as it is"), |wire| {
            wire.say("HTTP/1.1 403 Forbidden\r\ntransfer-encoding: gzip\r\n\r\nas it is");
            wire.hang_up();
        }),
    ]);
}

#[test]
fn lengths_beyond_all_measure_cost_nothing() {
    check(&[
        Behaviour::does("the longest length, sent for ever", BodyTooLarge, |wire| {
            wire.say(
                "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 9223372036854775807\r\n\r\n",
            );
            wire.say_for_ever("x");
        }),
        Behaviour::says(
            "the longest length, not sent",
            Timeout,
            "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 9223372036854775807\r\n\r\n",
        ),
        Behaviour::does("an error of 100 MB", BodyTooLarge, |wire| {
            wire.say("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 104857600\r\n\r\n");
            wire.say_for_ever("<Error><Code>QpsLimitExceeded</Code></Error>");
        }),
        Behaviour::does("an endless body", BodyTooLarge, |wire| {
            wire.say("HTTP/1.1 500 Internal Server Error\r\n\r\n");
            wire.say_for_ever("x");
        }),
    ]);
}

#[test]
fn a_status_without_a_body_has_none() {
    check(&[
        Behaviour::says(
            "204 with a length",
            Is(204, ""),
            "HTTP/1.1 204 No Content\r\ncontent-length: 100\r\n\r\n",
        ),
        Behaviour::does("204 with an endless body", Is(204, ""), |wire| {
            wire.say("HTTP/1.1 204 No Content\r\n\r\n");
            wire.say_for_ever("x");
        }),
        Behaviour::does("204 in endless chunks", Is(204, ""), |wire| {
            wire.say("HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n");
            wire.say_for_ever("1\r\nx\r\n");
        }),
        Behaviour::says(
            "304 with a length",
            Is(304, ""),
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n",
        ),
        Behaviour::says(
            "an error of no bytes",
            Is(503, ""),
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        ),
    ]);
}
