use super::split::Doubt;
use super::{Batch, BulkDelete, Event, Phase, StopReason};
use crate::retry::{History, Startup};

impl BulkDelete {
    /// Sends nothing more. Keys that are not in flight are settled at once; those in flight are
    /// settled by their response. Has no effect on a finished run.
    #[doc(alias = "cancel")]
    pub fn stop(&mut self) {
        if !self.is_finished() {
            self.stop_because(StopReason::Requested);
        }
    }

    /// Sends nothing more and waits for nothing. Keys in flight become
    /// [unconfirmed](super::KeyOutcome::Unconfirmed), and the report is final. For a loop that is
    /// dropped or cannot wait.
    pub fn abort(&mut self) {
        self.stop();
        while let Some((_, mut attempt)) = self.in_flight.pop_first() {
            attempt.batch.may_have_deleted = true;
            self.settle_failed(attempt.batch);
        }
    }

    /// Begins again after a stop: keys can be pushed, and are sent. For a loop that outlives its
    /// stops, such as that of a [`Client`](crate::calls). Does nothing to a run that has not
    /// [`stopped`](Self::stopped).
    ///
    /// The pace, the clock and the credentials stay as they are. Nothing else is taken for granted:
    /// until the next deletion the run stops as early as a new one. If credentials are needed, the
    /// timeout for them begins again.
    ///
    /// The keys of before keep their outcomes. Requests that are in flight are awaited; if one of
    /// them fails, its keys fail, and are not sent again. All of these keys are
    /// [settled](Self::settled) from now on: a run that resumes this one from a later checkpoint
    /// does not send them, so push those again that are still to be deleted.
    ///
    /// ```
    /// use oss_delete_vectors::Key;
    /// use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
    /// # use oss_delete_vectors::{Credentials, Target};
    /// # let target = Target::builder().region("cn-hangzhou").account_id("1234567890123456").bucket("examplebucket").index_name("vectorindex1").build()?;
    /// # let credentials = Credentials::new("LTAI5tExample", "my-secret")?;
    ///
    /// let mut bulk = BulkDelete::new(&target, credentials, BulkOptions::new())?;
    /// bulk.push(Key::new("doc-1")?)?;
    /// bulk.stop();
    /// assert!(bulk.push(Key::new("doc-2")?).is_err());
    /// bulk.restart();
    /// bulk.push(Key::new("doc-2")?)?;
    /// assert_eq!((bulk.report().not_attempted, bulk.report().pending()), (1, 1));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn restart(&mut self) {
        if self.stopped().is_none() {
            return;
        }
        self.phase = Phase::Pushing;
        self.epoch += 1;
        self.report.input_complete = false;
        self.splitting = None;
        self.rejected_keys = 0;
        self.doubt = Doubt::default();
        self.startup = Startup::default();
        self.history = History::default();
        self.outage.restart();
        self.clock.restart();
        self.authority.restart(self.now.monotonic);
        // Given up, as any other key that failed: without this a run that stops often would
        // remember every one of its stops.
        self.settle_unproven();
        let (interrupted, keys) = std::mem::take(&mut self.interrupted);
        self.settled.insert_all(&interrupted);
        for (all, keys) in self.failed_for_good.iter_mut().zip(keys) {
            *all += keys;
        }
    }

    pub(super) fn stop_because(&mut self, reason: StopReason) {
        if matches!(self.phase, Phase::Stopped(_)) {
            return;
        }
        self.events.push_back(Event::Stopped(reason.clone()));
        self.close();
        self.phase = Phase::Stopped(reason);
        let delayed = std::mem::take(&mut self.delayed).into_values();
        let unsent: Vec<Batch> =
            self.parked.drain(..).chain(delayed).chain(self.ready.drain(..)).collect();
        unsent.into_iter().for_each(|batch| self.settle_failed(batch));
    }

    /// Stops the run over an error of `batch`.
    pub(super) fn stop_over(&mut self, batch: Batch, reason: StopReason) {
        self.stop_because(reason);
        self.settle_failed(batch);
    }
}
