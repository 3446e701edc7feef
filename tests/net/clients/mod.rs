//! `Client` and `blocking::Client` on every runtime, with and without sockets, and dropped at every
//! point.

mod blocking;
mod cancelling;
mod ending;
mod sockets;
mod streams;
#[cfg(feature = "tracing")]
mod traces;

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use oss_delete_vectors::bulk::BulkOptions;
use oss_delete_vectors::transports::ClientBuilder;
use oss_delete_vectors::{Client, TransportError};

use crate::calls::credentials;
use crate::service::{Service, real_time};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A client of `service`, and its driver for any runtime.
fn client(service: &Service) -> (Client, Work) {
    let (client, driver) =
        builder(service).with_transport(send(service), async_io::Timer::after).unwrap();
    (client, Box::pin(driver))
}

fn builder(service: &Service) -> ClientBuilder<Client> {
    Client::builder(&service.target, credentials()).options(options())
}

fn options() -> BulkOptions {
    BulkOptions::new().back_off(Duration::from_millis(10), Duration::from_millis(10))
}

/// Responds after two polls.
fn send(
    service: &Service,
) -> impl Fn(Request<Bytes>) -> Pin<Box<dyn Future<Output = Sent> + Send>> + Send + 'static {
    let service = service.clone();
    move |request| {
        let service = service.clone();
        Box::pin(async move {
            futures_lite::future::yield_now().await;
            let response = service.respond(real_time(), &request);
            futures_lite::future::yield_now().await;
            Ok(response)
        })
    }
}

type Sent = Result<Response<Bytes>, TransportError>;

/// Runs `test` with each way to spawn: on both runtimes of tokio, and on threads of async-io.
fn on_each_runtime<T: Future<Output = ()>>(test: impl Fn(fn(Work)) -> T) {
    let tokio: fn(Work) = |work| drop(tokio::spawn(work));
    let mut current = tokio::runtime::Builder::new_current_thread();
    current.enable_time().build().unwrap().block_on(test(tokio));
    let mut multi = tokio::runtime::Builder::new_multi_thread();
    multi.worker_threads(2).enable_time().build().unwrap().block_on(test(tokio));
    let thread: fn(Work) = |work| drop(std::thread::spawn(|| async_io::block_on(work)));
    async_io::block_on(test(thread));
}
