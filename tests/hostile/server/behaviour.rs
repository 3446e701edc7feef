//! The behaviour of a hostile server, and the expected outcome.

use std::sync::mpsc::channel;
use std::time::Duration;

use oss_delete_vectors::{MAX_RESPONSE_BODY, TransportError};

use super::wire::Wire;
use crate::carrier::{AnyTransport, Outcome, request};
use crate::enough_time::with_enough_time;
use crate::peer::Peer;
use crate::{ALLOCATOR, HEAP};

/// The maximum number of bytes that a server can write: a body at its limit in one-byte chunks (six
/// bytes each on the wire), the kernel's buffers of both sockets (36 MiB by default in Linux 6.18),
/// and as much again for safety. An eighth of what the server offers.
const MAX_WRITTEN: u64 = 128 * 1024 * 1024;

/// Ends a test that would hang otherwise.
const TEST_TIMEOUT: Duration = Duration::from_secs(300);

pub(crate) struct Behaviour {
    name: &'static str,
    action: Action,
    expected: Expected,
    /// ureq may differ.
    ureq: Expected,
}

/// What the server does after it has read the request. The connection then stays open until the
/// client closes it.
#[derive(Clone, Copy)]
enum Action {
    Sends(&'static str),
    Runs(fn(&mut Wire)),
}

impl Behaviour {
    pub(crate) const fn runs(
        name: &'static str,
        expected: Expected,
        action: fn(&mut Wire),
    ) -> Self {
        Self { name, action: Action::Runs(action), expected, ureq: expected }
    }

    pub(crate) const fn sends(
        name: &'static str,
        expected: Expected,
        action: &'static str,
    ) -> Self {
        Self { name, action: Action::Sends(action), expected, ureq: expected }
    }

    pub(crate) const fn ureq(self, expected: Expected) -> Self {
        Self { ureq: expected, ..self }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// A response with this status and this body.
    Response(u16, &'static str),
    /// A failure; the request may have arrived.
    NoResponse,
    /// The timeout of the call.
    Timeout,
    /// Any failure, the timeout included.
    AnyFailure,
    BodyTooLarge,
}

/// Checks each behaviour with each transport.
pub(crate) fn check(behaviours: &[Behaviour]) {
    for behaviour in behaviours {
        let Behaviour { name, action, expected, ureq } = *behaviour;
        let ends_by_time = |expected| matches!(expected, Expected::Timeout | Expected::AnyFailure);
        for transport in AnyTransport::NAMES {
            let expected = if transport == "ureq" { ureq } else { expected };
            let case = format!("{name}, {transport}");
            let observed =
                |timeout| observe(&case, action, AnyTransport::named(transport, timeout));
            // The request must have left before the timeout.
            let observed = if ends_by_time(expected) {
                with_enough_time(|timeout| {
                    Some(observed(timeout)).filter(|observed| observed.requests > 0)
                })
            } else {
                observed(TEST_TIMEOUT)
            };
            judge(&case, expected, observed.outcome);
            assert_eq!(
                (observed.connections, observed.requests),
                (1, 1),
                "{case}: must be sent once"
            );
            assert!(observed.written < MAX_WRITTEN, "{case}: {} bytes written", observed.written);
            let heap = ALLOCATOR.max_allocated();
            println!(
                "{case}: {} bytes written; maximum heap so far: {heap} bytes",
                observed.written
            );
            assert!(heap < HEAP, "{case}: {heap} bytes, or the backtrace of another failure");
        }
    }
}

/// The outcome of one call, and what the server counted.
struct Observed {
    outcome: Outcome,
    connections: usize,
    requests: u64,
    written: u64,
}

fn observe(case: &str, action: Action, transport: AnyTransport) -> Observed {
    let (sender, ended) = channel();
    let peer = Peer::start(move |stream| {
        let mut wire = Wire::new(stream);
        if wire.request() {
            match action {
                Action::Sends(text) => {
                    wire.send(text);
                }
                Action::Runs(action) => action(&mut wire),
            }
            wire.wait_for_close();
        }
        let _ = sender.send((wire.requests, wire.written));
    });
    // Clears the extensions, because they keep the connection of an upgrade open.
    let outcome = transport.send(request(&peer.url())).map(|mut response| {
        response.extensions_mut().clear();
        response
    });
    // Closes the connection if it is still open.
    drop(transport);
    // There is no connection if the timeout passed before it was made.
    let is_connected =
        peer.connections() > 0 || !outcome.as_ref().is_err_and(TransportError::is_surely_not_sent);
    let (requests, written) = if is_connected {
        ended
            .recv_timeout(TEST_TIMEOUT)
            .unwrap_or_else(|_| panic!("{case}: the connection is still open"))
    } else {
        (0, 0)
    };
    Observed { outcome, connections: peer.connections(), requests, written }
}

pub(crate) fn judge(case: &str, expected: Expected, outcome: Outcome) {
    if let Expected::Response(status, body) = expected {
        let response = outcome.unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(response.status(), status, "{case}");
        assert!(
            response.body() == body.as_bytes(),
            "{case}: a body of {} bytes",
            response.body().len()
        );
        return;
    }
    let error = outcome.expect_err(case);
    assert!(!error.is_surely_not_sent(), "{case}: {error}");
    if !matches!(expected, Expected::AnyFailure) {
        assert_eq!(error.is_timeout(), matches!(expected, Expected::Timeout), "{case}: {error}");
    }
    assert_eq!(
        error.is_body_too_large(),
        matches!(expected, Expected::BodyTooLarge),
        "{case}: {error}"
    );
    let text = error.to_string();
    let beginning = match expected {
        Expected::BodyTooLarge => format!("is over {MAX_RESPONSE_BODY} bytes: "),
        _ => ", but the request may have arrived: ".to_owned(),
    };
    // One line about the failure, without the response or the request.
    assert!(
        text.contains(&beginning) && text.len() < 200 && !text.contains(['\r', '\n']),
        "{case}: {text}"
    );
    println!("{case}: {text}");
}
