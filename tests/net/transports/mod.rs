//! Both transports against real sockets: the same scenarios, and the same outcomes.

mod emulated;
mod outcomes;
mod proxy;
mod reuse;
mod sources;
mod tls;
mod wire;
