//! Whom a transport trusts, and that it says nothing to those it does not.

use std::time::Duration;

use oss_delete_vectors::transports::TransportOptions;

use crate::carrier::{Carrier, request};
use crate::certificates::Authority;
use crate::peer::{Peer, wait_for_close};

#[test]
fn a_private_authority_is_trusted_when_it_is_added() {
    let authority = Authority::new();
    // Added second, and beside a section that is no certificate.
    let other = Authority::new();
    let pem = format!("{}\n{}", other.pem(), authority.pem());
    let options = TransportOptions::new().extra_roots(pem.as_bytes()).unwrap();
    let peer = authority.serve("localhost");
    for carrier in Carrier::each(&options) {
        let url = format!("https://localhost:{}", peer.port());
        let response = carrier.send(request(&url)).unwrap();
        assert_eq!(response.status(), 204, "{}", carrier.name());
        assert_eq!(response.headers()["x-oss-request-id"], "1", "{}", carrier.name());
    }
}

#[test]
fn an_unknown_authority_gets_no_request() {
    let peer = Authority::new().serve("localhost");
    let other = Authority::new().pem();
    for options in [TransportOptions::new(), TransportOptions::new().extra_roots(other.as_bytes()).unwrap()] {
        assert_not_trusted(&peer, &options);
    }
}

#[test]
fn a_certificate_for_another_name_gets_no_request() {
    let authority = Authority::new();
    let options = TransportOptions::new().extra_roots(authority.pem().as_bytes()).unwrap();
    assert_not_trusted(&authority.serve("vectors.test"), &options);
}

fn assert_not_trusted(peer: &Peer, options: &TransportOptions) {
    for carrier in Carrier::each(options) {
        let url = format!("https://localhost:{}", peer.port());
        let error = carrier.send(request(&url)).unwrap_err();
        assert!(error.is_surely_not_sent(), "{}: {error}", carrier.name());
        assert!(error.to_string().contains("certificate"), "{}: {error}", carrier.name());
    }
}

#[test]
fn a_handshake_that_stalls_is_surely_not_sent() {
    let peer = Peer::start(|mut stream| wait_for_close(&mut stream));
    let limit = Duration::from_millis(300);
    for options in [TransportOptions::new().connect_timeout(limit), TransportOptions::new().timeout(limit)] {
        for carrier in Carrier::each(&options) {
            let url = format!("https://localhost:{}", peer.port());
            let error = carrier.send(request(&url)).unwrap_err();
            assert!(error.is_surely_not_sent() && error.is_timeout(), "{}: {error}", carrier.name());
        }
    }
}

#[test]
fn a_handshake_cut_off_is_surely_not_sent() {
    let peer = Peer::start(drop);
    for carrier in Carrier::each(&TransportOptions::new()) {
        let error = carrier.send(request(&format!("https://localhost:{}", peer.port()))).unwrap_err();
        assert!(error.is_surely_not_sent(), "{}: {error}", carrier.name());
    }
}

#[test]
fn roots_that_are_none_are_refused() {
    let good = Authority::new().pem();
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let cut = &good[..good.len() / 2];
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for bad in ["", "not PEM", key.as_str(), cut, empty, &format!("{good}{empty}")] {
        let error = TransportOptions::new().extra_roots(bad.as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with("unusable root certificates: "), "{error}");
    }
    assert!(TransportOptions::new().extra_roots(format!("{key}{good}").as_bytes()).is_ok());
}
