//! Connections through a proxy, as hyper-util makes them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use base64ct::{Base64, Encoding};
use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use tower_service::Service;
use zeroize::Zeroizing;

use super::lookup::Lookup;
use crate::credentials::secret_header;
use crate::transports::BoxError;
use crate::transports::proxy::{Proxy, ProxyKind};

/// `https` asks for TLS to the proxy.
pub(super) fn tunnel(
    proxy: &Proxy,
    connector: HttpsConnector<HttpConnector<Lookup>>,
) -> Through<Tunnel<HttpsConnector<HttpConnector<Lookup>>>> {
    let tunnel = Tunnel::new(address(proxy), connector);
    Through(match &proxy.user {
        None => tunnel,
        Some((user, password)) => {
            let pair = Zeroizing::new([user, ":", password].concat());
            let pair = Zeroizing::new(Base64::encode_string(pair.as_bytes()));
            let basic = Zeroizing::new(["Basic ", &pair].concat());
            tunnel.with_auth(secret_header(&basic).expect("base64 is visible ASCII"))
        }
    })
}

/// The proxy looks names up.
pub(super) fn socks(
    proxy: &Proxy,
    connector: HttpConnector<Lookup>,
) -> Through<SocksV5<HttpConnector<Lookup>>> {
    let socks = SocksV5::new(address(proxy), connector).local_dns(false);
    Through(match &proxy.user {
        None => socks,
        Some((user, password)) => socks.with_auth(user.to_string(), password.to_string()),
    })
}

fn address(proxy: &Proxy) -> Uri {
    let scheme = if proxy.kind == ProxyKind::Https { Scheme::HTTPS } else { Scheme::HTTP };
    uri(scheme, proxy.authority.as_str())
}

fn uri(scheme: Scheme, authority: &str) -> Uri {
    let uri = Uri::builder().scheme(scheme).authority(authority);
    uri.path_and_query(PathAndQuery::from_static("/")).build().expect("every part was parsed")
}

/// Adds the port of `http` to URIs without a port: the connectors of hyper-util would take 443.
#[derive(Clone)]
pub(super) struct Through<C>(C);

impl<C> Service<Uri> for Through<C>
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let connecting = self.0.call(with_port(destination));
        Box::pin(async move { connecting.await.map_err(|error| explained(error.into())) })
    }
}

fn with_port(destination: Uri) -> Uri {
    match (destination.host(), destination.port(), destination.scheme()) {
        (Some(host), None, Some(scheme)) if *scheme == Scheme::HTTP => {
            uri(Scheme::HTTP, &format!("{host}:80"))
        }
        _ => destination,
    }
}

/// The errors of a tunnel have no public type, and those of SOCKS no source.
fn explained(error: BoxError) -> BoxError {
    let text = error.to_string();
    let reason = if text.ends_with("proxy authorization required") {
        "the proxy asks for a user and a password, or rejects these (407)"
    } else if text.ends_with("tunnel error: unsuccessful") {
        "the proxy refused to connect"
    } else if text == "SOCKS error: failed to create underlying connection" {
        "the proxy cannot be reached"
    } else {
        return error;
    };
    io::Error::new(io::ErrorKind::ConnectionRefused, reason).into()
}
