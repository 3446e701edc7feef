//! The blocking transport: ureq.

mod connecting;
mod delete;
mod heads;

use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use ureq::Error::{BadUri, BodyExceedsLimit, ConnectionFailed, Other, Timeout, TlsRequired};
use ureq::tls::{Certificate, TlsConfig};
use ureq::{Agent, ProxyProtocol};

use self::connecting::{Connecting, LookupWhenConnecting, NotConnected};
use super::call::{outcome, signed};
use super::options::{IDLE_TIMEOUT, MAX_IDLE, timed_out};
use super::proxy::{Proxy, ProxyKind};
use super::{BoxError, SourceProvider, TransportOptions, tls};
use crate::credentials::Source;
use crate::signing::Signer;
use crate::{AttemptError, DeleteVectors, Deleted, MAX_RESPONSE_BODY, Operation, TransportError};

/// The buffers of a connection, in bytes.
const INPUT_BUFFER: usize = heads::MAX_HEAD + 1024;
const OUTPUT_BUFFER: usize = 32 * 1024;

/// Carries requests with ureq, over pooled HTTP/1.1 connections.
///
/// Clones share the pool; many threads may send at once, each over a connection of its own.
///
/// ```
/// use oss_delete_vectors::signing::Signer;
/// use oss_delete_vectors::transports::{TransportOptions, UreqTransport};
/// use oss_delete_vectors::{DeleteVectors, KeyBatch};
/// # use oss_delete_vectors::{Credentials, Target};
/// # #[cfg(feature = "serve")] {
/// # use std::net::Ipv4Addr;
/// # use std::sync::{Arc, Mutex};
/// # use oss_delete_vectors::emulator::Emulator;
/// # use oss_delete_vectors::transports::Server;
/// # let index = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
/// #     .bucket("examplebucket").index_name("vectorindex1");
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let target = index.clone().build()?;
/// # let emulator = Emulator::with_vectors(&target, credentials.clone(), ["doc-1"])?;
/// # let emulator = Arc::new(Mutex::new(emulator));
/// # let server = Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), emulator)?;
/// # let target = index.endpoint(server.url().parse()?).build()?;
///
/// let transport = UreqTransport::new(&TransportOptions::new());
/// let call = DeleteVectors::new(&target, KeyBatch::new(["doc-1"])?);
/// let deleted = transport.delete_vectors(&call, &Signer::new(&target, credentials))?;
/// assert!(deleted.request_id().is_some());
/// # }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct UreqTransport {
    agent: Agent,
    options: Arc<TransportOptions>,
}

impl UreqTransport {
    /// Connections by TLS for `https` URIs and in plain text for `http` ones, direct or through the
    /// proxy of the options.
    #[must_use]
    pub fn new(options: &TransportOptions) -> Self {
        let roots = tls::roots(options).map(|root| Certificate::from_der(root).to_owned());
        let config = Agent::config_builder()
            .tls_config(
                TlsConfig::builder()
                    .root_certs(roots.into())
                    .unversioned_rustls_crypto_provider(tls::provider())
                    .build(),
            )
            .proxy(options.proxy.as_ref().map(proxy))
            .timeout_connect(Some(options.connect_timeout))
            .timeout_global(Some(options.timeout))
            .max_idle_connections(MAX_IDLE)
            .max_idle_connections_per_host(MAX_IDLE)
            .max_idle_age(IDLE_TIMEOUT)
            // An empty value is no header at all. The defaults would be sent.
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A head has to fit. The default is 256 KiB for each connection.
            .max_response_header_size(heads::MAX_HEAD)
            .input_buffer_size(INPUT_BUFFER)
            .output_buffer_size(OUTPUT_BUFFER)
            .build();
        Self {
            agent: Agent::with_parts(config, Connecting::default(), LookupWhenConnecting),
            options: Arc::new(options.clone()),
        }
    }

    /// Deletes one batch: signs as of now, sends once, reads the response. For more keys, and for
    /// retries, see [`delete`](Self::delete).
    ///
    /// # Errors
    ///
    /// [`AttemptError`]: no response, or an error response.
    pub fn delete_vectors(
        &self,
        call: &DeleteVectors,
        signer: &Signer,
    ) -> Result<Deleted, AttemptError> {
        self.call(call, signer)
    }

    /// Makes one call of any [`Operation`]: signs as of now, sends once, reads the response.
    ///
    /// # Errors
    ///
    /// [`AttemptError`]: no response, or an error response.
    pub fn call<O: Operation>(&self, call: &O, signer: &Signer) -> Result<O::Output, AttemptError> {
        outcome::<O>(self.send(signed(call, signer)), signer)
    }

    /// Sends `request` to the host of its URI and reads the response to its end, blocking the
    /// thread until then.
    ///
    /// # Errors
    ///
    /// [`TransportError`]. Any status is a response, not an error.
    pub fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (peer, direct) = self.options.route(&request)?;
        let response = match direct {
            Some(options) => Self::new(&options).exchange(request),
            None => self.exchange(request),
        };
        response.map_err(|error| error.with_peer(peer))
    }

    /// A provider of the credentials of `source`, over this transport.
    ///
    /// ```
    /// use oss_delete_vectors::credentials::Source;
    /// use oss_delete_vectors::transports::{TransportOptions, UreqTransport};
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let transport = UreqTransport::new(&TransportOptions::new());
    /// let source = Source::from_environment(&|name| std::env::var(name).ok())?;
    /// let mut provider = transport.provider(source.ok_or("no credentials are configured")?);
    /// let credentials = provider.credentials()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn provider<S: Into<Source>>(
        &self,
        source: S,
    ) -> SourceProvider<
        impl FnMut(Request<Bytes>) -> Result<Response<Bytes>, TransportError> + Clone + Send + use<S>,
    > {
        let transport = self.clone();
        SourceProvider::new(source, move |request| transport.send(request))
    }

    fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (mut head, body) = request.into_parts();
        self.options.user_agent.apply(&mut head.headers);
        let timeouts = self.agent.config().timeouts();
        let (timeout, connect_timeout) = (timeouts.global, timeouts.connect.min(timeouts.global));
        let response =
            self.agent.run(Request::from_parts(head, &body[..])).map_err(|error| match error {
                Other(error) => match error.downcast::<NotConnected>() {
                    Ok(error) => {
                        TransportError::surely_not_sent(to_source(error.0, connect_timeout))
                    }
                    Err(error) => TransportError::may_have_arrived(error),
                },
                BadUri(_) | ConnectionFailed | TlsRequired => {
                    TransportError::surely_not_sent(error)
                }
                error => TransportError::may_have_arrived(to_source(error, timeout)),
            })?;
        let (head, mut body) = response.into_parts();
        // It may hold credentials. A buffer that grows would leave parts of them behind.
        let length = body.content_length().unwrap_or_default().min(MAX_RESPONSE_BODY as u64);
        let mut content = Vec::with_capacity(length as usize);
        let read =
            body.with_config().limit(MAX_RESPONSE_BODY as u64).reader().read_to_end(&mut content);
        read.map_err(|error| match ureq::Error::from(error) {
            error @ BodyExceedsLimit(_) => TransportError::body_too_large(error),
            error => TransportError::may_have_arrived(to_source(error, timeout)),
        })?;
        Ok(Response::from_parts(head, content.into()))
    }
}

/// The proxy as ureq has it. A SOCKS proxy looks names up.
fn proxy(proxy: &Proxy) -> ureq::Proxy {
    let protocol = match proxy.kind {
        ProxyKind::Http => ProxyProtocol::Http,
        ProxyKind::Https => ProxyProtocol::Https,
        ProxyKind::Socks5 => ProxyProtocol::Socks5h,
    };
    let builder = ureq::Proxy::builder(protocol).host(proxy.host()).port(proxy.port());
    let builder = match &proxy.user {
        Some((user, password)) => builder.username(user).password(password),
        None => builder,
    };
    builder.build().expect("a host, a port, and what is percent-encoded")
}

/// The IO error as the source, because ureq's own has no sources. A timeout is replaced by one that
/// names its `limit`.
fn to_source(error: ureq::Error, limit: Option<Duration>) -> BoxError {
    match error {
        Timeout(_) => timed_out(limit.unwrap_or_default()).into(),
        ureq::Error::Rustls(error) => tls::explained(error),
        error => tls::explained(error.into_io()),
    }
}

// Not derived: the agent prints every root certificate.
impl fmt::Debug for UreqTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqTransport").field("options", &self.options).finish_non_exhaustive()
    }
}
