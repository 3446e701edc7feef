//! Credentials from a URI, such as that of a sidecar.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Uri};

use super::error::SourceErrorKind;
use super::response::{self, Received};
use super::source::{Direct, Reply, Step};
use super::{SourceError, parse_uri};
use crate::InvalidValue;
use crate::operation::Secrets;

/// Credentials from a URI without authentication, such as `ALIBABA_CLOUD_CREDENTIALS_URI`: a
/// service of this host or pod.
///
/// It is requested directly, never through a proxy, with a timeout of 5 seconds. Redirects are not
/// followed.
#[derive(Clone)]
pub struct CredentialsUri {
    uri: Uri,
    is_asked: bool,
}

const TIMEOUT: Duration = Duration::from_secs(5);

impl CredentialsUri {
    /// The full URI, with its path and query.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the field `credentials URI`, without its value: not an absolute
    /// `http` or `https` URI.
    pub fn new(uri: &str) -> Result<Self, InvalidValue> {
        Ok(Self { uri: parse_uri("credentials URI", uri)?, is_asked: false })
    }

    pub(super) fn start(&mut self) -> Step {
        self.is_asked = true;
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = self.uri.clone();
        request.extensions_mut().insert(Direct { timeout: TIMEOUT });
        Step::Send(request)
    }

    pub(super) fn handle(&mut self, now: SystemTime, reply: Reply) -> Step {
        let result = match reply {
            _ if !std::mem::take(&mut self.is_asked) => Err(SourceErrorKind::NotAsked),
            Reply::File(_) => Err(SourceErrorKind::NotAsked),
            Reply::Failure(error) => Err(SourceErrorKind::Unreachable(error)),
            Reply::Response(response) => {
                let response = Received::new(response);
                if response.status.is_success() {
                    response.credentials(now, None)
                } else {
                    Err(response.error(&Secrets::none()))
                }
            }
        };
        Step::Done(result.map_err(|kind| SourceError::new(self.to_string(), kind)))
    }
}

/// The name of the source, for messages.
impl fmt::Display for CredentialsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the credentials URI {}", response::shown(&self.uri))
    }
}

/// Shows no query.
impl fmt::Debug for CredentialsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CredentialsUri").field(&response::shown(&self.uri)).finish()
    }
}
