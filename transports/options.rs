//! What both transports let their users choose.

use std::time::Duration;
use std::{error, fmt, io};

use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Uri, header};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{MAX_TIMEOUT, Proxy};
use crate::credentials::Direct;
use crate::{InvalidValue, TransportError};

/// How long an idle connection is kept. Shorter than servers and the proxies before them commonly
/// wait, so that a request is rarely handed to a connection that the other side is just closing.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Idle connections kept per host: above the concurrency that the service's limits leave room for.
pub(super) const MAX_IDLE: usize = 64;

/// Timeouts, trust and proxy, the same for every transport.
///
/// ```
/// use std::time::Duration;
/// # use oss_delete_vectors::transports::TransportOptions;
///
/// let options = TransportOptions::new().connect_timeout(Duration::from_secs(3)).timeout(Duration::from_secs(20));
/// ```
#[derive(Clone)]
pub struct TransportOptions {
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) extra_roots: Vec<CertificateDer<'static>>,
    pub(super) user_agent: UserAgent,
    pub(super) proxy: Option<Proxy>,
}

/// What is sent in the place of a request's own `user-agent`.
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

    /// The time for a connection to stand: name lookup, TCP, a proxy's `CONNECT` and TLS together;
    /// 10 seconds if not set.
    ///
    /// A call that fails here was surely not sent. Over a day is taken as a day.
    #[must_use]
    pub fn connect_timeout(self, limit: Duration) -> Self {
        Self { connect_timeout: limit.min(MAX_TIMEOUT), ..self }
    }

    /// The time for the whole call, from connecting to the last byte of the body; 60 seconds if not
    /// set.
    ///
    /// A call that fails here may have arrived, unless it was still connecting. Make it longer than
    /// the service can take: each such failure leaves up to 500 keys in doubt. Over a day is
    /// taken as a day.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        Self { timeout: limit.min(MAX_TIMEOUT), ..self }
    }

    /// Sends everything through this proxy, but for requests that are marked as
    /// [`Direct`](crate::credentials::Direct). The environment is not read: a program that honours
    /// `HTTPS_PROXY` and the like looks there itself.
    ///
    /// If the proxy cannot be reached or refuses, the error says *surely not sent* and names it,
    /// without its password.
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

    /// The same without a proxy, and bounded by this time, for a request that is marked.
    pub(super) fn direct(&self, direct: Direct) -> Self {
        let [connect_timeout, timeout] =
            [self.connect_timeout, self.timeout].map(|limit| limit.min(direct.timeout));
        Self { connect_timeout, timeout, proxy: None, ..self.clone() }
    }

    /// The peer in errors: with the proxy, if there is one.
    pub(super) fn via(&self, peer: String) -> String {
        match &self.proxy {
            Some(proxy) => format!("{peer} through the proxy {proxy}"),
            None => peer,
        }
    }

    /// Sends this `user-agent` in the place of the one that a request has, which names this crate.
    ///
    /// A [`Signer`](crate::signing::Signer) does not sign it. A request whose signature covers
    /// `user-agent` all the same is refused by the service where this changes it.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the field `user agent`: empty, or not of visible ASCII characters and spaces.
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

    /// Trusts the certificates in `pem`, beside the public roots and those added before: for a
    /// private gateway, or a proxy that opens TLS. An error that says `UnknownIssuer` asks for this. Sections other than
    /// certificates are skipped.
    ///
    /// # Errors
    ///
    /// [`InvalidRoots`] where `pem` holds no certificate, a section of it is broken, or a
    /// certificate cannot be a trust anchor. Check that it is the file of the certificate
    /// authority, in PEM form.
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

// By hand, because a certificate would fill a page with hex.
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

/// The input holds no root certificates that can be trusted; the text says why.
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

/// Whom a request to `uri` is for, as `host:port`. Refuses what no transport can send to, before the stacks word it each in their
/// own way.
///
/// The rest of the URI is left out of texts: that of a presigned request holds a signature.
pub(super) fn peer(uri: &Uri) -> Result<String, TransportError> {
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

/// The error of a call that had so much time.
pub(super) fn timed_out(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("timed out after {limit:?}"))
}
