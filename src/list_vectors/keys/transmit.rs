//! Which request of a listing is sent next, and when.

use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::segment::Segment;
use super::{InFlight, KeyLister, Work, trace};
use crate::{GetVectors, ListVectors, Now};

/// Identifies an attempt of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListTransmitId(u64);

/// A request to send once.
#[derive(Debug)]
#[non_exhaustive]
pub struct ListTransmit {
    /// To be passed with the response or the failure.
    pub id: ListTransmitId,
    /// Signed with the current time.
    pub request: Request<Bytes>,
}

impl KeyLister {
    /// The next request to send. `None` if no request is due. Signed as of `now`, so send it at
    /// once.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Now) -> Option<ListTransmit> {
        self.observe(now);
        let (number, mut request) = loop {
            self.next_turn().filter(|&due| due <= self.now.monotonic)?;
            let is_spaced = self.spaced_until <= self.now.monotonic;
            let is_due =
                |segment: &Segment| segment.due().is_some_and(|due| due <= self.now.monotonic);
            // The segment with the least progress, so that all end at about the same time.
            let segments = self.segments.iter_mut().enumerate();
            let due = segments.filter(|(_, segment)| is_due(segment));
            let (number, segment) = due.min_by_key(|(_, segment)| segment.pages())?;
            match &mut self.work {
                Work::Listing(_) if !is_spaced => return None,
                Work::Listing(selection) => {
                    let index = u8::try_from(number).expect("16 segments at most");
                    let call = match &self.unproven {
                        None => selection.page(&self.target, index, segment.token()),
                        Some(filter) => {
                            let call = ListVectors::new(&self.target).filter(filter.clone());
                            call.max_results(1).expect("1 is valid")
                        }
                    };
                    break (number, call.to_request());
                }
                Work::Lookup(batches) => {
                    if segment.batch.is_none() {
                        segment.batch = batches.next();
                    }
                    let Some(batch) = segment.batch.clone() else {
                        segment.end();
                        continue;
                    };
                    // Only now, so that a lookup without more keys ends at once.
                    if !is_spaced {
                        return None;
                    }
                    let call = GetVectors::new(&self.target, batch).expect("100 keys at most");
                    break (number, call.to_request());
                }
            }
        };
        self.authority.signer().sign(&mut request, self.clock.service_time(now.wall));
        self.segments[number].sent();
        let id = ListTransmitId(self.next_id);
        self.next_id += 1;
        self.report.requests += 1;
        self.spaced_until = self.now.monotonic.saturating_add(self.spacing);
        trace::request(id.0, number);
        let attempt = InFlight {
            segment: number,
            sent_at: self.now.monotonic,
            clock_generation: self.clock.generation(),
            credentials_generation: self.authority.generation(),
            credentials: self.authority.signer().credentials().clone(),
        };
        self.in_flight.insert(id, attempt);
        Some(ListTransmit { id, request })
    }

    /// The earliest time of the next request, unless something else must happen first.
    pub(super) fn next_due(&self) -> Option<Duration> {
        Some(self.next_turn()?.max(self.spaced_until))
    }

    /// The same at any rate.
    fn next_turn(&self) -> Option<Duration> {
        let is_first = !self.history.had_success || self.authority.is_on_trial();
        if self.stopped.is_some()
            || !self.authority.is_valid()
            || self.startup.is_overdue(self.now.monotonic)
            || !self.has_room()
            || (is_first && !self.in_flight.is_empty())
        {
            return None;
        }
        let due = self.segments.iter().filter_map(Segment::due).min()?;
        Some(due.max(self.held_until).max(self.now.monotonic))
    }

    /// Whether another page has room, in addition to waiting and requested pages.
    fn has_room(&self) -> bool {
        let page = match self.work {
            Work::Listing(_) => usize::from(ListVectors::MAX_RESULTS),
            Work::Lookup(_) => GetVectors::MAX_KEYS,
        };
        self.keys.len() + page * (self.in_flight.len() + 1) <= page * self.segments.len().max(2)
    }
}
