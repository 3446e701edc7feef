//! Tests with sockets, threads and runtimes: the transports, the loops that drive a run over them,
//! and the emulator as a server.

#[path = "../common/mod.rs"]
mod common;

mod clients;
mod loops;
mod matching;
mod serve;
mod serve_faulty;
mod transports;

use common::{calls, canary, carrier, certificates, enough_time, peer, service};
