//! The short way in: a target, credentials, keys.

use std::time::UNIX_EPOCH;

use super::run::{Run, RunError, RunErrorKind, machine_time};
use crate::bulk::{BulkDelete, BulkOptions, Report};
use crate::{Credentials, Target};

#[cfg(feature = "ureq")]
impl super::UreqTransport {
    /// Deletes any number of keys, on as many threads as requests are in flight, and blocks the thread until all have their
    /// outcome. The seed of `options` is replaced by the time of day, so that no two programs keep step.
    ///
    /// The report counts what became of the keys. To know which were not deleted, to stop before the end, or to renew
    /// credentials, see [`Run`].
    ///
    /// # Errors
    ///
    /// [`RunError`]: why the run stopped before its end, with its report. As with [`Run::run_blocking`], whose threads these are.
    ///
    /// ```no_run
    /// use oss_delete_vectors::bulk::BulkOptions;
    /// use oss_delete_vectors::transports::{TransportOptions, UreqTransport};
    /// # use oss_delete_vectors::{Credentials, Target};
    ///
    /// let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1").build()?;
    /// let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
    /// let keys = (0..1_000_000).map(|number| format!("doc-{number}"));
    /// let transport = UreqTransport::new(&TransportOptions::new());
    /// let report = transport.delete_all(&target, credentials, keys, BulkOptions::new())?;
    /// println!("{} of {} deleted", report.deleted, report.pushed);
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
        Run::new(&mut bulk(target, credentials, options)?).run_blocking(keys, move |request| transport.send(request))
    }
}

#[cfg(feature = "hyper")]
impl<C> super::HyperTransport<C>
where
    C: hyper_util::client::legacy::connect::Connect + Clone + Send + Sync + 'static,
{
    /// Deletes any number of keys, in the task that awaits it. The seed of `options` is replaced by the time of day, so that no
    /// two programs keep step.
    ///
    /// The report counts what became of the keys. To know which were not deleted, to stop before the end, or to renew
    /// credentials, see [`Run`]. To be awaited on a tokio runtime with IO and time enabled; dropped in the middle, it sends nothing
    /// more.
    ///
    /// # Errors
    ///
    /// [`RunError`]: why the run stopped before its end, with its report. As with [`Run::run_async`].
    ///
    /// ```no_run
    /// use oss_delete_vectors::bulk::BulkOptions;
    /// use oss_delete_vectors::transports::{HyperTransport, TransportOptions, stream_iter};
    /// # use oss_delete_vectors::{Credentials, Target};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let target = Target::builder("cn-hangzhou", "1234567890123456", "examplebucket").index_name("vectorindex1").build()?;
    /// let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
    /// let keys = stream_iter((0..1_000_000).map(|number| format!("doc-{number}")));
    /// let transport = HyperTransport::new(&TransportOptions::new());
    /// let report = transport.delete_all(&target, credentials, keys, BulkOptions::new()).await?;
    /// println!("{} of {} deleted", report.deleted, report.pushed);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delete_all<S>(
        &self,
        target: &Target,
        credentials: Credentials,
        keys: S,
        options: BulkOptions,
    ) -> Result<Report, RunError>
    where
        S: futures_core::Stream<Item: AsRef<str>>,
    {
        let mut bulk = bulk(target, credentials, options)?;
        Run::new(&mut bulk).run_async(keys, |request| self.send(request), tokio::time::sleep).await
    }
}

fn bulk(target: &Target, credentials: Credentials, options: BulkOptions) -> Result<BulkDelete, RunError> {
    let nanos = machine_time().wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are those that differ")]
    let options = options.seed(nanos as u64);
    BulkDelete::new(target, credentials, options)
        .map_err(|invalid| RunError::new(RunErrorKind::Options(invalid), Report::default(), None))
}
