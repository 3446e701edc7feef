use std::time::Duration;

use crate::KeyBatch;

/// A part of the index, and the progress of its listing; or keys to look up, batch by batch.
#[derive(Debug)]
pub(super) struct Segment {
    state: State,
    /// The token of the next page; `None` for the first.
    token: Option<String>,
    /// The token of an earlier page: the first, second, fourth, eighth .. one. If tokens form a
    /// circle, one of these is in it, and is returned again.
    mark: Option<String>,
    /// The keys to look up.
    pub(super) batch: Option<KeyBatch>,
    /// The pages since the beginning, and the maximum so far.
    pages: u64,
    most_pages: u64,
    /// Restarts since the maximum was reached.
    restarts: u32,
    /// Attempts for this page that failed, were throttled, or were rejected.
    pub(super) failures: u32,
    pub(super) throttled: u32,
    pub(super) rejections: u32,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The next page can be requested at this time.
    Due(Duration),
    InFlight,
    Ended,
}

impl Default for Segment {
    fn default() -> Self {
        Self {
            state: State::Due(Duration::ZERO),
            token: None,
            mark: None,
            batch: None,
            pages: 0,
            most_pages: 0,
            restarts: 0,
            failures: 0,
            throttled: 0,
            rejections: 0,
        }
    }
}

impl Segment {
    pub(super) fn due(&self) -> Option<Duration> {
        match self.state {
            State::Due(due) => Some(due),
            State::InFlight | State::Ended => None,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Whether this token of the next page leads to an earlier page.
    pub(super) fn leads_back(&self, next: &str) -> bool {
        [&self.token, &self.mark].into_iter().flatten().any(|token| token == next)
    }

    pub(super) fn pages(&self) -> u64 {
        self.pages
    }

    pub(super) fn sent(&mut self) {
        self.state = State::InFlight;
    }

    /// There is nothing more to request.
    pub(super) fn end(&mut self) {
        self.state = State::Ended;
    }

    /// The page arrived. `token` is that of the next one.
    pub(super) fn advance(&mut self, token: Option<String>) {
        let was_lookup = self.batch.take().is_some();
        let has_more = was_lookup || token.is_some();
        self.state = if has_more { State::Due(Duration::ZERO) } else { State::Ended };
        self.token = token;
        self.pages += 1;
        if self.pages.is_power_of_two() {
            self.mark.clone_from(&self.token);
        }
        if self.pages > self.most_pages {
            self.most_pages = self.pages;
            self.restarts = 0;
        }
        (self.failures, self.throttled, self.rejections) = (0, 0, 0);
    }

    /// The page is requested again at `due`.
    pub(super) fn retry(&mut self, due: Duration) {
        self.state = State::Due(due);
    }

    /// The token is invalid. Returns how often that happened since the maximum was reached.
    pub(super) fn restart(&mut self) -> u32 {
        (self.token, self.mark) = (None, None);
        self.pages = 0;
        self.restarts += 1;
        (self.failures, self.throttled, self.rejections) = (0, 0, 0);
        self.restarts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_restarts_begin_anew() {
        let mut segment = Segment::default();
        let fail = |segment: &mut Segment| {
            (segment.failures, segment.throttled, segment.rejections) = (1, 2, 3);
        };
        let counts = |segment: &Segment| (segment.failures, segment.throttled, segment.rejections);
        // Without another page than the last time, restarts are counted.
        for (pages, restarts) in [(2, 1), (2, 2), (1, 3), (2, 4), (3, 1), (3, 2), (4, 1)] {
            for page in 0..pages {
                assert_eq!(segment.pages(), page);
                fail(&mut segment);
                segment.advance(Some(page.to_string()));
                assert_eq!(counts(&segment), (0, 0, 0));
            }
            fail(&mut segment);
            assert_eq!(segment.restart(), restarts);
            assert_eq!((counts(&segment), segment.pages(), segment.token()), ((0, 0, 0), 0, None));
        }
        segment.advance(None);
        assert!(segment.has_ended() && segment.due().is_none());
    }

    #[test]
    fn a_token_of_a_marked_page_leads_back() {
        let mut segment = Segment::default();
        assert!(!segment.leads_back("1"));
        // The pages 1, 2, 4 and 8 are marked, each until the next one.
        for (page, marked) in [(1, 1), (2, 2), (3, 2), (4, 4), (5, 4), (6, 4), (7, 4), (8, 8)] {
            segment.advance(Some(page.to_string()));
            for earlier in 1..10 {
                let leads_back = segment.leads_back(&earlier.to_string());
                assert_eq!(leads_back, [page, marked].contains(&earlier), "{page} {earlier}");
            }
        }
        segment.restart();
        assert!(!segment.leads_back("8"));
    }
}
