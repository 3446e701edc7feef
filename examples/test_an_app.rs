//! Tests an application that deletes vectors: without a network, in virtual time, with faults.
//!
//! `cargo run --all-features --example test_an_app`

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::future::pending;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Event};
use oss_delete_vectors::emulator::{Emulator, Faults, FaultyNetwork, NetworkEvent, RateLimit};
use oss_delete_vectors::transports::{Run, Timer, stream_iter};
use oss_delete_vectors::{Credentials, Now, ServiceError, Target, TransportError, code};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// The application: deletes documents, and returns those that it could not delete.
///
/// `send` and `timer` are arguments. In production they are `|request| transport.send(request)` and
/// `tokio::time::sleep`.
async fn forget<S, A, E>(
    index: &Target,
    credentials: Credentials,
    documents: impl Iterator<Item = String>,
    send: S,
    timer: impl Timer,
) -> Result<Vec<String>, Box<dyn Error>>
where
    S: Fn(Request<Bytes>) -> A,
    A: Future<Output = Result<Response<Bytes>, E>>,
    E: Into<TransportError>,
{
    let mut bulk = BulkDelete::new(index, credentials, BulkOptions::new())?;
    let mut left = Vec::new();
    let report = Run::new(&mut bulk)
        .on_event(|event| {
            if let Event::Failed(failed) = event {
                left.extend(failed.keys.iter().map(|key| format!("{key}: {}", failed.outcome)));
            }
        })
        .run_async(stream_iter(documents), send, timer)
        .await?;
    assert_eq!(
        report.is_all_deleted(),
        left.is_empty(),
        "every key that was not deleted is reported"
    );
    Ok(left)
}

/// Runs the tests. In your crate, each is a `#[tokio::test(start_paused = true)]`.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    no_faults().await?;
    rate_limit().await?;
    partial_failure().await?;
    rejected_document().await?;
    faulty_network().await?;
    wrong_secret().await
}

async fn no_faults() -> Result<(), Box<dyn Error>> {
    let service = Service::start(1234, "")?;
    assert!(service.forget_all("my-secret").await?.is_empty());
    assert_eq!((service.documents(), service.requests.get()), (Some(0), 3));
    service.print("no faults")
}

async fn rate_limit() -> Result<(), Box<dyn Error>> {
    let service = Service::start(30_000, "")?;
    service.emulator.borrow_mut().set_rate_limit(Some(RateLimit::new(1.0, 1)?));
    assert!(service.forget_all("my-secret").await?.is_empty());
    assert_eq!(service.documents(), Some(0));
    assert!(service.start.elapsed() >= Duration::from_secs(59), "60 batches, one a second");
    service.print("rate limit")
}

async fn partial_failure() -> Result<(), Box<dyn Error>> {
    let service = Service::start(1234, "")?;
    let error = ServiceError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        code::INTERNAL_ERROR,
        "it failed on the way",
    );
    service.emulator.borrow_mut().fail_next(error, 200);
    assert!(service.forget_all("my-secret").await?.is_empty());
    assert_eq!((service.documents(), service.requests.get()), (Some(0), 4));
    service.print("partial failure")
}

async fn rejected_document() -> Result<(), Box<dyn Error>> {
    let service = Service::start(1234, "")?;
    service.emulator.borrow_mut().reject_keys([document(42)]);
    assert_eq!(service.forget_all("my-secret").await?, ["document-42: rejected"]);
    assert_eq!(service.documents(), Some(1));
    service.print("rejected document")
}

async fn faulty_network() -> Result<(), Box<dyn Error>> {
    let service = Service::start(
        30_000,
        "connection-refused=0.1,lost-request=0.1,throttle=0.1,server-error=0.1,lost-response=0.1",
    )?;
    assert!(service.forget_all("my-secret").await?.is_empty());
    assert_eq!(service.documents(), Some(0));
    assert!(service.requests.get() > 60, "no request was repeated");
    service.print("faulty network")
}

async fn wrong_secret() -> Result<(), Box<dyn Error>> {
    let service = Service::start(1234, "")?;
    let error = service.forget_all("another-secret").await.unwrap_err();
    assert!(error.to_string().contains("SignatureDoesNotMatch"), "{error}");
    assert_eq!(service.documents(), Some(1234));
    service.print("wrong secret")
}

/// Clock and timer of tokio, which tests pause.
struct PausedTime(Instant);

impl Timer for PausedTime {
    type Sleep = Sleep;

    fn sleep(&self, duration: Duration) -> Sleep {
        sleep(duration)
    }

    fn now(&self) -> Now {
        Now::new(self.0.elapsed(), SystemTime::now())
    }
}

/// An index with documents, behind a faulty network.
struct Service {
    index: Target,
    emulator: RefCell<Emulator>,
    documents: usize,
    faults: Faults,
    requests: Cell<u64>,
    start: Instant,
}

impl Service {
    fn start(documents: usize, faults: &str) -> Result<Self, Box<dyn Error>> {
        let index = Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name("vectorindex1")
            .build()?;
        let credentials = Credentials::new("example-id", "my-secret")?;
        Ok(Self {
            emulator: RefCell::new(Emulator::with_vectors(
                &index,
                credentials,
                (0..documents).map(document),
            )?),
            index,
            documents,
            faults: faults.parse()?,
            requests: Cell::new(0),
            start: Instant::now(),
        })
    }

    /// Runs the application over all documents.
    async fn forget_all(&self, secret: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let credentials = Credentials::new("example-id", secret)?;
        let timer = PausedTime(self.start);
        forget(
            &self.index,
            credentials,
            (0..self.documents).map(document),
            |request| self.send(request),
            timer,
        )
        .await
    }

    /// Replaces the transport and the service. Each request gets its own network, so that the first
    /// response there belongs to it.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let number = self.requests.get();
        self.requests.set(number + 1);
        let mut network = FaultyNetwork::new(number, self.faults.clone());
        network.send(self.start.elapsed(), (), request);
        while let Some(next) = network.next_event() {
            sleep_until(self.start + next).await;
            let now = Now::new(self.start.elapsed(), SystemTime::now());
            while let Some(event) = network.poll(now, &mut self.emulator.borrow_mut()) {
                if let NetworkEvent::Delivered { result, .. } = event {
                    return result;
                }
            }
        }
        pending().await
    }

    /// The number of documents that are left.
    fn documents(&self) -> Option<usize> {
        self.emulator.borrow().len(self.index.bucket(), self.index.index_name().unwrap_or_default())
    }

    fn print(&self, test: &str) -> Result<(), Box<dyn Error>> {
        println!("{test}: {} requests in {:?}", self.requests.get(), self.start.elapsed());
        Ok(())
    }
}

fn document(number: usize) -> String {
    format!("document-{number}")
}
