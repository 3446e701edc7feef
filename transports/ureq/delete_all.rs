use super::UreqTransport;
use crate::bulk::{BulkOptions, Report};
use crate::transports::client::new_bulk;
use crate::transports::{Run, RunError};
use crate::{Credentials, Target};

impl UreqTransport {
    /// Deletes any number of keys, on as many threads as requests are in flight, and blocks the thread until all have their
    /// outcome. Where `options` have no seed it is the time of day, so that no two programs keep step.
    ///
    /// A key that is none stops it, after those before it may be gone: check with [`Key::new`](crate::Key::new) where that matters.
    /// Runs do not share what they learn of the limit: see [pacing](crate#pacing).
    ///
    /// The report counts what became of the keys. To know which were not deleted, to stop before the end, or to renew
    /// credentials, see [`Run`].
    ///
    /// # Errors
    ///
    /// [`RunError`]: why the run stopped before its end, with its report. As with [`Run::run_blocking`], whose threads these are.
    ///
    /// ```
    /// use oss_delete_vectors::bulk::BulkOptions;
    /// use oss_delete_vectors::transports::{TransportOptions, UreqTransport};
    /// # use oss_delete_vectors::{Credentials, Target};
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
    /// let transport = UreqTransport::new(&TransportOptions::new());
    /// let report = transport.delete_all(&target, credentials, keys, BulkOptions::new())?;
    /// assert!(report.is_all_deleted());
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_all<K>(
        &self,
        target: &Target,
        credentials: Credentials,
        keys: K,
        options: BulkOptions,
    ) -> Result<Report, RunError>
    where
        K: IntoIterator<Item: AsRef<str> + Send + 'static, IntoIter: Send + 'static>,
    {
        let transport = self.clone();
        Run::new(&mut new_bulk(target, credentials, options)?).run_blocking(keys, move |request| transport.send(request))
    }
}
