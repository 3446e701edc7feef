//! Sockets, in real time.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oss_delete_vectors::bulk::BulkOptions;
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::{HyperTransport, Server, TransportOptions};
use oss_delete_vectors::{Client, DeleteVectors, KeyBatch, Target, blocking};

use crate::service::{Limits, Service, credentials, document, fraction, target};
use crate::{Measured, TASKS};

pub(crate) fn run(smoke: bool) {
    println!("sockets, {TASKS} tasks or threads of 1 to 30 keys");
    let length = Duration::from_secs(if smoke { 1 } else { 15 });
    for (case, limits) in [
        ("20 requests/s", Limits { requests: 20.0, keys: None }),
        ("1,000 requests, 2,500 keys/s", Limits { requests: 1000.0, keys: Some(2500.0) }),
    ] {
        for way in [Way::Client, Way::Blocking, Way::Direct, Way::Run] {
            let requests = Arc::new(AtomicU64::new(0));
            let server = serve(limits, &requests);
            let target = target().endpoint(server.url().parse().unwrap()).build().unwrap();
            let mut measured = match way {
                Way::Blocking => threads(&target, length),
                _ => tasks(way, &target, length),
            };
            measured.requests = requests.load(Ordering::Relaxed);
            let name = match way {
                Way::Client => "Client",
                Way::Blocking => "blocking::Client",
                Way::Direct => "a request per call",
                Way::Run => "a run per call",
            };
            measured.print(case, name, length.as_secs_f64());
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Client,
    Blocking,
    Direct,
    Run,
}

pub(crate) fn serve(limits: Limits, requests: &Arc<AtomicU64>) -> Server {
    let (service, start) = (Mutex::new(Service::new(limits)), Instant::now());
    let requests = Arc::clone(requests);
    Server::start((Ipv4Addr::LOCALHOST, 0).into(), move |request| {
        requests.fetch_add(1, Ordering::Relaxed);
        service.lock().unwrap().respond(start.elapsed(), &request)
    })
    .unwrap()
}

/// Calls repeatedly, and counts the calls that ended in time.
fn tasks(way: Way, target: &Target, length: Duration) -> Measured {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (measured, next) = (Arc::new(Mutex::new(Measured::default())), Arc::new(AtomicU64::new(0)));
    runtime.block_on(async {
        let transport = HyperTransport::new(&TransportOptions::new());
        let client = Client::builder(target, credentials()).build_over(transport.clone()).unwrap();
        let signer = Arc::new(Signer::new(target, credentials()));
        for _ in 0..TASKS {
            let (measured, next) = (Arc::clone(&measured), Arc::clone(&next));
            let (client, transport, signer) =
                (client.clone(), transport.clone(), Arc::clone(&signer));
            let target = target.clone();
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let (keys, begun) = (document(number), Instant::now());
                    let is_deleted = match way {
                        Way::Client | Way::Blocking => client.delete(&keys).await.is_ok(),
                        Way::Direct => direct(&transport, &target, &signer, number, &keys).await,
                        Way::Run => {
                            let options = BulkOptions::new().seed(number);
                            let keys = keys.iter();
                            let run = transport.delete(&target, credentials(), keys, options);
                            run.await.is_ok_and(|report| report.is_all_deleted())
                        }
                    };
                    record(&measured, begun, keys.len(), is_deleted);
                }
            });
        }
        tokio::time::sleep(length).await;
    });
    runtime.shutdown_background();
    std::mem::take(&mut *measured.lock().unwrap())
}

async fn direct(
    transport: &HyperTransport,
    target: &Target,
    signer: &Signer,
    number: u64,
    keys: &[String],
) -> bool {
    let call = DeleteVectors::new(target, KeyBatch::new(keys).unwrap());
    for attempt in 0.. {
        if transport.delete_vectors(&call, signer).await.is_ok() {
            break;
        }
        let most = (0.2 * f64::from(1 << attempt.min(10))).min(20.0);
        let delay = most * fraction(number.wrapping_mul(31) + u64::from(attempt as u32));
        tokio::time::sleep(Duration::from_secs_f64(delay)).await;
    }
    true
}

fn threads(target: &Target, length: Duration) -> Measured {
    let (measured, next) = (Mutex::new(Measured::default()), AtomicU64::new(0));
    let client = blocking::Client::new(target, credentials()).unwrap();
    let end = Instant::now() + length;
    std::thread::scope(|scope| {
        for _ in 0..TASKS {
            scope.spawn(|| {
                while Instant::now() < end {
                    let keys = document(next.fetch_add(1, Ordering::Relaxed));
                    let begun = Instant::now();
                    let is_deleted = client.delete(&keys).is_ok();
                    if Instant::now() < end {
                        record(&measured, begun, keys.len(), is_deleted);
                    }
                }
            });
        }
    });
    measured.into_inner().unwrap()
}

fn record(measured: &Mutex<Measured>, begun: Instant, keys: usize, is_deleted: bool) {
    let mut measured = measured.lock().unwrap();
    measured.calls.push(begun.elapsed().as_secs_f64());
    if is_deleted {
        measured.keys += keys as u64;
    } else {
        measured.failed += 1;
    }
}
