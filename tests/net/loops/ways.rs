//! The variants of a run. Every scenario is tested with all of them.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::Response;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event, Report};
#[cfg(all(feature = "serve", any(feature = "hyper", feature = "ureq")))]
use oss_delete_vectors::transports::TransportOptions;
use oss_delete_vectors::transports::stream_iter;
use oss_delete_vectors::transports::{OnEvent, Run, RunError, StopHandle};
use oss_delete_vectors::{Credentials, TransportError};

use super::virtual_time::VirtualTime;
use crate::service::{Service, real_time};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Blocking,
    Ureq,
    VirtualTime,
    AsyncIo,
    AsyncIoSockets,
    Hyper,
}

/// The input of a run.
pub(crate) struct Job<'a> {
    pub(crate) keys: Box<dyn Iterator<Item = String> + Send>,
    pub(crate) on_event: Box<dyn FnMut(Event) + 'a>,
    pub(crate) stop: StopHandle,
    pub(crate) provider: Box<dyn FnMut() -> Result<Credentials, String> + Send>,
}

impl<'a> Job<'a> {
    pub(crate) fn new<I>(keys: I) -> Self
    where
        I: IntoIterator<Item = String, IntoIter: Send + 'static>,
    {
        Self {
            keys: Box::new(keys.into_iter()),
            on_event: Box::new(drop),
            stop: StopHandle::new(),
            provider: Box::new(|| Err("the provider was called".to_owned())),
        }
    }

    pub(crate) fn on_event(self, on_event: impl FnMut(Event) + 'a) -> Self {
        Self { on_event: Box::new(on_event), ..self }
    }

    pub(crate) fn stop_handle(self, stop: &StopHandle) -> Self {
        Self { stop: stop.clone(), ..self }
    }

    pub(crate) fn credentials(
        self,
        provider: impl FnMut() -> Result<Credentials, String> + Send + 'static,
    ) -> Self {
        Self { provider: Box::new(provider), ..self }
    }
}

/// The time of a round trip in virtual time.
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(40);

impl Way {
    pub(crate) fn all() -> Vec<Self> {
        vec![
            Self::Blocking,
            Self::Ureq,
            Self::VirtualTime,
            Self::AsyncIo,
            Self::AsyncIoSockets,
            Self::Hyper,
        ]
    }

    /// Runs a new `BulkDelete` over the service. Aborts a run that hangs.
    pub(crate) fn run(self, service: &Service, options: &BulkOptions, job: Job<'_>) -> Outcome {
        let stop = job.stop.clone();
        let (done, is_done) = channel::<()>();
        let watchdog = std::thread::spawn(move || {
            let hangs =
                is_done.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout);
            if hangs {
                stop.abort();
            }
            hangs
        });
        let outcome = self.run_unwatched(service, options, job);
        drop(done);
        assert!(!watchdog.join().unwrap(), "{self:?} hangs");
        outcome
    }

    fn run_unwatched(self, service: &Service, options: &BulkOptions, job: Job<'_>) -> Outcome {
        let mut bulk = service.bulk(options.clone());
        let Job { keys, on_event, stop, provider } = job;
        let service = service.clone();
        match self {
            Self::Blocking => {
                let send = move |request: Request<Bytes>| {
                    Ok::<_, TransportError>(service.respond(real_time(), &request))
                };
                run(&mut bulk, on_event, &stop)
                    .credentials_provider(provider)
                    .run_blocking(keys, send)
            }
            Self::Ureq => {
                let mut bulk = service.served_bulk(options.clone());
                let transport =
                    oss_delete_vectors::transports::UreqTransport::new(&TransportOptions::new());
                run(&mut bulk, on_event, &stop)
                    .credentials_provider(provider)
                    .run_blocking(keys, move |request| transport.send(request))
            }
            Self::VirtualTime => {
                let time = VirtualTime::default();
                let send = |request| respond_in_virtual_time(&service, &time, request);
                let run = run(&mut bulk, on_event, &stop).credentials_provider(ready(provider));
                time.block_on(run.run_async(stream_iter(keys), send, time.clone()))
            }
            Self::AsyncIo => {
                let send =
                    async |request| Ok::<_, TransportError>(service.respond(real_time(), &request));
                let run = run(&mut bulk, on_event, &stop).credentials_provider(ready(provider));
                async_io::block_on(run.run_async(stream_iter(keys), send, async_io::Timer::after))
            }
            Self::AsyncIoSockets => {
                let mut bulk = service.served_bulk(options.clone());
                let run = run(&mut bulk, on_event, &stop).credentials_provider(ready(provider));
                let send = super::async_io_transport::send;
                async_io::block_on(run.run_async(stream_iter(keys), send, async_io::Timer::after))
            }
            Self::Hyper => {
                let mut bulk = service.served_bulk(options.clone());
                let transport =
                    oss_delete_vectors::transports::HyperTransport::new(&TransportOptions::new());
                let send = |request| transport.send(request);
                let run = run(&mut bulk, on_event, &stop).credentials_provider(ready(provider));
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(run.run_async(stream_iter(keys), send, tokio::time::sleep))
            }
        }
    }
}

pub(crate) type Outcome = Result<Report, RunError>;

fn run<'a, F: FnMut(Event)>(
    bulk: &'a mut BulkDelete,
    on_event: F,
    stop: &StopHandle,
) -> Run<'a, OnEvent<F>> {
    Run::new(bulk).on_event(on_event).stop_handle(stop)
}

/// The request arrives after half a round trip, and the response after another half.
pub(crate) async fn respond_in_virtual_time(
    service: &Service,
    time: &VirtualTime,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, TransportError> {
    time.sleep(ROUND_TRIP / 2).await;
    let response = service.respond(time.now(), &request);
    time.sleep(ROUND_TRIP / 2).await;
    Ok(response)
}

fn ready<T>(mut closure: impl FnMut() -> T) -> impl FnMut() -> std::future::Ready<T> {
    move || std::future::ready(closure())
}
