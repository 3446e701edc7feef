//! The steps of a run: printed, or hashed to be compared.

use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

pub(crate) enum Trace {
    Off,
    Hashed(DefaultHasher),
    Printed,
}

impl Trace {
    pub(crate) fn hashed() -> Self {
        // `DefaultHasher::new` has fixed keys.
        Self::Hashed(DefaultHasher::new())
    }

    /// `detail` is only hashed, because it is too long to print.
    pub(crate) fn step(
        &mut self,
        now: Duration,
        line: impl FnOnce() -> String,
        detail: impl FnOnce() -> String,
    ) {
        match self {
            Self::Off => {}
            Self::Hashed(hasher) => {
                hasher.write(format!("{now:?} {} {}\n", line(), detail()).as_bytes());
            }
            Self::Printed => println!("{:>14.6} {}", now.as_secs_f64(), line()),
        }
    }

    pub(crate) fn note(&mut self, now: Duration, line: impl FnOnce() -> String) {
        self.step(now, line, String::new);
    }

    pub(crate) fn hash(&self) -> Option<u64> {
        match self {
            Self::Hashed(hasher) => Some(hasher.finish()),
            Self::Off | Self::Printed => None,
        }
    }
}
