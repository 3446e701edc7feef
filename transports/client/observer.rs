use std::fmt;

use crate::bulk::{BulkDelete, Event};

/// Receives the events and the progress of a [`Run`](super::Run). Both methods get `&mut self`, so
/// that an observer needs no `RefCell` to keep state for both.
///
/// The run calls it on its own thread or in its own task, and waits until it returns: keep it
/// short.
///
/// ```
/// use std::time::Duration;
/// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
/// use oss_delete_vectors::TransportError;
/// use oss_delete_vectors::transports::{Observer, Run};
/// # use oss_delete_vectors::{Credentials, Deleted, Target};
/// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456")
/// #     .bucket("examplebucket").index_name("vectorindex1").build()?;
/// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
/// # let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
/// # let send = |_request| Ok::<_, TransportError>(Deleted::new("some id").to_response());
///
/// #[derive(Default)]
/// struct Log {
///     failed: Vec<String>,
///     checkpoint: String,
/// }
///
/// impl Observer for Log {
///     fn event(&mut self, event: Event) {
///         if let Event::Failed(failed) = event {
///             self.failed.extend(failed.keys.iter().map(|key| key.to_string()));
///         }
///     }
///
///     fn progress(&mut self, bulk: &BulkDelete) {
///         // `failed` has every failed key that the checkpoint covers.
///         self.checkpoint = bulk.checkpoint().to_string();
///     }
/// }
///
/// let mut log = Log::default();
/// let run = Run::new(&mut bulk).observer(&mut log).progress_every(Duration::from_secs(1));
/// run.run_blocking(["doc-001", "doc-002"], send)?;
/// assert!(log.failed.is_empty() && !log.checkpoint.is_empty());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub trait Observer {
    /// Takes an event.
    fn event(&mut self, event: Event);

    /// Looks at the [`BulkDelete`] after it has taken all events so far: to show how far the run
    /// is, or to save a [`checkpoint`](BulkDelete::checkpoint). Called in the interval of
    /// [`progress_every`](super::Run::progress_every), and once at the end of every run.
    ///
    /// Does nothing by default.
    fn progress(&mut self, _bulk: &BulkDelete) {}
}

/// Ignores everything. The observer of a [`Run`](super::Run) that is given no other.
impl Observer for () {
    fn event(&mut self, _event: Event) {}
}

impl<O: Observer + ?Sized> Observer for &mut O {
    fn event(&mut self, event: Event) {
        (**self).event(event);
    }

    fn progress(&mut self, bulk: &BulkDelete) {
        (**self).progress(bulk);
    }
}

/// A closure that takes the events of a run. See [`Run::on_event`](super::Run::on_event).
pub struct OnEvent<F>(pub(super) F);

impl<F: FnMut(Event)> Observer for OnEvent<F> {
    fn event(&mut self, event: Event) {
        (self.0)(event);
    }
}

impl<F> fmt::Debug for OnEvent<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnEvent").finish_non_exhaustive()
    }
}
