//! Hostile clients of the served emulator. It keeps serving, deletes nothing without a valid
//! signature, and stays within its memory.

mod crowds;
mod framing;
mod service;
mod signatures;
mod slow;
