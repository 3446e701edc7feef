//! One TLS for all transports: rustls on *ring*, the public roots and those of the options.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;

use super::TransportOptions;

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
