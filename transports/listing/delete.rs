//! `delete_matching` of the transports.

use super::{Matching, MatchingReport};
use crate::bulk::{BulkDelete, BulkOptions};
use crate::transports::client::new_bulk;
#[cfg(feature = "hyper")]
use crate::transports::{HyperTransport, stream_keys};
use crate::transports::{Run, RunError, RunErrorKind, StopHandle};
#[cfg(feature = "ureq")]
use crate::transports::{UreqTransport, list_keys};
use crate::{Credentials, KeyLister, Selection, Target};

/// The parts that both transports need.
struct Parts {
    lister: KeyLister,
    bulk: BulkDelete,
    stop: StopHandle,
    matching: Matching,
}

impl Parts {
    fn new(
        target: &Target,
        credentials: Credentials,
        selection: Selection,
        options: BulkOptions,
    ) -> Result<Self, RunError> {
        let bulk = new_bulk(target, credentials.clone(), options.clone())?;
        let lister = KeyLister::new(target, credentials, selection, options);
        let lister = lister.map_err(|invalid| {
            RunError::new(RunErrorKind::Options(invalid), bulk.report(), None)
        })?;
        let stop = StopHandle::new();
        Ok(Self { lister, bulk, matching: Matching::new(&stop), stop })
    }
}

#[cfg(feature = "ureq")]
impl UreqTransport {
    /// Deletes every vector of `selection`, and blocks the thread until then. Lists the index and
    /// deletes its keys at the same time, then lists again until a [pass](crate::Passes) finds
    /// nothing.
    ///
    /// To delete everything, it is much faster to delete the index and create it again: one call
    /// each, with another SDK. After an interruption, call this again. For events, a way to stop or
    /// renewed credentials, see [`Matching`].
    ///
    /// # Errors
    ///
    /// [`RunError`]: why the run or the listing stopped before its end, with the report of the run.
    ///
    /// ```
    /// use oss_delete_vectors::Selection;
    /// use oss_delete_vectors::bulk::BulkOptions;
    /// use oss_delete_vectors::transports::{TransportOptions, UreqTransport};
    /// # use oss_delete_vectors::{Credentials, Target};
    /// # #[cfg(feature = "serve")] {
    /// # use std::net::Ipv4Addr;
    /// # use std::sync::{Arc, Mutex};
    /// # use oss_delete_vectors::emulator::Emulator;
    /// # use oss_delete_vectors::transports::Server;
    /// # let index = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1");
    /// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
    /// # let emulator = Emulator::with_vectors(&index.clone().build()?, credentials.clone(), ["doc-1#0", "doc-1#1", "doc-2#0"])?;
    /// # let server = Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), Arc::new(Mutex::new(emulator)))?;
    /// # let target = index.endpoint(server.url().parse()?).build()?;
    ///
    /// let transport = UreqTransport::new(&TransportOptions::new());
    /// let chunks = Selection::all().prefix("doc-1#")?;
    /// let cleared = transport.delete_matching(&target, credentials, chunks, BulkOptions::new())?;
    /// assert!(cleared.is_clear);
    /// assert_eq!(cleared.report.deleted, 2);
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_matching(
        &self,
        target: &Target,
        credentials: Credentials,
        selection: Selection,
        options: BulkOptions,
    ) -> Result<MatchingReport, RunError> {
        let Parts { lister, mut bulk, stop, matching } =
            Parts::new(target, credentials, selection, options)?;
        let (lists, deletes) = (self.clone(), self.clone());
        let keys = matching.keys(list_keys(lister, move |request| lists.send(request)));
        let run = Run::new(&mut bulk).observer(matching.observer(())).stop_handle(&stop);
        matching.report(run.run_blocking(keys, move |request| deletes.send(request)))
    }
}

#[cfg(feature = "hyper")]
impl HyperTransport {
    /// Deletes every vector of `selection`, in the task that awaits it. Lists the index and deletes
    /// its keys at the same time, then lists again until a [pass](crate::Passes) finds nothing.
    ///
    /// To delete everything, it is much faster to delete the index and create it again: one call
    /// each, with another SDK. After an interruption, call this again. For events, a way to stop or
    /// renewed credentials, see [`Matching`].
    ///
    /// # Errors
    ///
    /// [`RunError`]: why the run or the listing stopped before its end, with the report of the run.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    ///
    /// ```
    /// use oss_delete_vectors::Selection;
    /// use oss_delete_vectors::bulk::BulkOptions;
    /// use oss_delete_vectors::transports::{HyperTransport, TransportOptions};
    /// # use oss_delete_vectors::{Credentials, Target};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[cfg(feature = "serve")] {
    /// # use std::net::Ipv4Addr;
    /// # use std::sync::{Arc, Mutex};
    /// # use oss_delete_vectors::emulator::Emulator;
    /// # use oss_delete_vectors::transports::Server;
    /// # let index = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1");
    /// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
    /// # let emulator = Emulator::with_vectors(&index.clone().build()?, credentials.clone(), ["doc-1#0", "doc-1#1", "doc-2#0"])?;
    /// # let server = Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), Arc::new(Mutex::new(emulator)))?;
    /// # let target = index.endpoint(server.url().parse()?).build()?;
    ///
    /// let transport = HyperTransport::new(&TransportOptions::new());
    /// let chunks = Selection::all().prefix("doc-1#")?;
    /// let cleared = transport.delete_matching(&target, credentials, chunks, BulkOptions::new()).await?;
    /// assert!(cleared.is_clear);
    /// assert_eq!(cleared.report.deleted, 2);
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delete_matching(
        &self,
        target: &Target,
        credentials: Credentials,
        selection: Selection,
        options: BulkOptions,
    ) -> Result<MatchingReport, RunError> {
        let Parts { lister, mut bulk, stop, matching } =
            Parts::new(target, credentials, selection, options)?;
        let sleep = tokio::time::sleep;
        let listed = stream_keys(lister, |request| self.send(request), sleep);
        let run = Run::new(&mut bulk).observer(matching.observer(())).stop_handle(&stop);
        let keys = matching.stream(listed, sleep);
        let outcome = run.run_async(keys, |request| self.send(request), sleep).await;
        matching.report(outcome)
    }
}
