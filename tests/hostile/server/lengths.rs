//! Wrong lengths, and responses with an unexpected or a missing body.

use super::behaviour::Expected::{BodyTooLarge, NoResponse, Response, Timeout};
use super::behaviour::{Behaviour, check};

#[test]
fn invalid_lengths_are_errors() {
    check(&[
        Behaviour::sends(
            "two lengths",
            NoResponse,
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxy",
        ),
        Behaviour::sends(
            "two lengths in one header",
            NoResponse,
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 1, 2\r\n\r\nxy",
        ),
        Behaviour::sends(
            "negative length",
            NoResponse,
            "HTTP/1.1 403 Forbidden\r\ncontent-length: -1\r\n\r\nx",
        ),
        Behaviour::sends(
            "signed length",
            NoResponse,
            "HTTP/1.1 403 Forbidden\r\ncontent-length: +1\r\n\r\nx",
        ),
        Behaviour::sends(
            "length in hex",
            NoResponse,
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 0x1\r\n\r\nx",
        ),
        Behaviour::sends(
            "length beyond 64 bits",
            NoResponse,
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 18446744073709551617\r\n\r\nx",
        ),
        Behaviour::sends(
            "the same length twice",
            Response(403, "x"),
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
        ),
        Behaviour::sends(
            "a length and chunks",
            Response(403, "x"),
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 7\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        ),
        Behaviour::runs("a coding that was not requested", Response(403, "as it is"), |wire| {
            wire.send("HTTP/1.1 403 Forbidden\r\ntransfer-encoding: gzip\r\n\r\nas it is");
            wire.close_writing();
        }),
    ]);
}

#[test]
fn huge_lengths_allocate_nothing() {
    check(&[
        Behaviour::runs("the longest length, an endless body", BodyTooLarge, |wire| {
            wire.send(
                "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 9223372036854775807\r\n\r\n",
            );
            wire.send_endlessly("x");
        }),
        Behaviour::sends(
            "the longest length, no body",
            Timeout,
            "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 9223372036854775807\r\n\r\n",
        ),
        Behaviour::runs("an error of 100 MB", BodyTooLarge, |wire| {
            wire.send("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 104857600\r\n\r\n");
            wire.send_endlessly("<Error><Code>QpsLimitExceeded</Code></Error>");
        }),
        Behaviour::runs("an endless body", BodyTooLarge, |wire| {
            wire.send("HTTP/1.1 500 Internal Server Error\r\n\r\n");
            wire.send_endlessly("x");
        }),
    ]);
}

#[test]
fn statuses_without_a_body_have_none() {
    check(&[
        Behaviour::sends(
            "204 with a length",
            Response(204, ""),
            "HTTP/1.1 204 No Content\r\ncontent-length: 100\r\n\r\n",
        ),
        Behaviour::runs("204 with an endless body", Response(204, ""), |wire| {
            wire.send("HTTP/1.1 204 No Content\r\n\r\n");
            wire.send_endlessly("x");
        }),
        Behaviour::runs("204 in endless chunks", Response(204, ""), |wire| {
            wire.send("HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n");
            wire.send_endlessly("1\r\nx\r\n");
        }),
        Behaviour::sends(
            "304 with a length",
            Response(304, ""),
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n",
        ),
        Behaviour::sends(
            "an error without a body",
            Response(503, ""),
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        ),
    ]);
}
