//! Private certificate authorities and the servers they vouch for.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::{self, ServerConfig, ServerConnection, StreamOwned};

use crate::peer::{NO_CONTENT, Peer, answer_all};

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

    /// A server that presents a certificate for `name` and answers 204 to whatever comes.
    pub(crate) fn serve(&self, name: &str) -> Peer {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let config = Arc::new(config);
        Peer::start(move |stream| answer_all(&mut accept(stream, &config), NO_CONTENT))
    }
}

fn accept(stream: TcpStream, config: &Arc<ServerConfig>) -> impl Read + Write + use<> {
    StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream)
}
