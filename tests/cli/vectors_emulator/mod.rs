//! `vectors-emulator` as its users meet it: the built program, deleted from over a socket, and ended by a signal.

mod ending;
mod faults;
mod program;
mod serving;
mod usage;
