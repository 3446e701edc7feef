//! `Client` and `blocking::Client`: many callers, one [`Calls`](crate::calls::Calls).
//!
//! - `shared.rs` is what handles and driver share: orders one way, results the other way;
//! - `steps.rs` has what both drivers do in each round;
//! - `builder.rs` makes both; `client.rs` and `driver.rs` are the asynchronous one, `blocking.rs` the
//!   other one;
//! - `reading.rs` and `taken.rs` take keys from a source, call by call.

pub(super) mod blocking;
mod builder;
#[cfg(feature = "async")]
mod client;
#[cfg(feature = "async")]
mod driver;
#[cfg(feature = "async")]
mod reading;
mod shared;
mod steps;
mod taken;

use std::any::Any;

use crate::TransportError;

pub use self::builder::ClientBuilder;
#[cfg(feature = "async")]
pub use self::client::{Client, Deleting};

/// The failure of a request whose `send` panicked: it may have arrived.
fn panicked(payload: &(dyn Any + Send)) -> TransportError {
    TransportError::may_have_arrived(format!("the transport panicked: {}", text_of(payload)))
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
