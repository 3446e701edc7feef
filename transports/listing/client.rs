//! `delete_matching` of the clients: the keys of a listing are deleted with the calls that all
//! callers share.

use std::fmt;

use bytes::Bytes;
use http::{Request, Response};

use super::ListedKeys;
use crate::calls::DeleteError;
use crate::transports::{BlockingProvider, blocking};
use crate::{ListError, NextPass, Passes, TransportError};

#[cfg(feature = "async")]
use super::StreamedKeys;
#[cfg(feature = "async")]
use crate::transports::{AsyncProvider, Client, Timer};
#[cfg(feature = "async")]
use futures_core::Stream;
#[cfg(feature = "async")]
use std::pin::Pin;
#[cfg(feature = "async")]
use std::task::{Context, Poll};

/// The result of `delete_matching` of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "vectors may be left: see `is_clear`"]
#[non_exhaustive]
pub struct ClearedKeys {
    /// The number of deleted keys. A key that several passes listed counts in each.
    pub keys: u64,
    /// The number of times the index was listed, including the last pass.
    pub passes: u32,
    /// Whether the last pass found nothing.
    pub is_clear: bool,
}

/// Some of the selected vectors may be left: fix the reason, then delete them again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MatchingError {
    /// The listing stopped before its end.
    Listing(ListError),
    /// Keys that were listed were not deleted.
    Deleting(DeleteError),
}

impl fmt::Display for MatchingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listing(error) => error.fmt(f),
            Self::Deleting(error) => error.fmt(f),
        }
    }
}

/// The source is that of the delete error. Everything else is in the text.
impl std::error::Error for MatchingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listing(_) => None,
            Self::Deleting(error) => error.source(),
        }
    }
}

/// Passes until one finds nothing, at most 10.
struct Sweep {
    passes: Passes,
    keys: u64,
}

impl Sweep {
    fn new() -> Self {
        Self { passes: Passes::new(10), keys: 0 }
    }

    /// Ends a pass. Returns how long to wait before the next one, or the result.
    fn step(
        &mut self,
        deleted: Result<u64, DeleteError>,
        listing: Option<ListError>,
    ) -> Result<Result<std::time::Duration, ClearedKeys>, MatchingError> {
        let keys = deleted.map_err(MatchingError::Deleting)?;
        if let Some(error) = listing {
            return Err(MatchingError::Listing(error));
        }
        self.keys += keys;
        self.passes.listed(keys);
        self.passes.settled(keys, keys);
        Ok(match self.passes.next_pass() {
            NextPass::Again(pause) => Ok(pause),
            _ => Err(ClearedKeys {
                keys: self.keys,
                passes: self.passes.pass(),
                is_clear: self.passes.is_clear(),
            }),
        })
    }
}

impl blocking::Client {
    /// Deletes the keys that `listed` yields, and lists again until a [pass](Passes) finds nothing,
    /// at most 10 times. The keys share requests and pace with the other calls of the client.
    ///
    /// # Errors
    ///
    /// [`MatchingError`]: the listing stopped, or keys were not deleted. Listing ends then; all
    /// listed keys have an outcome.
    ///
    /// ```
    /// # #[cfg(feature = "emulator")] {
    /// use std::sync::{Arc, Mutex};
    /// use oss_delete_vectors::blocking::Client;
    /// use oss_delete_vectors::bulk::BulkOptions;
    /// use oss_delete_vectors::transports::list_keys;
    /// use oss_delete_vectors::{Credentials, KeyLister, Selection, Target, TransportError};
    /// # use oss_delete_vectors::{Now, emulator::Emulator};
    /// # use std::time::{Duration, SystemTime};
    /// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
    /// #     .bucket("examplebucket").index_name("vectorindex1").build()?;
    /// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
    /// # let keys = (0..3000).map(|number| format!("doc-{}#{}", number / 10, number % 10));
    /// # let service = Arc::new(Mutex::new(Emulator::with_vectors(&target, credentials.clone(), keys)?));
    /// # let send = move |request| {
    /// #     let now = Now::new(Duration::ZERO, SystemTime::now());
    /// #     Ok::<_, TransportError>(service.lock().unwrap().handle(now, &request))
    /// # };
    ///
    /// let client = Client::builder(&target, credentials.clone()).with_transport(send.clone())?;
    /// let chunks = Selection::all().prefix("doc-42#")?;
    /// let lister = KeyLister::new(&target, credentials, chunks, BulkOptions::new())?;
    /// let cleared = client.delete_matching(list_keys(lister, send))?;
    /// assert_eq!((cleared.keys, cleared.passes, cleared.is_clear), (10, 2, true));
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_matching<F, P, X>(
        &self,
        mut listed: ListedKeys<F, P>,
    ) -> Result<ClearedKeys, MatchingError>
    where
        F: Fn(Request<Bytes>) -> Result<Response<Bytes>, X> + Send + Sync + 'static,
        X: Into<TransportError>,
        P: BlockingProvider,
    {
        let mut sweep = Sweep::new();
        loop {
            let mut error = None;
            let keys = std::iter::from_fn(|| match listed.next()? {
                Ok(key) => Some(key),
                Err(stopped) => {
                    error = Some(stopped);
                    None
                }
            });
            let deleted = self.delete_stream(keys);
            match sweep.step(deleted, error)? {
                Err(cleared) => return Ok(cleared),
                Ok(pause) => sleep(pause),
            }
            listed.list_again();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "an adapter whose callers are threads")]
fn sleep(pause: std::time::Duration) {
    std::thread::sleep(pause);
}

#[cfg(feature = "async")]
impl Client {
    /// Deletes the keys that `listed` yields, and lists again until a [pass](Passes) finds nothing,
    /// at most 10 times. The keys share requests and pace with the other calls of the client.
    /// `timer` waits between passes.
    ///
    /// If its future is dropped, listing ends; listed keys are still deleted.
    ///
    /// # Errors
    ///
    /// [`MatchingError`]: the listing stopped, or keys were not deleted. Listing ends then; all
    /// listed keys have an outcome.
    pub async fn delete_matching<F, Fut, X, T, P>(
        &self,
        mut listed: StreamedKeys<F, Fut, T, P>,
        timer: impl Timer,
    ) -> Result<ClearedKeys, MatchingError>
    where
        F: Fn(Request<Bytes>) -> Fut,
        Fut: Future<Output = Result<Response<Bytes>, X>>,
        X: Into<TransportError>,
        T: Timer,
        P: AsyncProvider,
    {
        let mut sweep = Sweep::new();
        loop {
            let mut keys = UntilError { listed: &mut listed, error: None };
            let deleted = self.delete_stream(&mut keys).await;
            let error = keys.error;
            match sweep.step(deleted, error)? {
                Err(cleared) => return Ok(cleared),
                Ok(pause) if pause.is_zero() => {}
                Ok(pause) => _ = timer.sleep(pause).await,
            }
            listed.list_again();
        }
    }
}

/// The keys up to an error, which is stored.
#[cfg(feature = "async")]
struct UntilError<'a, S> {
    listed: &'a mut S,
    error: Option<ListError>,
}

#[cfg(feature = "async")]
impl<S: Stream<Item = Result<String, ListError>> + Unpin> Stream for UntilError<'_, S> {
    type Item = String;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<String>> {
        Pin::new(&mut *self.listed).poll_next(context).map(|key| match key? {
            Ok(key) => Some(key),
            Err(error) => {
                self.error = Some(error);
                None
            }
        })
    }
}
