//! Private certificate authorities, and servers with their certificates.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig, ServerConnection, StreamOwned};

use super::peer::{NO_CONTENT, Peer, respond_to_all};

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server with a certificate for `name`. It responds 204 to every request.
    pub(crate) fn serve(&self, name: &str) -> Peer {
        self.serve_with(&CertificateParams::new([name.to_owned()]).unwrap())
    }

    pub(crate) fn serve_with(&self, params: &CertificateParams) -> Peer {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        serve(certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

/// A server with a certificate from `tests/fixtures/certificates`, and the authority that signed
/// it. *ring* cannot create these: `p521` or `p256`, both with SHA-512.
pub(crate) fn serve_fixture(name: &str) -> (Peer, Vec<u8>) {
    let read =
        |file: String| std::fs::read(format!("tests/fixtures/certificates/{file}.pem")).unwrap();
    let certificate = CertificateDer::from_pem_slice(&read(format!("{name}-sha512-leaf"))).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&read("leaf-key".to_owned())).unwrap();
    (serve(certificate, key), read(format!("{name}-authority")))
}

fn serve(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Peer {
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
    let config = Arc::new(config);
    Peer::start(move |stream| respond_to_all(&mut accept(stream, &config), NO_CONTENT))
}

fn accept(stream: TcpStream, config: &Arc<ServerConfig>) -> impl Read + Write + use<> {
    StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream)
}
