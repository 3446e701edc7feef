use std::error::Error;
use std::sync::Arc;
use std::{fmt, io};

use crate::escape::escape;

type BoxError = Box<dyn Error + Send + Sync>;

/// The maximum body of a response that the transports read, in bytes: 4 MiB.
///
/// A page of `ListVectors` has up to 1 MB, and other responses are under a kilobyte. The limit is
/// for responses that are not from OSS.
pub const MAX_RESPONSE_BODY: usize = 4 * 1024 * 1024;

/// A request that got no response, and whether it may have arrived. Cheap to clone.
///
/// A response with an error status is not a `TransportError`. Always ask
/// [`is_surely_not_sent`](Self::is_surely_not_sent): deleting is irreversible, so a request that
/// may have arrived may have deleted.
///
/// The text is one line and contains the texts of all sources. Print it without its
/// [`source`](Error::source).
///
/// # For transports
///
/// Use [`surely_not_sent`](Self::surely_not_sent) only if no byte of the request can have left, and
/// [`may_have_arrived`](Self::may_have_arrived) in all other cases. For a timeout, the source is an
/// [`io::Error`] of kind [`TimedOut`](io::ErrorKind::TimedOut).
///
/// ```
/// use std::io::{Error, ErrorKind};
/// # use oss_delete_vectors::TransportError;
///
/// let refused = TransportError::surely_not_sent(Error::from(ErrorKind::ConnectionRefused));
/// assert_eq!(refused.to_string(), "the request was not sent: connection refused");
///
/// let late = TransportError::may_have_arrived(Error::from(ErrorKind::TimedOut));
/// assert!(late.is_timeout() && !late.is_surely_not_sent());
/// ```
#[derive(Debug, Clone)]
pub struct TransportError {
    kind: Kind,
    /// Host and port.
    peer: Option<String>,
    source: Arc<dyn Error + Send + Sync>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NotSent,
    MayHaveArrived,
    BodyTooLarge,
}

impl TransportError {
    /// No byte of the request left: the host name is unknown, the connection was refused, the
    /// certificate is not trusted, the proxy did not connect, or the URI is not valid for a
    /// request.
    #[must_use]
    pub fn surely_not_sent(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::NotSent, source)
    }

    /// There was a connection, and it is unknown whether the request arrived.
    #[must_use]
    pub fn may_have_arrived(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::MayHaveArrived, source)
    }

    /// The body of the response is over [`MAX_RESPONSE_BODY`]; the request may have arrived.
    #[must_use]
    pub fn body_too_large(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::BodyTooLarge, source)
    }

    fn new(kind: Kind, source: impl Into<BoxError>) -> Self {
        Self { kind, peer: None, source: source.into().into() }
    }

    /// Adds the peer of the request, as `host:port`, to the text of the error.
    ///
    /// ```
    /// # use std::io::{Error, ErrorKind};
    /// # use oss_delete_vectors::TransportError;
    /// let refused = Error::from(ErrorKind::ConnectionRefused);
    /// let error = TransportError::surely_not_sent(refused).with_peer("example.com:443");
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the request was not sent: no connection to example.com:443: connection refused",
    /// );
    /// ```
    #[must_use]
    pub fn with_peer(self, peer: impl Into<String>) -> Self {
        Self { peer: Some(peer.into()), ..self }
    }

    /// Whether the service cannot have received the request, because there was no connection yet.
    ///
    /// `false` does not mean that it was received.
    #[must_use]
    pub fn is_surely_not_sent(&self) -> bool {
        self.kind == Kind::NotSent
    }

    /// Whether a timeout ended the request: one of the options or of the operating system.
    ///
    /// `true` for any error with an [`io::Error`] of kind [`TimedOut`](io::ErrorKind::TimedOut)
    /// among its sources. See [`is_surely_not_sent`](Self::is_surely_not_sent) for whether it was
    /// while connecting.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.chain()
            .filter_map(|error| error.downcast_ref::<io::Error>())
            .any(|error| error.kind() == io::ErrorKind::TimedOut)
    }

    /// Whether the body of the response was larger than [`MAX_RESPONSE_BODY`].
    ///
    /// Responses of the service are smaller: check the endpoint and the proxies.
    #[must_use]
    pub fn is_body_too_large(&self) -> bool {
        self.kind == Kind::BodyTooLarge
    }

    /// A copy with a shorter text, if `shorten` returns one.
    pub(crate) fn shortened(self, shorten: impl Fn(&str) -> Option<String>) -> Self {
        match shorten(&self.sources()) {
            Some(text) => Self { source: BoxError::from(text).into(), ..self },
            None => self,
        }
    }

    /// The texts of all sources. Some libraries repeat a source in the text of its parent, others
    /// do not. Each text appears once.
    fn sources(&self) -> String {
        let (mut texts, mut last) = (String::new(), String::new());
        for error in self.chain() {
            let text = error.to_string();
            if !last.contains(&text) {
                texts += if texts.is_empty() { "" } else { ": " };
                texts += &text;
                last = text;
            }
        }
        texts
    }

    /// The sources, outermost first.
    fn chain(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        let outermost: &(dyn Error + 'static) = self.source.as_ref();
        std::iter::successors(Some(outermost), |&error| error.source())
    }
}

/// One line. Characters that could garble a terminal are escaped.
impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = self.peer.as_ref().map(|peer| format!(" from {peer}")).unwrap_or_default();
        match (self.kind, &self.peer) {
            (Kind::NotSent, None) => f.write_str("the request was not sent")?,
            (Kind::NotSent, Some(peer)) => {
                write!(f, "the request was not sent: no connection to {peer}")?;
            }
            (Kind::MayHaveArrived, _) => {
                write!(f, "no response{from}, but the request may have arrived")?;
            }
            (Kind::BodyTooLarge, _) => {
                write!(f, "the body of the response{from} is over {MAX_RESPONSE_BODY} bytes")?;
            }
        }
        write!(f, ": {}", escape(&self.sources()))
    }
}

/// Errors are equal if their texts are.
impl PartialEq for TransportError {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.peer == other.peer && self.sources() == other.sources()
    }
}

impl Eq for TransportError {}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}
