//! Fills the emulator, serves it, and summarizes its requests at the end.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use oss_delete_vectors::emulator::{Emulator, Fault, Faults, FaultyNetwork, RateLimit};
use oss_delete_vectors::transports::Server;
use oss_delete_vectors::{Credentials, Target};
use serde_json::{Map, Value, json};

use crate::args::{FaultInjection, Vectors};
use crate::config::ConfigError;
use crate::key_lines::Rules;
use crate::{keys, vectors};

/// Number of vectors in the index if no keys are given.
const EXAMPLES: u32 = 999;

/// Creates an emulator with the bucket and index of `target` and a vector for each key. Requests
/// must be signed with `credentials`.
pub(crate) fn emulator(
    target: &Target,
    credentials: Credentials,
    options: &Vectors,
) -> Result<Emulator, Box<dyn Error>> {
    let has_input = !options.keys_from.is_empty() || !options.vectors_from.is_empty();
    let examples = if has_input { 0 } else { EXAMPLES };
    let mut emulator = Emulator::with_vectors(
        target,
        credentials,
        (1..=examples).map(|number| format!("doc-{number:03}")),
    )
    .map_err(ConfigError::Refused)?;
    let rules = Rules { format: options.keys_format, skips_bad_lines: false };
    for file in &options.keys_from {
        for key in keys::read(file, rules)? {
            emulator.put_vectors(
                target.bucket(),
                target.index_name().unwrap_or_default(),
                [key?],
            )?;
        }
    }
    for file in &options.vectors_from {
        for vector in vectors::read(file)? {
            emulator.put_whole_vectors(
                target.bucket(),
                target.index_name().unwrap_or_default(),
                [vector?],
            )?;
        }
    }
    Ok(emulator)
}

/// How long a request counts as in flight.
const IN_FLIGHT: Duration = Duration::from_millis(100);

/// The burst allows one second's worth, and at least one full batch.
pub(crate) fn rate_limit(fault_injection: &FaultInjection) -> Option<RateLimit> {
    let FaultInjection { max_qps, max_keys_per_second, max_keys_in_flight, .. } = *fault_injection;
    if max_qps.is_none() && max_keys_per_second.is_none() && max_keys_in_flight.is_none() {
        return None;
    }
    // `as` saturates: a burst of 4 billion equals no limit.
    let depth = |per_second: f64, least: f64| per_second.max(least) as u32;
    let qps = max_qps.unwrap_or(f64::from(u32::MAX));
    let mut limit = RateLimit::new(qps, depth(qps, 1.0)).expect("the argument was checked");
    if let Some(keys) = max_keys_per_second {
        limit = limit.with_keys(keys, depth(keys, 500.0)).expect("the argument was checked");
    }
    Some(match max_keys_in_flight {
        Some(most) => limit.with_keys_in_flight(most, IN_FLIGHT),
        None => limit,
    })
}

/// An emulator on a socket.
pub(crate) struct Service {
    emulator: Arc<Mutex<Emulator>>,
    network: Option<(Arc<Mutex<FaultyNetwork<u64>>>, Faults)>,
    server: Server,
    target: Target,
}

impl Service {
    pub(crate) fn start(
        addr: SocketAddr,
        target: Target,
        emulator: Emulator,
        fault_injection: &FaultInjection,
    ) -> Result<Self, CannotServe> {
        let emulator = Arc::new(Mutex::new(emulator));
        let network = fault_injection.faults.clone().map(|faults| {
            let network = FaultyNetwork::new(fault_injection.seed, faults.clone());
            (Arc::new(Mutex::new(network)), faults)
        });
        let server = match &network {
            Some((network, _)) => {
                Server::start_faulty(addr, Arc::clone(&emulator), Arc::clone(network))
            }
            None => Server::start_emulator(addr, Arc::clone(&emulator)),
        };
        let server = server.map_err(|error| CannotServe { addr, error })?;
        Ok(Self { emulator, network, server, target })
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Waits for requests in flight to end, and returns the summary: one JSON object on one line.
    pub(crate) fn end(self) -> String {
        self.server.shutdown();
        let faults = self.network.map(|(network, faults)| {
            let network = network.lock().unwrap_or_else(PoisonError::into_inner);
            let asked_for =
                Fault::ALL.iter().copied().filter(|&fault| faults.probability(fault) > 0.0);
            asked_for
                .map(|fault| (fault.to_string(), network.injected(fault).into()))
                .collect::<Map<String, Value>>()
        });
        let emulator = self.emulator.lock().unwrap_or_else(PoisonError::into_inner);
        let remaining = count(&emulator, &self.target);
        let mut tally = json!({
            "requests": emulator.requests(),
            "keys": emulator.deleted_keys(),
            "deleted": emulator.deleted_vectors(),
            "remaining": remaining,
        });
        if let Some(faults) = faults {
            tally["faults"] = faults.into();
        }
        tally.to_string()
    }
}

fn count(emulator: &Emulator, target: &Target) -> usize {
    emulator
        .len(target.bucket(), target.index_name().unwrap_or_default())
        .expect("the index exists")
}

/// The address cannot be served.
#[derive(Debug)]
pub(crate) struct CannotServe {
    addr: SocketAddr,
    error: io::Error,
}

impl fmt::Display for CannotServe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--listen: cannot serve on {}: {}", self.addr, self.error)
    }
}

impl Error for CannotServe {}
