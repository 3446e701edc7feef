//! Requests at a server over time, as CSV rows: written by `throttled` and `server`, read by
//! `chart`.

use std::fmt::Write as _;
use std::time::Duration;

/// One request at the server, of 500 keys.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Time since the first request.
    pub at: Duration,
    pub is_accepted: bool,
}

/// The client and the parameters of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub limit: String,
    pub client: String,
    pub concurrency: usize,
    pub latency_ms: u64,
    pub batches: usize,
}

pub const HEADER: &str =
    "limit,client,concurrency,latency_ms,batches,seconds,accepted_per_second,refused_per_second";

/// The width of a row, in seconds.
pub const BIN: f64 = 2.0;

/// The rows of `run`, one per line.
#[must_use]
pub fn to_csv(run: &Run, arrivals: &[Arrival]) -> String {
    let bin_of = |arrival: &Arrival| (arrival.at.as_secs_f64() / BIN) as usize;
    let mut bins = vec![(0_u32, 0_u32); arrivals.last().map_or(0, |last| bin_of(last) + 1)];
    for arrival in arrivals {
        let (accepted, refused) = &mut bins[bin_of(arrival)];
        *(if arrival.is_accepted { accepted } else { refused }) += 1;
    }
    let Run { limit, client, concurrency, latency_ms, batches } = run;
    let mut out = String::new();
    for (position, (accepted, refused)) in bins.into_iter().enumerate() {
        let seconds = position as f64 * BIN;
        let [accepted, refused] = [accepted, refused].map(|count| f64::from(count) / BIN);
        writeln!(
            out,
            "{limit},{client},{concurrency},{latency_ms},{batches},{seconds},{accepted},{refused}"
        )
        .unwrap();
    }
    out
}

/// One bin: its start, and its rates in requests.
#[derive(Debug, Clone, Copy)]
pub struct Bin {
    pub seconds: f64,
    pub accepted_per_second: f64,
    pub refused_per_second: f64,
}

/// Parses one row. `None` for other lines, such as the header.
#[must_use]
pub fn parse(line: &str) -> Option<(Run, Bin)> {
    let fields: Vec<&str> = line.split(',').collect();
    let [limit, client, concurrency, latency_ms, batches, seconds, accepted, refused] = fields[..]
    else {
        return None;
    };
    let run = Run {
        limit: limit.to_owned(),
        client: client.to_owned(),
        concurrency: concurrency.parse().ok()?,
        latency_ms: latency_ms.parse().ok()?,
        batches: batches.parse().ok()?,
    };
    let bin = Bin {
        seconds: seconds.parse().ok()?,
        accepted_per_second: accepted.parse().ok()?,
        refused_per_second: refused.parse().ok()?,
    };
    Some((run, bin))
}
