//! A limit that the client does not know: a token bucket of 50 requests per second and a depth of
//! 50.
//!
//! `target/release/throttled` takes eleven minutes: 2,000 batches without latency and 1,000 with 20
//! ms, with 8 and 32 requests in flight. The ideal time is (batches - depth) / limit. Goals: at
//! most 1.10 of the ideal, at most 5 % of the attempts throttled, no batch lost.
//!
//! `--scale 0.1` sends a tenth of the batches, `--test` takes seconds. `--series FILE` writes the
//! series for `chart`.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use peers::clients::Paced;
use peers::series;
use peers::server::{Limit, Server};
use peers::table::{self, is_smoke, option};

const PER_SECOND: f64 = Limit::OF_THE_COMPARISON.per_second;
const DEPTH: f64 = Limit::OF_THE_COMPARISON.depth;

fn main() {
    let scale = if is_smoke() {
        0.0
    } else {
        option("--scale").map_or(1.0, |scale| scale.parse().unwrap())
    };
    let mut file = option("--series").map(|path| File::create(path).unwrap());
    if let Some(file) = &mut file {
        writeln!(file, "{}", series::HEADER).unwrap();
    }
    println!("{}", table::THROTTLED_HEAD);
    for (latency, batches) in [(0, 2000_f64), (20, 1000.0)] {
        // At least two more than the depth: fewer would never be throttled.
        let batches = (batches * scale).max(DEPTH + 2.0) as usize;
        for concurrency in [8, 32] {
            for client in Paced::ALL {
                let rows = run(client, concurrency, Duration::from_millis(latency), batches);
                if let Some(file) = &mut file {
                    file.write_all(rows.as_bytes()).unwrap();
                }
            }
        }
    }
}

/// Runs and prints one case. Returns the rows of its series.
fn run(client: Paced, concurrency: usize, latency: Duration, batches: usize) -> String {
    let server = Server::throttled(Limit { latency, ..Limit::OF_THE_COMPARISON });
    let start = Instant::now();
    let reported = client.send_all(server.port(), concurrency, batches);
    let wall = start.elapsed().as_secs_f64();
    let ideal = (batches as f64 - DEPTH) / PER_SECOND;
    let arrivals = server.arrivals();
    let accepted = arrivals.iter().filter(|arrival| arrival.is_accepted).count();
    let refused = 100.0 * (arrivals.len() - accepted) as f64 / arrivals.len() as f64;
    let lost = batches.saturating_sub(accepted);

    // A short run ends before the pacer has learned anything, so it has no goals.
    let is_judged = client.is_ours() && batches >= 1000;
    let goals =
        [("wall", wall / ideal <= 1.10), ("throttled", refused <= 5.0), ("lost", lost == 0)];
    let missed: Vec<&str> =
        goals.into_iter().filter(|(_, is_met)| !is_met).map(|(goal, _)| goal).collect();
    let verdict = match &missed[..] {
        _ if reported != lost => format!("it reported {reported} as lost"),
        _ if !is_judged => String::new(),
        [] => "met".to_owned(),
        missed => format!("MISSED: {}", missed.join(", ")),
    };
    println!(
        "{:<28} {concurrency:>4} {:>4} ms {:>10.3} {refused:>7.1} % {lost:>6} {wall:>8.1} s {:>8} {batches:>7}  {verdict}",
        client.name(),
        latency.as_millis(),
        wall / ideal,
        arrivals.len(),
    );
    let client = client.name().to_owned();
    series::to_csv(
        &series::Run { client, concurrency, latency_ms: latency.as_millis() as u64, batches },
        &arrivals,
    )
}
