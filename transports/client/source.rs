//! Carries out the steps of a credential source.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "an adapter reads files")]

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use http::{Request, Response};

use super::super::clock::system_now;
use super::credentials::BlockingProvider;
use crate::credentials::{Renewal, Reply, Source, SourceError, Step};
use crate::{Credentials, TransportError};

/// The largest file that is read: a token has a few KiB.
const MAX_FILE: u64 = 64 * 1024;

/// Gets the credentials of a [`Source`] over any transport: a provider for
/// [`Run::credentials_provider`](super::Run::credentials_provider) and
/// [`ClientBuilder::credentials_provider`](super::ClientBuilder::credentials_provider), and a cache
/// for your own code.
///
/// `send` is a transport, as in `move |request| transport.send(request)`: with a blocking one this
/// is a [`BlockingProvider`], with an asynchronous one an `AsyncProvider`. It must follow no
/// redirect. As a provider it asks the source anew each time: a run asks when it has to. A file is
/// read on the thread, or in the task, that asks.
///
/// ```
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
/// use oss_delete_vectors::credentials::{CredentialsUri, Source};
/// use oss_delete_vectors::transports::{Run, SourceProvider};
/// # use bytes::Bytes;
/// # use http::{Request, Response};
/// # use oss_delete_vectors::{Credentials, Deleted, Target, TransportError};
/// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1").build()?;
/// # let send = |request: Request<Bytes>| Ok::<_, TransportError>(if request.uri().port().is_some() {
/// #     Response::new(Bytes::from_static(br#"{"AccessKeyId": "STS.Example", "AccessKeySecret": "my-secret"}"#))
/// # } else {
/// #     Deleted::new("some id").to_response()
/// # });
///
/// // Or `Source::from_environment`.
/// let source = Source::from(CredentialsUri::new("http://127.0.0.1:8080/credentials")?);
/// let mut provider = SourceProvider::new(source, send);
/// let mut bulk = BulkDelete::new(&target, provider.credentials()?, BulkOptions::new())?;
/// let report = Run::new(&mut bulk).credentials_provider(provider).run_blocking(["doc-001"], send)?;
/// assert_eq!(report.deleted, 1);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SourceProvider<T> {
    renewal: Renewal,
    send: T,
}

impl<T> SourceProvider<T> {
    /// A provider that has asked for nothing yet.
    pub fn new(source: impl Into<Source>, send: T) -> Self {
        Self { renewal: Renewal::new(source), send }
    }

    /// Forgets the credentials that are kept, because the service rejected them.
    pub fn forget(&mut self) {
        self.renewal.forget();
    }
}

impl<T> SourceProvider<T>
where
    T: FnMut(Request<Bytes>) -> Result<Response<Bytes>, TransportError>,
{
    /// The credentials that are kept, renewed 180 seconds before they expire; see [`Renewal`].
    ///
    /// # Errors
    ///
    /// [`SourceError`]: the source failed, and the credentials that are kept have expired.
    pub fn credentials(&mut self) -> Result<Credentials, SourceError> {
        let mut step = self.renewal.start(now());
        loop {
            let reply = match step {
                Step::Send(request) => (self.send)(request).into(),
                Step::Read(path) => Reply::File(read(&path)),
                Step::Done(result) => return result,
            };
            step = self.renewal.handle(now(), reply);
        }
    }
}

impl<T> BlockingProvider for SourceProvider<T>
where
    T: FnMut(Request<Bytes>) -> Result<Response<Bytes>, TransportError> + Send + 'static,
{
    type Error = SourceError;

    fn provide(&mut self) -> Result<Credentials, SourceError> {
        self.forget();
        self.credentials()
    }
}

#[cfg(feature = "async")]
mod asynchronous {
    use std::pin::Pin;

    use super::super::credentials::AsyncProvider;
    use super::*;

    impl<T, F> SourceProvider<T>
    where
        T: FnMut(Request<Bytes>) -> F,
        F: Future<Output = Result<Response<Bytes>, TransportError>>,
    {
        /// The same as `credentials`, over an asynchronous transport.
        ///
        /// # Errors
        ///
        /// As there.
        pub async fn credentials_async(&mut self) -> Result<Credentials, SourceError> {
            let mut step = self.renewal.start(now());
            loop {
                let reply = match step {
                    Step::Send(request) => (self.send)(request).await.into(),
                    Step::Read(path) => Reply::File(read(&path)),
                    Step::Done(result) => return result,
                };
                step = self.renewal.handle(now(), reply);
            }
        }
    }

    impl<T, F> AsyncProvider for SourceProvider<T>
    where
        T: FnMut(Request<Bytes>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Response<Bytes>, TransportError>> + Send + 'static,
    {
        type Error = SourceError;
        type Future = Pin<Box<dyn Future<Output = Result<Credentials, SourceError>> + Send>>;

        fn provide(&mut self) -> Self::Future {
            self.forget();
            let mut provider = self.clone();
            Box::pin(async move { provider.credentials_async().await })
        }
    }
}

fn now() -> SystemTime {
    system_now().wall
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // One byte more than is allowed, so that the source sees that there is more. The buffer has
    // room from the start: one that grows would leave parts of the token behind.
    let mut content = Vec::with_capacity(MAX_FILE as usize + 1);
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut content)?;
    Ok(content)
}

// By hand, because transports need not be `Debug`.
impl<T> fmt::Debug for SourceProvider<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceProvider")
            .field("source", self.renewal.source())
            .finish_non_exhaustive()
    }
}
