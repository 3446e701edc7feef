//! One way for a server to behave, and what both transports have to make of it.

use std::sync::mpsc::channel;
use std::time::Duration;

use oss_delete_vectors::transports::TransportOptions;
use oss_delete_vectors::{MAX_RESPONSE_BODY, TransportError};

use super::wire::Wire;
use crate::carrier::{Carrier, Outcome, request};
use crate::enough_time::with_enough_time;
use crate::peer::Peer;
use crate::{ALLOCATOR, HEAP};

/// What a server can get rid of at most, in bytes, for no client can have read more than was
/// written: a body at its limit, in chunks of one byte, which are six on the wire, and what the
/// kernel holds for the two sockets, which is up to 10 MiB by its defaults, and as much again for
/// safety. A third of what is there to take.
const MOST_TAKEN: u64 = 32 * 1024 * 1024;

/// Ends a test that would hang otherwise; nothing is expected to take this long.
const TEST_TIMEOUT: Duration = Duration::from_secs(300);

pub(crate) struct Behaviour {
    name: &'static str,
    answer: Answer,
    hyper: Expected,
    ureq: Expected,
}

/// What comes after the request was read. Then the connection stays open, until the client closes
/// it.
#[derive(Clone, Copy)]
enum Answer {
    Says(&'static str),
    Does(fn(&mut Wire)),
}

impl Behaviour {
    /// Of which both transports make the same.
    pub(crate) const fn does(
        name: &'static str,
        expected: Expected,
        answer: fn(&mut Wire),
    ) -> Self {
        Self { name, answer: Answer::Does(answer), hyper: expected, ureq: expected }
    }

    pub(crate) const fn says(name: &'static str, expected: Expected, answer: &'static str) -> Self {
        Self { name, answer: Answer::Says(answer), hyper: expected, ureq: expected }
    }

    pub(crate) const fn ureq(self, expected: Expected) -> Self {
        Self { ureq: expected, ..self }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// This status, and this body.
    Is(u16, &'static str),
    /// No answer, and the request may have arrived.
    NoAnswer,
    /// No answer within the time that the call may take.
    Timeout,
    /// No answer, because time ran out or sooner.
    GivenUp,
    BodyTooLarge,
}

/// Has every behaviour meet both transports.
pub(crate) fn check(behaviours: &[Behaviour]) {
    for behaviour in behaviours {
        let Behaviour { name, answer, hyper, ureq } = *behaviour;
        let ends_by_time = |expected| matches!(expected, Expected::Timeout | Expected::GivenUp);
        for (transport, expected) in [("hyper", hyper), ("ureq", ureq)] {
            let case = format!("{name}, {transport}");
            let met = |timeout| {
                meet(
                    &case,
                    answer,
                    Carrier::named(transport, &TransportOptions::new().timeout(timeout)),
                )
            };
            // The request must have left before the timeout.
            let met = if ends_by_time(expected) {
                with_enough_time(|timeout| Some(met(timeout)).filter(|met| met.requests > 0))
            } else {
                met(TEST_TIMEOUT)
            };
            judge(&case, expected, met.outcome);
            assert_eq!((met.connections, met.requests), (1, 1), "{case}: sent once");
            if !ends_by_time(expected) {
                assert!(met.taken < MOST_TAKEN, "{case}: {} bytes taken", met.taken);
            }
            let heap = ALLOCATOR.max_allocated();
            println!("{case}: {} bytes taken; the heap had {heap} at most so far", met.taken);
            assert!(heap < HEAP, "{case}: the heap had {heap} bytes");
        }
    }
}

/// What became of one call, and what the server saw of it.
struct Met {
    outcome: Outcome,
    connections: usize,
    requests: u64,
    taken: u64,
}

fn meet(case: &str, answer: Answer, carrier: Carrier) -> Met {
    let (sender, ended) = channel();
    let peer = Peer::start(move |stream| {
        let mut wire = Wire::new(stream);
        if wire.request() {
            match answer {
                Answer::Says(text) => {
                    wire.say(text);
                }
                Answer::Does(answer) => answer(&mut wire),
            }
            wire.wait_for_close();
        }
        let _ = sender.send((wire.requests, wire.taken));
    });
    // Without the extensions, which hold the connection of an upgrade.
    let outcome = carrier.send(request(&peer.url())).map(|mut response| {
        response.extensions_mut().clear();
        response
    });
    // Here at the latest the connection is closed, whatever the server still has to say.
    drop(carrier);
    // No connection, if the timeout passed before it was made.
    let is_connected =
        peer.connections() > 0 || !outcome.as_ref().is_err_and(TransportError::is_surely_not_sent);
    let (requests, taken) = if is_connected {
        ended
            .recv_timeout(TEST_TIMEOUT)
            .unwrap_or_else(|_| panic!("{case}: the connection stays open"))
    } else {
        (0, 0)
    };
    Met { outcome, connections: peer.connections(), requests, taken }
}

pub(crate) fn judge(case: &str, expected: Expected, outcome: Outcome) {
    if let Expected::Is(status, body) = expected {
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
    if !matches!(expected, Expected::GivenUp) {
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
    // It says what happened, in one line, and repeats neither the answer nor the request.
    assert!(
        text.contains(&beginning) && text.len() < 200 && !text.contains(['\r', '\n']),
        "{case}: {text}"
    );
    println!("{case}: {text}");
}
