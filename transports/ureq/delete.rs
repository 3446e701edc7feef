use super::UreqTransport;
use crate::bulk::{BulkOptions, Report};
use crate::transports::client::new_bulk;
use crate::transports::{Run, RunError};
use crate::{Credentials, Target};

impl UreqTransport {
    /// Deletes any number of keys, with as many threads as requests are in flight, and blocks the
    /// thread until then.
    ///
    #[doc = include_str!("../delete.md")]
    ///
    /// # Errors
    ///
    /// [`RunError`]: why the run stopped before its end, with its report.
    /// [`Run::run_blocking`] documents what may outlive it.
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
    /// # let index = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
    /// #     .bucket("examplebucket").index_name("vectorindex1");
    /// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
    /// # let target = index.clone().build()?;
    /// # let emulator = Emulator::with_vectors(&target, credentials.clone(), ["doc-1"])?;
    /// # let emulator = Arc::new(Mutex::new(emulator));
    /// # let server = Server::start_emulator((Ipv4Addr::LOCALHOST, 0).into(), emulator)?;
    /// # let target = index.endpoint(server.url().parse()?).build()?;
    ///
    /// let keys = (0..1234).map(|number| format!("doc-{number}"));
    /// let transport = UreqTransport::new(&TransportOptions::new());
    /// let report = transport.delete(&target, credentials, keys, BulkOptions::new())?;
    /// assert!(report.is_all_deleted());
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete<K>(
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
        Run::new(&mut new_bulk(target, credentials, options)?)
            .run_blocking(keys, move |request| transport.send(request))
    }
}
