use futures_core::Stream;

use super::HyperTransport;
use crate::bulk::{BulkOptions, Report};
use crate::transports::client::new_bulk;
use crate::transports::{Run, RunError, stream_iter};
use crate::{Credentials, Target};

impl HyperTransport {
    /// Deletes any number of keys, in the task that awaits it. Where `options` have no seed it is the time of day, so that no two
    /// programs keep step.
    ///
    /// A key that is none stops it, after those before it may be gone: check with [`Key::new`](crate::Key::new) where that matters.
    /// Runs do not share what they learn of the limit: see [pacing](crate#pacing).
    ///
    /// The report counts what became of the keys. To know which were not deleted, to stop before the end, or to renew
    /// credentials, see [`Run`]. Dropped in the middle, it sends nothing more. Keys that
    /// come as a stream are the matter of [`delete_stream`](Self::delete_stream).
    ///
    /// # Errors
    ///
    /// [`RunError`]: why the run stopped before its end, with its report. As with [`Run::run_async`].
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send); and with the panic of the iterator.
    ///
    /// ```
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
    /// # let index = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1");
    /// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
    /// # let emulator = Emulator::with_vectors(&index.clone().build()?, credentials.clone(), ["doc-1"])?;
    /// # let server = Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), Arc::new(Mutex::new(emulator)))?;
    /// # let target = index.endpoint(server.url().parse()?).build()?;
    ///
    /// let keys = (0..1234).map(|number| format!("doc-{number}"));
    /// let transport = HyperTransport::new(&TransportOptions::new());
    /// let report = transport.delete_all(&target, credentials, keys, BulkOptions::new()).await?;
    /// assert!(report.is_all_deleted());
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delete_all<K>(
        &self,
        target: &Target,
        credentials: Credentials,
        keys: K,
        options: BulkOptions,
    ) -> Result<Report, RunError>
    where
        K: IntoIterator<Item: AsRef<str>>,
    {
        self.delete_stream(target, credentials, stream_iter(keys), options).await
    }

    /// Deletes the keys of a stream, which may pause: as [`delete_all`](Self::delete_all) else.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As there.
    pub async fn delete_stream<S>(
        &self,
        target: &Target,
        credentials: Credentials,
        keys: S,
        options: BulkOptions,
    ) -> Result<Report, RunError>
    where
        S: Stream<Item: AsRef<str>>,
    {
        let mut bulk = new_bulk(target, credentials, options)?;
        Run::new(&mut bulk).run_async(keys, |request| self.send(request), tokio::time::sleep).await
    }
}
