//! The transports against real sockets: the same scenarios, and the same outcomes. Tests over
//! `AnyTransport` are those of the contract; tests over `Carrier` are those of the options.

mod emulated;
mod outcomes;
mod proxy;
mod reuse;
mod sources;
mod tls;
mod wire;
