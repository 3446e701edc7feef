//! Connections are reused, so that a long run takes a few handshakes instead of thousands.

use oss_delete_vectors::transports::TransportOptions;

use crate::carrier::{Carrier, request};
use crate::peer::{NO_CONTENT, Peer, respond_to_all};

/// The maximum number of connections for `senders`.
///
/// ureq connects only if no connection is idle. So does hyper, but its connections become idle only
/// after their task has run after the response. Until then it opens another one, and keeps both. So
/// the number is small, but not exact.
fn most(carrier: &Carrier, senders: usize) -> usize {
    match carrier {
        Carrier::Hyper(..) => 4 * senders,
        Carrier::Ureq(_) => senders,
    }
}

fn check(senders: usize, calls: usize, response: &'static [u8]) {
    for carrier in Carrier::each(&TransportOptions::new()) {
        let peer = Peer::start(move |mut stream| respond_to_all(&mut stream, response));
        carrier.send_many(senders, calls, &request(&peer.url()));
        let (opened, most) = (peer.connections(), most(&carrier, senders));
        assert!((1..=most).contains(&opened), "{}: {opened} connections", carrier.name());
    }
}

#[test]
fn a_thousand_calls_one_after_another() {
    check(1, 1_000, NO_CONTENT);
}

#[test]
fn a_thousand_calls_from_eight_at_once() {
    check(8, 125, NO_CONTENT);
}

#[test]
fn an_error_response_keeps_the_connection() {
    check(1, 100, b"HTTP/1.1 503 Slow Down\r\ncontent-length: 5\r\n\r\nlater");
}
