//! What follows from a failed attempt: slow down, retry, split, sign again or stop. Runs and
//! listings share it.

mod back_off;
mod decide;
mod sign;
mod startup;

pub(crate) use self::back_off::BackOff;
pub(crate) use self::decide::{History, Slows, Verdict, decide, is_from_oss, slows_down};
pub(crate) use self::sign::{Authority, Clock, Correction, Overdue};
pub(crate) use self::startup::Startup;
