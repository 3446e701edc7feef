//! TLS of all transports: rustls on *ring*, with the public roots and those of the options.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustls::AlertDescription::{HandshakeFailure, ProtocolVersion};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, InvalidMessage};

use super::{BoxError, TransportOptions, algorithm};

/// The crypto provider. Passed explicitly, because the process-wide default belongs to the program.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// All trusted root certificates.
pub(super) fn roots(options: &TransportOptions) -> impl Iterator<Item = &CertificateDer<'static>> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().chain(&options.extra_roots)
}

/// The rustls configuration with both. ureq builds the same from its parts.
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

/// `error`, or an error with a clearer text if it is one of the TLS errors below.
pub(super) fn explained(error: impl Into<BoxError>) -> BoxError {
    let error = error.into();
    match tls_error(error.as_ref()).and_then(explanation) {
        // The kind that rustls uses.
        Some(text) => io::Error::new(io::ErrorKind::InvalidData, text).into(),
        None => error,
    }
}

/// The rustls error among the sources of `error`, including those inside of IO errors, which
/// `source` skips.
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
            "the server rejected the TLS handshake: no algorithm in common with this client"
                .to_owned()
        }
        rustls::Error::AlertReceived(ProtocolVersion) => {
            "the server supports neither TLS 1.2 nor TLS 1.3".to_owned()
        }
        rustls::Error::InvalidCertificate(UnknownIssuer) => {
            "the server's certificate is not from a trusted authority (UnknownIssuer)".to_owned()
        }
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => {
            "the server's certificate has expired, or the clock of this host is wrong".to_owned()
        }
        rustls::Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => {
            "the server's certificate is not valid yet, or the clock of this host is wrong"
                .to_owned()
        }
        // Self-signed, as from `openssl req -x509`. Compares the text, because the type of the
        // error is in a crate that is not a direct dependency.
        rustls::Error::InvalidCertificate(Other(error))
            if error.to_string().contains("CaUsedAsEndEntity") =>
        {
            "the server's certificate is that of an authority (CA:TRUE): the server needs one that \
             is signed by it"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id,
            ..
        }) => {
            let signature = algorithm::name(signature_algorithm_id);
            format!("a certificate of the server is signed with {signature}: not supported")
        }
        rustls::Error::InvalidCertificate(UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id,
            public_key_algorithm_id,
        }) => {
            let [signature, key] =
                [signature_algorithm_id, public_key_algorithm_id].map(|id| algorithm::name(id));
            let algorithms = format!("{signature} and a key of {key}");
            format!("a certificate of the server is signed with {algorithms}: not supported")
        }
        _ => return None,
    })
}
