//! The result of one call: the unchanged response, or an error that reports whether the request may
//! have arrived.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use oss_delete_vectors::MAX_RESPONSE_BODY;
use oss_delete_vectors::TransportError;
use oss_delete_vectors::transports::TransportOptions;

use crate::carrier::{AnyTransport, Carrier, Outcome, request};
use crate::enough_time::with_enough_time;
use crate::peer::{NO_CONTENT, Peer, read_head, read_request, wait_for_close};

/// The behaviour of a server, and the expected outcome.
struct Scenario {
    name: &'static str,
    serve: fn(TcpStream),
    expected: Expected,
}

#[derive(Clone, Copy)]
enum Expected {
    Response(u16, &'static str),
    BodyOf(usize),
    MayHaveArrived,
    Timeout,
    BodyTooLarge,
    /// A failure. Whether the request was sent depends on timing.
    Failure,
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "success",
        serve: |stream| reply(stream, NO_CONTENT),
        expected: Expected::Response(204, ""),
    },
    Scenario {
        name: "forbidden",
        serve: |stream| {
            reply(stream, b"HTTP/1.1 403 Forbidden\r\ncontent-length: 6\r\n\r\ndenied");
        },
        expected: Expected::Response(403, "denied"),
    },
    Scenario {
        name: "not found, in chunks",
        serve: |stream| {
            let head = "HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n";
            reply(stream, format!("{head}3\r\nno \r\n5\r\nindex\r\n0\r\n\r\n").as_bytes());
        },
        expected: Expected::Response(404, "no index"),
    },
    Scenario {
        name: "unavailable, until the connection closes",
        serve: |stream| {
            reply(stream, b"HTTP/1.1 503 Slow Down\r\nconnection: close\r\n\r\nlater");
        },
        expected: Expected::Response(503, "later"),
    },
    Scenario {
        name: "body of exactly the limit",
        serve: |stream| reply(stream, &body_of(MAX_RESPONSE_BODY)),
        expected: Expected::BodyOf(MAX_RESPONSE_BODY),
    },
    Scenario {
        name: "body over the limit",
        serve: |stream| reply(stream, &body_of(MAX_RESPONSE_BODY + 1)),
        expected: Expected::BodyTooLarge,
    },
    Scenario {
        name: "endless body",
        serve: |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(&[b'x'; 4096]).is_ok() {}
        },
        expected: Expected::BodyTooLarge,
    },
    Scenario {
        name: "truncated body",
        serve: |stream| {
            reply(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort");
        },
        expected: Expected::MayHaveArrived,
    },
    Scenario {
        name: "truncated head",
        serve: |stream| reply(stream, b"HTTP/1.1 204 No Con"),
        expected: Expected::MayHaveArrived,
    },
    Scenario {
        name: "no HTTP",
        serve: |stream| reply(stream, b"220 mail.example ready\r\n\r\n"),
        expected: Expected::MayHaveArrived,
    },
    Scenario {
        name: "closed after the request",
        serve: |stream| reply(stream, b""),
        expected: Expected::MayHaveArrived,
    },
    Scenario {
        name: "reset after the request",
        serve: |mut stream| {
            let (_, length) = read_head(&mut stream).unwrap();
            stream.read_exact(&mut vec![0; length - 1]).unwrap();
            // Closing with an unread byte resets the connection. Waits until that byte has arrived.
            stream.peek(&mut [0]).unwrap();
        },
        expected: Expected::MayHaveArrived,
    },
    Scenario { name: "closed before the request", serve: drop, expected: Expected::Failure },
    Scenario {
        name: "stalled response",
        serve: |mut stream| wait_for_close(&mut stream),
        expected: Expected::Timeout,
    },
    Scenario {
        name: "stalled body",
        serve: |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort");
            wait_for_close(&mut stream);
        },
        expected: Expected::Timeout,
    },
];

#[test]
fn every_scenario_ends_as_expected() {
    for Scenario { name, serve, expected } in SCENARIOS {
        for transport in AnyTransport::NAMES {
            let outcome = |timeout| {
                let peer = Peer::start(serve);
                AnyTransport::named(transport, timeout).send(request(&peer.url()))
            };
            let outcome = match expected {
                // The request must have left before the timeout.
                Expected::Timeout => with_enough_time(|timeout| {
                    Some(outcome(timeout)).filter(|outcome| {
                        !outcome.as_ref().is_err_and(TransportError::is_surely_not_sent)
                    })
                }),
                _ => outcome(Duration::MAX),
            };
            check(&format!("{name}, {transport}"), *expected, outcome);
        }
    }
}

fn check(case: &str, expected: Expected, outcome: Outcome) {
    match expected {
        Expected::Response(status, body) => {
            let response = outcome.unwrap_or_else(|error| panic!("{case}: {error}"));
            assert_eq!(
                (response.status().as_u16(), &response.body()[..]),
                (status, body.as_bytes()),
                "{case}"
            );
        }
        Expected::BodyOf(length) => {
            let response = outcome.unwrap_or_else(|error| panic!("{case}: {error}"));
            assert_eq!(response.body().len(), length, "{case}");
        }
        Expected::Failure => assert!(outcome.is_err(), "{case}: {outcome:?}"),
        Expected::MayHaveArrived | Expected::Timeout | Expected::BodyTooLarge => {
            let error = outcome.expect_err(case);
            assert!(!error.is_surely_not_sent(), "{case}: {error}");
            let timeout = matches!(expected, Expected::Timeout);
            assert_eq!(error.is_timeout(), timeout, "{case}: {error}");
            let too_large = matches!(expected, Expected::BodyTooLarge);
            assert_eq!(error.is_body_too_large(), too_large, "{case}: {error}");
        }
    }
}

#[test]
fn infinite_timeouts_do_not_overflow() {
    let options = TransportOptions::new().connect_timeout(Duration::MAX).timeout(Duration::MAX);
    let peer = Peer::start(|stream| reply(stream, NO_CONTENT));
    for carrier in Carrier::each(&options) {
        carrier.send(request(&peer.url())).unwrap();
    }
}

#[test]
fn a_refused_connection_is_surely_not_sent() {
    // Bound and dropped: a port without a listener.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    for transport in AnyTransport::all() {
        let error = transport.send(request(&format!("http://{free}"))).unwrap_err();
        assert!(error.is_surely_not_sent() && !error.is_timeout(), "{}: {error}", transport.name());
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("the request was not sent: no connection to {free}: ")),
            "{text}"
        );
        assert!(text.contains("Connection refused") && !text.contains('\n'), "{text}");
    }
}

#[test]
fn an_unknown_host_is_surely_not_sent() {
    // Reserved for tests by RFC 2606.
    for transport in AnyTransport::all() {
        let error = transport.send(request("http://nonexistent.invalid")).unwrap_err();
        assert!(error.is_surely_not_sent(), "{}: {error}", transport.name());
        assert!(
            error.to_string().contains("no connection to nonexistent.invalid:80: "),
            "{}: {error}",
            transport.name()
        );
    }
}

#[test]
fn timeouts_report_their_duration_and_the_peer() {
    let limit = Duration::from_millis(300);
    let peer = Peer::start(|mut stream| wait_for_close(&mut stream));
    let at = format!("127.0.0.1:{}", peer.port());
    for name in AnyTransport::NAMES {
        let transport = AnyTransport::named(name, limit);
        let error = transport.send(request(&peer.url())).unwrap_err().to_string();
        let expected = format!(
            "no response from {at}, but the request may have arrived: timed out after 300ms"
        );
        assert_eq!(error, expected, "{name}");
    }
    for carrier in Carrier::each(&TransportOptions::new().connect_timeout(limit)) {
        let error = carrier.send(request(&format!("https://{at}"))).unwrap_err().to_string();
        let expected =
            format!("the request was not sent: no connection to {at}: timed out after 300ms");
        assert_eq!(error, expected, "{}", carrier.name());
    }
}

#[test]
fn impossible_uris_are_surely_not_sent() {
    for transport in AnyTransport::all() {
        for url in ["", "ftp://127.0.0.1"] {
            let error = transport.send(request(url)).unwrap_err();
            assert!(error.is_surely_not_sent(), "{url}, {}: {error}", transport.name());
        }
    }
}

fn reply(mut stream: TcpStream, response: &[u8]) {
    read_request(&mut stream).expect("a whole request");
    // The client may close before everything is written.
    let _ = stream.write_all(response);
}

fn body_of(length: usize) -> Vec<u8> {
    let mut response = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes();
    response.resize(response.len() + length, b'x');
    response
}
