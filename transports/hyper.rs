//! The asynchronous transport: hyper on tokio.

use std::pin::pin;
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use super::body::read_whole;
use super::call::{CallError, outcome, signed};
use super::options::{IDLE_TIMEOUT, MAX_IDLE, require_absolute};
use super::{MAX_RESPONSE_BODY, TransportError, TransportOptions, tls};
use crate::signing::Signer;
use crate::{DeleteVectors, Deleted};

/// Carries requests with hyper, over pooled HTTP/1.1 connections.
///
/// Clones share the pool. Dropping the future of a call gives the call up; the request may have
/// arrived by then.
#[derive(Clone)]
pub struct HyperTransport<C = HttpsConnector<HttpConnector>> {
    client: Client<C, Full<Bytes>>,
    connect_timeout: Duration,
    timeout: Duration,
}

impl HyperTransport {
    /// Direct connections, by TLS for `https` URIs and in plain text for `http` ones.
    #[must_use]
    pub fn new(options: &TransportOptions) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // `send` bounds connecting as a whole; this shares the time out among the addresses of a
        // name, so that one dead address does not use it up.
        tcp.set_connect_timeout(Some(options.connect_timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client_config(options))
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Self::with_connector(connector, options)
    }
}

impl<C> HyperTransport<C>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    /// Connections made by any connector of hyper-util: for a proxy, a Unix socket, TLS of another
    /// kind.
    ///
    /// The timeouts of `options` hold; its roots are the connector's affair and have no effect
    /// here.
    ///
    /// ```
    /// use hyper_util::client::legacy::connect::HttpConnector;
    /// # use oss_delete_vectors::transports::{HyperTransport, TransportOptions};
    ///
    /// let plain = HyperTransport::with_connector(HttpConnector::new(), &TransportOptions::new());
    /// ```
    pub fn with_connector(connector: C, options: &TransportOptions) -> Self {
        // The client sends again on its own only what a closing connection gave back unwritten.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE)
            .build(connector);
        Self { client, connect_timeout: options.connect_timeout, timeout: options.timeout }
    }

    /// Deletes one batch: signs as of now, sends once, reads the answer. For more keys, and for retries, see
    /// [`delete_all`](Self::delete_all).
    ///
    /// # Errors
    ///
    /// [`CallError`]: no answer, or an answer that is an error.
    pub async fn delete_vectors(&self, call: &DeleteVectors, signer: &Signer) -> Result<Deleted, CallError> {
        outcome(self.send(signed(call, signer)).await)
    }

    /// Sends `request` to the host of its URI and reads the answer to its end.
    ///
    /// To be awaited on a tokio runtime with IO and time enabled.
    ///
    /// # Errors
    ///
    /// [`TransportError`]; any status is an answer, not an error.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        require_absolute(request.uri())?;
        let mut request = request.map(Full::new);
        // Set by the client just before it hands the request to a connection. Until then nothing
        // can have been sent, whatever the error or the deadline is.
        let connection = capture_connection(&mut request);
        let handed_over = || connection.connection_metadata().is_some();

        let mut exchange = pin!(async {
            let response = self.client.request(request).await.map_err(|error| {
                if error.is_connect() || !handed_over() {
                    TransportError::surely_not_sent(error)
                } else {
                    TransportError::may_have_arrived(error)
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

        let connecting = self.connect_timeout.min(self.timeout);
        if let Ok(outcome) = timeout(connecting, exchange.as_mut()).await {
            return outcome;
        }
        if !handed_over() {
            let error = timed_out("connection", connecting);
            return Err(TransportError::surely_not_sent(error));
        }
        let outcome = timeout(self.timeout - connecting, exchange).await;
        outcome.unwrap_or_else(|_| {
            let error = timed_out("answer", self.timeout);
            Err(TransportError::may_have_arrived(error))
        })
    }
}

fn timed_out(missing: &str, limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no {missing} within {limit:?}"))
}

// By hand, because connectors need not be `Debug`.
impl<C> fmt::Debug for HyperTransport<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperTransport")
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
