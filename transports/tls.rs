//! One TLS for all transports: rustls on *ring*, the public roots and those of the options.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustls::AlertDescription::{HandshakeFailure, ProtocolVersion};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, InvalidMessage};

use super::{BoxError, TransportOptions, algorithm};

/// The provider, passed by hand: the process-wide default belongs to the program.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Every certificate trusted to sign a server's.
pub(super) fn roots(options: &TransportOptions) -> impl Iterator<Item = &CertificateDer<'static>> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().chain(&options.extra_roots)
}

/// What the above come to in rustls. ureq builds the same of the parts.
#[allow(dead_code, reason = "a transport takes the parts or the whole")]
pub(super) fn client_config(options: &TransportOptions) -> rustls::ClientConfig {
    let mut store = rustls::RootCertStore::empty();
    store.add_parsable_certificates(roots(options).cloned());
    rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(store)
        .with_no_client_auth()
}

/// `error`, or a text of ours in its place where it comes of TLS and its own would be a riddle.
pub(super) fn explained(error: impl Into<BoxError>) -> BoxError {
    let error = error.into();
    match tls_error(error.as_ref()).and_then(explanation) {
        // The kind that rustls gives it.
        Some(text) => io::Error::new(io::ErrorKind::InvalidData, text).into(),
        None => error,
    }
}

/// The error of rustls among the sources of `error`, those that IO errors do not count as their sources included.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    std::iter::successors(Some(error), |&error| {
        let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        within.map(|within| within as &(dyn Error + 'static)).or_else(|| error.source())
    })
    .find_map(|error| error.downcast_ref::<rustls::Error>())
}

fn explanation(error: &rustls::Error) -> Option<String> {
    use CertificateError::{
        Expired, ExpiredContext, NotValidYet, NotValidYetContext, Other, UnknownIssuer,
        UnsupportedSignatureAlgorithmContext, UnsupportedSignatureAlgorithmForPublicKeyContext,
    };
    Some(match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the server does not speak TLS: use http:// or another port".to_owned()
        }
        rustls::Error::AlertReceived(HandshakeFailure) => {
            "the server refused the TLS handshake: it and this client have no algorithm in common".to_owned()
        }
        rustls::Error::AlertReceived(ProtocolVersion) => "the server speaks neither TLS 1.2 nor TLS 1.3".to_owned(),
        rustls::Error::InvalidCertificate(UnknownIssuer) => {
            "the server's certificate is not from a trusted authority (UnknownIssuer)".to_owned()
        }
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => {
            "the server's certificate has expired, or the clock of this host is wrong".to_owned()
        }
        rustls::Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => {
            "the server's certificate is not valid yet, or the clock of this host is wrong".to_owned()
        }
        // Self-signed, as `openssl req -x509` makes it. The error's type is of a crate that is not a direct dependency.
        rustls::Error::InvalidCertificate(Other(error)) if error.to_string().contains("CaUsedAsEndEntity") => {
            "the server's certificate is that of an authority (CA:TRUE): the server needs one that is signed by it".to_owned()
        }
        rustls::Error::InvalidCertificate(UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. }) => {
            let signature = algorithm::name(signature_algorithm_id);
            format!("a certificate of the server is signed with {signature}, which is not supported")
        }
        rustls::Error::InvalidCertificate(UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id,
            public_key_algorithm_id,
        }) => {
            let [signature, key] = [signature_algorithm_id, public_key_algorithm_id].map(|id| algorithm::name(id));
            format!("a certificate of the server is signed with {signature} and a key of {key}, which is not supported")
        }
        _ => return None,
    })
}
