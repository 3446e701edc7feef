use std::error::Error;
use std::sync::Arc;
use std::{fmt, io};

use crate::escape::escape;

type BoxError = Box<dyn Error + Send + Sync>;

/// The largest body of a response that the transports read, in bytes: 4 MiB.
///
/// A page of `ListVectors` has up to 1 MB, and other responses are under a kilobyte. The limit is for
/// what is not from OSS.
pub const MAX_RESPONSE_BODY: usize = 4 * 1024 * 1024;

/// A request that got no response, and whether it may have arrived. Cheap to clone.
///
/// An error status is a response and never ends up here. The one question to ask is
/// [`is_surely_not_sent`](Self::is_surely_not_sent): deleting is irreversible, so a request that
/// may have arrived has to be counted as one that may have deleted.
///
/// The text is one line and holds the texts of all sources; print it alone, not together with
/// [`source`](Error::source).
///
/// # Transports of one's own
///
/// Say [`surely_not_sent`](Self::surely_not_sent) only where not one byte of the request can have
/// left, and [`may_have_arrived`](Self::may_have_arrived) everywhere else.
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
    /// certificate is not to be trusted, the proxy would not connect, or the URI is none to send
    /// to.
    #[must_use]
    pub fn surely_not_sent(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::NotSent, source)
    }

    /// A connection stood, and what became of the request is unknown.
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

    /// Names whom the request was for, as `host:port`. The text of the error shows it.
    ///
    /// ```
    /// # use std::io::{Error, ErrorKind};
    /// # use oss_delete_vectors::TransportError;
    /// let refused = TransportError::surely_not_sent(Error::from(ErrorKind::ConnectionRefused)).with_peer("example.com:443");
    /// assert_eq!(refused.to_string(), "the request was not sent: no connection to example.com:443: connection refused");
    /// ```
    #[must_use]
    pub fn with_peer(self, peer: impl Into<String>) -> Self {
        Self { peer: Some(peer.into()), ..self }
    }

    /// Whether the service cannot have seen the request: it failed before a connection stood.
    ///
    /// `false` is no proof of the opposite.
    #[must_use]
    pub fn is_surely_not_sent(&self) -> bool {
        self.kind == Kind::NotSent
    }

    /// Whether time ran out: that of the options, or the operating system's own.
    ///
    /// True of any error with an [`io::Error`] of kind [`TimedOut`](io::ErrorKind::TimedOut) among
    /// its sources. Whether it was in connecting or after is the matter of
    /// [`is_surely_not_sent`](Self::is_surely_not_sent).
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.chain()
            .filter_map(|error| error.downcast_ref::<io::Error>())
            .any(|error| error.kind() == io::ErrorKind::TimedOut)
    }

    /// Whether the response was given up because its body is over [`MAX_RESPONSE_BODY`].
    ///
    /// Responses of the service are smaller: look at what is between it and you.
    #[must_use]
    pub fn is_body_too_large(&self) -> bool {
        self.kind == Kind::BodyTooLarge
    }

    /// A copy whose text is no longer than `shorten` allows, which returns `None` for a text that
    /// is.
    pub(crate) fn shortened(self, shorten: impl Fn(&str) -> Option<String>) -> Self {
        match shorten(&self.sources()) {
            Some(text) => Self { source: BoxError::from(text).into(), ..self },
            None => self,
        }
    }

    /// The texts of all sources. Some stacks repeat a source in the text above it, others do not:
    /// each text appears once.
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

/// One line. Characters that garble a terminal are escaped.
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

/// Errors are equal if they say the same.
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
