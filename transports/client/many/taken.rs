use crate::calls::{Call, DeleteError};
use crate::{Key, KeyBatch};

/// Calls that have no result yet before no more keys are taken.
pub(super) const MOST_CALLS: usize = 32;
/// Keys that failed before no more are taken: the error has all of them.
pub(super) const MOST_FAILED: usize = 10_000;

/// Keys that were taken, and what became of them.
pub(super) struct Taken {
    pub(super) count: usize,
    call: Call,
    pub(super) error: Option<DeleteError>,
}

impl Taken {
    pub(super) fn new() -> Self {
        Self { count: 0, call: empty(), error: None }
    }

    /// Takes a key. A call that is complete, or an end because the key is invalid.
    pub(super) fn push(&mut self, key: &str) -> Result<Option<Call>, ()> {
        match Key::new(key) {
            Ok(key) => self.call.push(key.as_str()).expect("it is a key"),
            Err(invalid) => {
                self.merge(Err(invalid.of_key(self.count).into()));
                return Err(());
            }
        }
        self.count += 1;
        Ok((self.call.len() == KeyBatch::MAX_KEYS).then(|| self.flush()).flatten())
    }

    /// What was taken and is in no call, as a call.
    pub(super) fn flush(&mut self) -> Option<Call> {
        (!self.call.is_empty()).then(|| std::mem::replace(&mut self.call, empty()))
    }

    /// Whether to take more keys after this result.
    pub(super) fn merge(&mut self, result: Result<(), DeleteError>) -> bool {
        let Err(error) = result else { return true };
        let error = match self.error.take() {
            Some(before) => before.merge(error),
            None => error,
        };
        let goes_on = error.is_about_keys() && error.len() < MOST_FAILED;
        self.error = Some(error);
        goes_on
    }

    pub(super) fn result(&mut self) -> Result<u64, DeleteError> {
        match self.error.take() {
            Some(error) => Err(error.of_total(self.count)),
            None => Ok(self.count as u64),
        }
    }
}

fn empty() -> Call {
    Call::new([""; 0]).expect("there is no key that is invalid")
}
