//! `--verify`: looks up keys again after the run. Also other listings before and after the run.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use oss_delete_vectors::bulk::BulkOptions;
use oss_delete_vectors::transports::{StopHandle, TransportOptions};
use oss_delete_vectors::{KeyLister, ListError, ListReport, Selection, Target};

use crate::args::Client;
use crate::config::CredentialSource;
use crate::console::Console;
use crate::interrupt::Interrupts;
use crate::job::Provider;
use crate::matching::{self, Counted, Question};
use crate::output_files::{BoxError, OutputFiles};
use crate::question;
use crate::source::Source;

/// The number of concurrent lookups.
const REQUESTS: u8 = 8;

/// The reason if Ctrl-C ended a lookup.
pub(crate) const INTERRUPTED: &str = "interrupted";

/// The parts of a lookup.
pub(crate) struct Lookups<'a> {
    pub(crate) target: &'a Target,
    pub(crate) credentials: &'a CredentialSource,
    pub(crate) client: Client,
    pub(crate) options: &'a TransportOptions,
    pub(crate) bulk_options: BulkOptions,
    /// The maximum of requests per second.
    pub(crate) max_qps: Option<f64>,
    pub(crate) console: Console,
    pub(crate) interrupts: &'a Interrupts,
    pub(crate) stop: StopHandle,
}

/// The result of a verification.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    /// The number of keys looked up.
    pub(crate) keys: u64,
    /// The keys of these that still exist.
    pub(crate) present: u64,
    /// Unconfirmed keys that do not exist.
    pub(crate) confirmed: u64,
}

impl Lookups<'_> {
    pub(crate) fn lister(&self, selection: Selection) -> Result<KeyLister, BoxError> {
        let credentials = self.credentials.credentials()?;
        let options = self.bulk_options.clone();
        self.limited(KeyLister::new(self.target, credentials, selection, options)?)
    }

    fn limited(&self, lister: KeyLister) -> Result<KeyLister, BoxError> {
        match self.max_qps {
            Some(requests) => Ok(lister.max_requests_per_second(requests)?),
            None => Ok(lister),
        }
    }

    fn list(
        &self,
        lister: KeyLister,
        mut take: impl FnMut(String) -> bool,
    ) -> Result<Result<ListReport, ListError>, BoxError> {
        let renew = Provider::of(self.credentials);
        let take_unless_interrupted = |key| !self.interrupts.any() && take(key);
        let transport = (self.client, self.options);
        let listed = matching::list(
            transport,
            lister,
            renew,
            &self.console,
            &self.stop,
            take_unless_interrupted,
        )?;
        if self.interrupts.any() { Err(INTERRUPTED.into()) } else { Ok(listed) }
    }

    /// Counts the selected keys, for a moment or to the end.
    pub(crate) fn count(
        &self,
        selection: &Selection,
        is_all: bool,
    ) -> Result<Result<Counted, ListError>, BoxError> {
        let lister = self.lister(selection.clone())?;
        Counted::count(is_all, |take| self.list(lister, take).map(|listed| listed.map(drop)))
    }

    /// Counts for a moment, and asks whether to continue. Also asks if nothing was found yet,
    /// because the run may find keys.
    pub(crate) fn is_confirmed(
        &self,
        selection: &Selection,
    ) -> Result<Result<bool, ListError>, BoxError> {
        let counted = match self.count(selection, false)? {
            Ok(counted) => counted,
            Err(error) => return Ok(Err(error)),
        };
        let question = Question { target: self.target, selection, counted: &counted };
        Ok(Ok(question::is_confirmed(&question.to_string(), question.password())?))
    }

    /// Looks up the keys of a finished run: first the unconfirmed ones, then the deleted ones.
    /// Those that still exist are written to the file of failed keys.
    pub(crate) fn verify(
        &self,
        source: Option<Source>,
        position: u64,
        output_files: &mut OutputFiles,
    ) -> Result<Verified, BoxError> {
        let source = source.expect("checked before the run");
        let [unconfirmed, others] = output_files.failed_positions();
        let failed = merged(unconfirmed.iter().chain(&others).cloned().collect());
        let mut verified = Verified::default();
        if !unconfirmed.is_empty() {
            let again = source.again()?.expect("opened again before the run");
            let (keys, present) = self.look_up(again, In(unconfirmed, position), output_files)?;
            verified = Verified { keys, present, confirmed: keys - present };
        }
        let (keys, present) = self.look_up(source, NotIn(failed, position), output_files)?;
        verified.keys += keys;
        verified.present += present;
        output_files.drop_unconfirmed()?;
        Ok(verified)
    }

    /// Lists again after a run over a listing, unless its last pass found nothing.
    pub(crate) fn verify_listing(
        &self,
        selection: &Selection,
        is_clear: bool,
        output_files: &mut OutputFiles,
    ) -> Result<Verified, BoxError> {
        let mut verified = Verified::default();
        if !is_clear {
            let lister = self.lister(selection.clone())?;
            let mut written = Ok(());
            let listed = self.list(lister, |key| {
                verified.present += 1;
                written = output_files.write_present(&key);
                written.is_ok()
            })?;
            written?;
            listed?;
            verified.keys = verified.present;
        }
        Ok(verified)
    }

    /// Returns the number of keys looked up, and how many of them exist.
    fn look_up(
        &self,
        source: Source,
        positions: impl Positions + Send + 'static,
        output_files: &mut OutputFiles,
    ) -> Result<(u64, u64), BoxError> {
        let failure = Arc::new(Mutex::new(None));
        let failed = Arc::clone(&failure);
        // Lines that the run skipped are skipped again, because positions count only keys.
        let read = source.filter(|key| !key.as_ref().is_err_and(|error| error.can_go_on));
        let chosen = read.enumerate().map_while(move |(position, key)| match key {
            Ok(key) => Some(positions.has(position as u64).then_some(key)),
            Err(error) => {
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                None
            }
        });
        let interrupts = self.interrupts.clone();
        let chosen = chosen.take_while(move |_| !interrupts.any()).flatten();
        let credentials = self.credentials.credentials()?;
        let options = self.bulk_options.clone();
        let lister = KeyLister::lookup(self.target, credentials, chosen, REQUESTS, options)?;
        let lister = self.limited(lister)?;
        let (mut present, mut written) = (0, Ok(()));
        let listed = self.list(lister, |key| {
            present += 1;
            written = output_files.write_present(&key);
            written.is_ok()
        })?;
        written?;
        let keys = listed?.looked_up;
        match failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error.to_string().into()),
            None => Ok((keys, present)),
        }
    }
}

trait Positions {
    fn has(&self, position: u64) -> bool;
}

/// The positions in these ranges, before the end.
struct In(Vec<Range<u64>>, u64);

/// All other positions before the end.
struct NotIn(Vec<Range<u64>>, u64);

impl Positions for In {
    fn has(&self, position: u64) -> bool {
        position < self.1 && has(&self.0, position)
    }
}

impl Positions for NotIn {
    fn has(&self, position: u64) -> bool {
        position < self.1 && !has(&self.0, position)
    }
}

fn has(ranges: &[Range<u64>], position: u64) -> bool {
    let after = ranges.partition_point(|range| range.end <= position);
    ranges.get(after).is_some_and(|range| range.start <= position)
}

/// In ascending order, with touching ranges merged.
pub(crate) fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_found_in_merged_ranges() {
        let ranges = merged(vec![7..9, 0..2, 2..3, 8..12, 20..21]);
        assert_eq!(ranges, [0..3, 7..12, 20..21]);
        let inside: Vec<u64> = (0..30).filter(|&position| has(&ranges, position)).collect();
        assert_eq!(inside, ranges.into_iter().flatten().collect::<Vec<_>>());
    }
}
