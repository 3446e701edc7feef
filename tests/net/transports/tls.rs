//! The certificates that a transport trusts. Other servers get no request.

use std::time::Duration;

use oss_delete_vectors::transports::TransportOptions;
use rcgen::{BasicConstraints, CertificateParams, IsCa, date_time_ymd};

use crate::carrier::{Carrier, request};
use crate::certificates::{Authority, serve_fixture};
use crate::peer::{Peer, wait_for_close};

#[test]
fn an_added_private_authority_is_trusted() {
    let authority = Authority::new();
    // Added second, next to a PEM section that is not a certificate.
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
    for options in
        [TransportOptions::new(), TransportOptions::new().extra_roots(other.as_bytes()).unwrap()]
    {
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
    for options in
        [TransportOptions::new().connect_timeout(limit), TransportOptions::new().timeout(limit)]
    {
        for carrier in Carrier::each(&options) {
            let url = format!("https://localhost:{}", peer.port());
            let error = carrier.send(request(&url)).unwrap_err();
            assert!(
                error.is_surely_not_sent() && error.is_timeout(),
                "{}: {error}",
                carrier.name()
            );
        }
    }
}

#[test]
fn a_handshake_cut_off_is_surely_not_sent() {
    let peer = Peer::start(drop);
    for carrier in Carrier::each(&TransportOptions::new()) {
        let error =
            carrier.send(request(&format!("https://localhost:{}", peer.port()))).unwrap_err();
        assert!(error.is_surely_not_sent(), "{}: {error}", carrier.name());
    }
}

#[test]
fn invalid_root_certificates_are_rejected() {
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

/// The text of the error of a request to `peer`, without its host and port.
fn error(carrier: &Carrier, peer: &Peer) -> String {
    let error = carrier.send(request(&format!("https://localhost:{}", peer.port()))).unwrap_err();
    assert!(error.is_surely_not_sent(), "{}: {error}", carrier.name());
    let text = error.to_string();
    let beginning =
        format!("the request was not sent: no connection to localhost:{}: ", peer.port());
    text.strip_prefix(&beginning).unwrap_or_else(|| panic!("{}: {text}", carrier.name())).to_owned()
}

#[test]
fn a_failed_handshake_is_explained() {
    let options = TransportOptions::new();
    for carrier in Carrier::each(&options) {
        for plain in [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"220 mail.example ready\r\n",
        ] {
            let peer = Peer::start(move |mut stream| {
                let _ = std::io::Write::write_all(&mut stream, plain);
                wait_for_close(&mut stream);
            });
            let text = error(&carrier, &peer);
            assert_eq!(
                text,
                "the server does not speak TLS: use http:// or another port",
                "{}",
                carrier.name()
            );
        }
        let text = error(&carrier, &Authority::new().serve("localhost"));
        assert_eq!(
            text,
            "the server's certificate is not from a trusted authority (UnknownIssuer)",
            "{}",
            carrier.name()
        );
        // Fatal alerts: handshake_failure and protocol_version.
        for (alert, expected) in [
            (40, "the server rejected the TLS handshake: no algorithm in common with this client"),
            (70, "the server supports neither TLS 1.2 nor TLS 1.3"),
        ] {
            let peer = Peer::start(move |mut stream| {
                let _ = std::io::Write::write_all(&mut stream, &[21, 3, 3, 0, 2, 2, alert]);
                wait_for_close(&mut stream);
            });
            assert_eq!(error(&carrier, &peer), expected, "{}", carrier.name());
        }
    }
}

#[test]
fn a_certificate_that_is_not_valid_is_explained() {
    let authority = Authority::new();
    let params = || CertificateParams::new(["localhost".to_owned()]).unwrap();
    let (mut expired, mut early, mut of_authority) = (params(), params(), params());
    expired.not_after = date_time_ymd(2020, 1, 1);
    early.not_before = date_time_ymd(2100, 1, 1);
    // As created by `openssl req -x509`.
    of_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    for (params, expected) in [
        (expired, "the server's certificate has expired, or the clock of this host is wrong"),
        (early, "the server's certificate is not valid yet, or the clock of this host is wrong"),
        (
            of_authority,
            "the server's certificate is that of an authority (CA:TRUE): the server needs one that is signed by it",
        ),
    ] {
        let peer = authority.serve_with(&params);
        for carrier in
            Carrier::each(&TransportOptions::new().extra_roots(authority.pem().as_bytes()).unwrap())
        {
            assert_eq!(error(&carrier, &peer), expected, "{}", carrier.name());
        }
    }
}

#[test]
fn unsupported_algorithms_are_reported() {
    for (fixture, key) in [("p521", "P-521"), ("p256", "P-256")] {
        let (peer, authority) = serve_fixture(fixture);
        for carrier in Carrier::each(&TransportOptions::new().extra_roots(&authority).unwrap()) {
            let text = error(&carrier, &peer);
            assert!(
                text.starts_with("a certificate of the server is signed with ecdsa-with-SHA512"),
                "{text} {key}"
            );
            assert!(text.ends_with(": not supported"), "{}: {text}", carrier.name());
        }
    }
}

#[test]
fn plain_http_to_a_tls_port_may_have_arrived() {
    let authority = Authority::new();
    let peer = authority.serve("localhost");
    for carrier in Carrier::each(&TransportOptions::new()) {
        let error =
            carrier.send(request(&format!("http://localhost:{}", peer.port()))).unwrap_err();
        assert!(!error.is_surely_not_sent(), "{}: {error}", carrier.name());
        let beginning = format!(
            "no response from localhost:{}, but the request may have arrived: ",
            peer.port()
        );
        assert!(error.to_string().starts_with(&beginning), "{}: {error}", carrier.name());
    }
}
