//! The asynchronous transport: hyper on tokio.

mod bounded;
mod delete;
mod lookup;
mod proxied;

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::rt::{Read, Write};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::{Connection, HttpConnector, capture_connection};
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;
use tower_service::Service;

use self::bounded::Bounded;
use super::body::read_whole;
use super::call::{outcome, signed};
use super::options::{IDLE_TIMEOUT, MAX_IDLE, timed_out};
use super::proxy::ProxyKind;
use super::{BoxError, SourceProvider, TransportOptions, tls};
use crate::credentials::Source;
use crate::signing::Signer;
use crate::{AttemptError, DeleteVectors, Deleted, MAX_RESPONSE_BODY, Operation, TransportError};

/// Carries requests with hyper, over pooled HTTP/1.1 connections.
///
/// Clones share the pool. Dropping the future of a call cancels it; the request may have arrived by
/// then.
///
/// ```
/// use oss_delete_vectors::signing::Signer;
/// use oss_delete_vectors::transports::{HyperTransport, TransportOptions};
/// use oss_delete_vectors::{DeleteVectors, KeyBatch};
/// # use oss_delete_vectors::{Credentials, Target};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
/// let transport = HyperTransport::new(&TransportOptions::new());
/// let call = DeleteVectors::new(&target, KeyBatch::new(["doc-1"])?);
/// let deleted = transport.delete_vectors(&call, &Signer::new(&target, credentials)).await?;
/// assert!(deleted.request_id().is_some());
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HyperTransport {
    /// The client, over any connector.
    request: Arc<dyn Fn(Request<Full<Bytes>>) -> ResponseFuture + Send + Sync>,
    options: Arc<TransportOptions>,
}

impl HyperTransport {
    /// Connections by TLS for `https` URIs and in plain text for `http` ones, direct or through the
    /// proxy of the options.
    #[must_use]
    pub fn new(options: &TransportOptions) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(lookup::Lookup);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // `send` bounds connecting as a whole. This divides the time among the addresses of a name,
        // so that no dead one uses it up.
        tcp.set_connect_timeout(Some(options.connect_timeout));
        let tls = || {
            HttpsConnectorBuilder::new()
                .with_tls_config(tls::client_config(options))
                .https_or_http()
                .enable_http1()
        };
        match &options.proxy {
            None => Self::with_connector(tls().wrap_connector(tcp), options),
            Some(proxy) if proxy.kind == ProxyKind::Socks5 => {
                let socks = proxied::socks(proxy, tcp);
                Self::with_connector(tls().wrap_connector(socks), options)
            }
            Some(proxy) => {
                let tunnel = proxied::tunnel(proxy, tls().wrap_connector(tcp));
                Self::with_connector(tls().wrap_connector(tunnel), options)
            }
        }
    }

    /// Connections made by any connector of hyper-util: for a Unix socket, TLS of another kind.
    ///
    /// The timeouts of `options` apply. Its roots and its proxy have no effect here: those are the
    /// connector's.
    ///
    /// ```
    /// use hyper_util::client::legacy::connect::HttpConnector;
    /// # use oss_delete_vectors::transports::{HyperTransport, TransportOptions};
    ///
    /// let plain = HyperTransport::with_connector(HttpConnector::new(), &TransportOptions::new());
    /// ```
    #[must_use]
    pub fn with_connector<C>(connector: C, options: &TransportOptions) -> Self
    where
        C: Service<Uri> + Clone + Send + Sync + 'static,
        C::Response: Connection + Read + Write + Send + Unpin + 'static,
        C::Error: Into<BoxError>,
        C::Future: Send + 'static,
    {
        let connector = Bounded { connector, limit: options.timeout };
        // The client itself sends only what a closing connection gave back unwritten again.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE)
            // Like curl and the other transport: a malformed header must not make a deletion
            // unconfirmed.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_max_headers(128)
            .build(connector);
        let request = Arc::new(move |request| client.request(request));
        Self { request, options: Arc::new(options.clone()) }
    }

    /// Deletes one batch: signs as of now, sends once, reads the response. For more keys, and for
    /// retries, see [`delete`](Self::delete).
    ///
    /// # Errors
    ///
    /// [`AttemptError`]: no response, or an error response.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    pub async fn delete_vectors(
        &self,
        call: &DeleteVectors,
        signer: &Signer,
    ) -> Result<Deleted, AttemptError> {
        self.call(call, signer).await
    }

    /// Makes one call of any [`Operation`]: signs as of now, sends once, reads the response.
    ///
    /// # Errors
    ///
    /// [`AttemptError`]: no response, or an error response.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    pub async fn call<O: Operation>(
        &self,
        call: &O,
        signer: &Signer,
    ) -> Result<O::Output, AttemptError> {
        outcome::<O>(self.send(signed(call, signer)).await, signer)
    }

    /// Sends `request` to the host of its URI and reads the response to its end.
    ///
    /// # Errors
    ///
    /// [`TransportError`]. Any status is a response, not an error.
    ///
    /// # Panics
    ///
    /// If it is awaited outside of a tokio runtime, or in one without IO or time enabled.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (peer, direct) = self.options.route(&request)?;
        let response = match direct {
            Some(options) => Self::new(&options).exchange(request).await,
            None => self.exchange(request).await,
        };
        response.map_err(|error| error.with_peer(peer))
    }

    /// A provider of the credentials of `source`, over this transport.
    ///
    /// ```
    /// use oss_delete_vectors::credentials::Source;
    /// use oss_delete_vectors::transports::{HyperTransport, TransportOptions};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let transport = HyperTransport::new(&TransportOptions::new());
    /// let source = Source::from_environment(&|name| std::env::var(name).ok())?;
    /// let mut provider = transport.provider(source.ok_or("no credentials are configured")?);
    /// let credentials = provider.credentials_async().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn provider<S: Into<Source>>(
        &self,
        source: S,
    ) -> SourceProvider<impl FnMut(Request<Bytes>) -> Sending + Clone + Send + use<S>> {
        let transport = self.clone();
        SourceProvider::new(source, move |request| -> Sending {
            let transport = transport.clone();
            Box::pin(async move { transport.send(request).await })
        })
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let mut request = request.map(Full::new);
        self.options.user_agent.apply(request.headers_mut());
        // Set by the client just before it passes the request to a connection. Until then nothing
        // can have been sent.
        let connection = capture_connection(&mut request);
        let handed_over = || connection.connection_metadata().is_some();

        let mut exchange = pin!(async {
            let response = (self.request)(request).await.map_err(|error| {
                if error.is_connect() || !handed_over() {
                    TransportError::surely_not_sent(tls::explained(error))
                } else {
                    TransportError::may_have_arrived(tls::explained(error))
                }
            })?;
            let (head, body) = response.into_parts();
            let admit = |size| match size {
                ..=MAX_RESPONSE_BODY => Ok(()),
                _ => Err(TransportError::body_too_large("the rest was not read")),
            };
            let body = read_whole(body, admit, TransportError::may_have_arrived).await?;
            Ok(Response::from_parts(head, body))
        });

        let TransportOptions { connect_timeout, timeout: limit, .. } = *self.options;
        let connecting = connect_timeout.min(limit);
        if let Ok(outcome) = timeout(connecting, exchange.as_mut()).await {
            return outcome;
        }
        if !handed_over() {
            return Err(TransportError::surely_not_sent(timed_out(connecting)));
        }
        let outcome = timeout(limit - connecting, exchange).await;
        outcome.unwrap_or_else(|_| Err(TransportError::may_have_arrived(timed_out(limit))))
    }
}

/// A response to come.
type Sending = Pin<Box<dyn Future<Output = Result<Response<Bytes>, TransportError>> + Send>>;

// Not derived: connectors need not be `Debug`.
impl fmt::Debug for HyperTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperTransport").field("options", &self.options).finish_non_exhaustive()
    }
}
