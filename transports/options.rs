//! The options of both transports.

use std::time::Duration;
use std::{error, fmt, io};

use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{MAX_TIMEOUT, Proxy};
use crate::credentials::Direct;
use crate::{InvalidValue, TransportError};

/// How long an idle connection is kept. Servers and proxies usually keep it longer, so that a
/// request rarely uses a connection that is just being closed.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// The maximum number of idle connections per host: more than the service's limits allow to use.
pub(super) const MAX_IDLE: usize = 64;

/// Timeouts, trusted certificates, proxy and `user-agent`, the same for every transport.
///
/// ```
/// use std::time::Duration;
/// # use oss_delete_vectors::transports::TransportOptions;
///
/// let options = TransportOptions::new()
///     .connect_timeout(Duration::from_secs(3))
///     .timeout(Duration::from_secs(20));
/// ```
#[derive(Clone)]
pub struct TransportOptions {
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) extra_roots: Vec<CertificateDer<'static>>,
    pub(super) user_agent: UserAgent,
    pub(super) proxy: Option<Proxy>,
}

/// Replaces the `user-agent` of a request.
#[derive(Debug, Clone, Default)]
pub(super) struct UserAgent(Option<HeaderValue>);

impl UserAgent {
    pub(super) fn apply(&self, headers: &mut HeaderMap) {
        if let Some(value) = &self.0 {
            headers.insert(header::USER_AGENT, value.clone());
        }
    }
}

impl TransportOptions {
    /// 10 seconds to connect, 60 seconds for the whole call, the public roots only, no proxy.
    #[must_use]
    pub fn new() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            extra_roots: Vec::new(),
            user_agent: UserAgent::default(),
            proxy: None,
        }
    }

    /// The timeout of connecting: name lookup, TCP, the `CONNECT` of a proxy and TLS together; 10
    /// seconds if not set, at most a day.
    ///
    /// A request that fails here was surely not sent.
    #[must_use]
    pub fn connect_timeout(self, limit: Duration) -> Self {
        Self { connect_timeout: limit.min(MAX_TIMEOUT), ..self }
    }

    /// The timeout of the whole call, from connecting to the last byte of the body; 60 seconds if
    /// not set, at most a day.
    ///
    /// A request that fails here may have arrived, unless it was still connecting. Make it longer
    /// than the service can take: each such failure leaves up to 500 keys unconfirmed.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        Self { timeout: limit.min(MAX_TIMEOUT), ..self }
    }

    /// Sends requests through this proxy, except those marked
    /// [`Direct`](crate::credentials::Direct), which go to services of the host. The environment is
    /// not read: a program that supports `HTTPS_PROXY` reads the variable and passes a [`Proxy`].
    ///
    /// If the proxy cannot be reached or rejects the connection, the error is *surely not sent*,
    /// and names the proxy without user and password.
    ///
    /// ```
    /// # use oss_delete_vectors::transports::{Proxy, TransportOptions};
    /// let options = TransportOptions::new().proxy(Proxy::parse("http://proxy.example.com:8080")?);
    /// # Ok::<_, oss_delete_vectors::InvalidValue>(())
    /// ```
    #[must_use]
    pub fn proxy(self, proxy: Proxy) -> Self {
        Self { proxy: Some(proxy), ..self }
    }

    /// The peer of `request` as errors show it. If the request is marked as direct, also the options
    /// to send it with instead of these.
    pub(super) fn route<B>(
        &self,
        request: &Request<B>,
    ) -> Result<(String, Option<Self>), TransportError> {
        let peer = peer(request.uri())?;
        Ok(match (request.extensions().get::<Direct>(), &self.proxy) {
            (Some(&direct), _) => (peer, Some(self.direct(direct))),
            (None, Some(proxy)) => (format!("{peer} through the proxy {proxy}"), None),
            (None, None) => (peer, None),
        })
    }

    fn direct(&self, direct: Direct) -> Self {
        let [connect_timeout, timeout] =
            [self.connect_timeout, self.timeout].map(|limit| limit.min(direct.timeout));
        Self { connect_timeout, timeout, proxy: None, ..self.clone() }
    }

    /// Replaces the `user-agent` of all requests. The default names this crate.
    ///
    /// A [`Signer`](crate::signing::Signer) does not sign it, unless it is an additional header.
    /// Then the service rejects requests whose `user-agent` is replaced here.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the field `user agent`: it must have only visible ASCII characters
    /// and spaces, and not be empty.
    ///
    /// ```
    /// # use oss_delete_vectors::transports::TransportOptions;
    /// let options = TransportOptions::new().user_agent("purge-documents/1.0")?;
    /// # Ok::<_, oss_delete_vectors::InvalidValue>(())
    /// ```
    #[doc(alias = "user-agent")]
    pub fn user_agent(self, user_agent: &str) -> Result<Self, InvalidValue> {
        let is_text = |byte: u8| matches!(byte, b' '..=b'~');
        let value =
            HeaderValue::from_str(user_agent).ok().filter(|_| user_agent.bytes().all(is_text));
        let value = value.filter(|_| !user_agent.trim().is_empty());
        let rule = "must be visible ASCII characters and spaces, and not empty";
        let value = value.ok_or_else(|| InvalidValue::new("user agent", rule, user_agent))?;
        Ok(Self { user_agent: UserAgent(Some(value)), ..self })
    }

    /// Trusts the certificates in `pem`, in addition to the public roots and those added before:
    /// for a private gateway, or a proxy that inspects TLS. An error with `UnknownIssuer` means
    /// that they are missing. Sections other than certificates are skipped.
    ///
    /// # Errors
    ///
    /// [`InvalidRoots`] if `pem` has no certificate, a section is broken, or a certificate cannot
    /// be a trust anchor. Check that it is the file of the certificate authority, in PEM format.
    ///
    /// ```
    /// # use oss_delete_vectors::transports::TransportOptions;
    /// assert!(TransportOptions::new().extra_roots(b"").is_err());
    /// ```
    #[doc(alias = "cert")]
    #[doc(alias = "certificate")]
    #[doc(alias = "ca")]
    pub fn extra_roots(mut self, pem: &[u8]) -> Result<Self, InvalidRoots> {
        let mut anchors = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(InvalidRoots::new)?;
            anchors.add(certificate.clone()).map_err(InvalidRoots::new)?;
            self.extra_roots.push(certificate);
        }
        if anchors.is_empty() {
            return Err(InvalidRoots::new("no certificate found"));
        }
        Ok(self)
    }
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self::new()
    }
}

// Not derived, because a certificate would fill a page with hex.
impl fmt::Debug for TransportOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportOptions")
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("extra_roots", &format_args!("{} certificates", self.extra_roots.len()))
            .field("proxy", &self.proxy)
            .finish()
    }
}

/// The input has no usable root certificates. The text has the reason.
#[derive(Debug)]
pub struct InvalidRoots {
    reason: String,
}

impl InvalidRoots {
    fn new(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string() }
    }
}

impl fmt::Display for InvalidRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unusable root certificates: {}", self.reason)
    }
}

impl error::Error for InvalidRoots {}

/// The peer of a request to `uri`, as `host:port`. Rejects invalid URIs here, so that all
/// transports have the same error.
///
/// Errors do not contain the rest of the URI, because a presigned one has a signature.
fn peer(uri: &Uri) -> Result<String, TransportError> {
    let port = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => Some(80),
        Some(scheme) if *scheme == Scheme::HTTPS => Some(443),
        _ => None,
    };
    match (uri.host(), port) {
        (Some(host), Some(port)) if !host.is_empty() => {
            Ok(format!("{host}:{}", uri.port_u16().unwrap_or(port)))
        }
        _ => Err(TransportError::surely_not_sent("the URI is not an absolute http or https URI")),
    }
}

/// The error of a call that took longer than `limit`.
pub(super) fn timed_out(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("timed out after {limit:?}"))
}
