//! `vectors-emulator` from the outside: the built program, used over a socket and ended by a
//! signal.

mod ending;
mod faults;
mod program;
mod serving;
mod usage;
