//! Tests of the core with fixed inputs: values, keys, signatures, calls and their responses, the
//! emulator, and the documents. No network, no clock.

#[path = "../common/mod.rs"]
mod common;

mod call_error;
mod credential_sources;
mod documents;
#[cfg(feature = "emulator")]
mod emulated_call;
#[cfg(feature = "emulator")]
mod emulated_checks;
#[cfg(feature = "emulator")]
mod emulated_dates;
#[cfg(feature = "emulator")]
mod emulated_filters;
#[cfg(feature = "emulator")]
mod emulated_vectors;
mod error_conformance;
mod key_batch;
mod operations;
mod parse_never_panics;
mod reference_example;
mod response_meaning;
mod response_parsing;
mod service_error_round_trip;
mod sign_again;
mod signing_conformance;
mod thread_safety;
mod values;
mod verify_tamper;

use common::{calls, canary, fixtures, random};
