//! What becomes of an attempt, whatever it was for. A run and a listing both go by this.

mod back_off;
mod decide;
mod sign;
mod startup;

pub(crate) use self::back_off::BackOff;
pub(crate) use self::decide::{History, Slows, Verdict, decide, is_from_oss, slows_down};
pub(crate) use self::sign::{Authority, Clock, Correction, Overdue};
pub(crate) use self::startup::Startup;
