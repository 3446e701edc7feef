//! Two limits that the client does not know: 50 requests/s, and the documented 1,000 requests/s and
//! 2,500 keys/s, of which full batches may use 5 requests/s. The buckets are as deep as a second.
//!
//! `target/release/throttled` takes 20 minutes. With 8 and 32 requests in flight, and with 0 and
//! 20 ms of latency, it sends 2,000 and 1,000 batches under the first limit, and 300 under the
//! second. The ideal time is batches / limit, less a second for the bucket. Goals: at most 1.05 of
//! the ideal, at most 4 % of the attempts throttled, no batch lost.
//!
//! `--scale 0.1` sends a tenth of the batches, `--limit documented` runs that one alone, `--test`
//! takes seconds. `--series FILE` writes the series for `chart`.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use peers::clients::Paced;
use peers::series;
use peers::server::{Limit, Server};
use peers::table::{self, is_smoke, option};

fn main() {
    let scale: f64 = if is_smoke() {
        0.0
    } else {
        option("--scale").map_or(1.0, |scale| scale.parse().unwrap())
    };
    let mut file = option("--series").map(|path| File::create(path).unwrap());
    if let Some(file) = &mut file {
        writeln!(file, "{}", series::HEADER).unwrap();
    }
    println!("{}", table::THROTTLED_HEAD);
    let only = option("--limit");
    for limit in Limit::ALL {
        if only.as_ref().is_some_and(|only| only != limit.name) {
            continue;
        }
        let batches =
            if limit.keys_per_second.is_some() { [300.0, 300.0] } else { [2000.0, 1000.0] };
        for (latency_ms, batches) in [0, 20].into_iter().zip(batches) {
            let limit = Limit { latency: Duration::from_millis(latency_ms), ..limit };
            // At least two more than the bucket holds: fewer would never be throttled.
            let batches = (batches * scale).max(limit.batches_per_second() + 2.0) as usize;
            for concurrency in [8, 32] {
                if is_smoke() && (latency_ms, concurrency) != (0, 32) {
                    continue;
                }
                for client in Paced::ALL {
                    let rows = run(client, concurrency, limit, batches);
                    if let Some(file) = &mut file {
                        file.write_all(rows.as_bytes()).unwrap();
                    }
                }
            }
        }
    }
}

/// Runs and prints one case. Returns the rows of its series.
fn run(client: Paced, concurrency: usize, limit: Limit, batches: usize) -> String {
    let server = Server::throttled(limit);
    let start = Instant::now();
    let reported = client.send_all(server.port(), concurrency, batches);
    let wall = start.elapsed().as_secs_f64();
    let ideal = limit.ideal(batches);
    let arrivals = server.arrivals();
    let accepted = arrivals.iter().filter(|arrival| arrival.is_accepted).count();
    let refused = 100.0 * (arrivals.len() - accepted) as f64 / arrivals.len() as f64;
    let lost = batches.saturating_sub(accepted);

    // A short run ends before the pacer has learned anything, so it has no goals.
    let is_judged = client.is_ours() && ideal >= 15.0;
    let goals =
        [("wall", wall / ideal <= 1.05), ("throttled", refused <= 4.0), ("lost", lost == 0)];
    let missed: Vec<&str> =
        goals.into_iter().filter(|(_, is_met)| !is_met).map(|(goal, _)| goal).collect();
    let verdict = match &missed[..] {
        _ if reported != lost => format!("it reported {reported} as lost"),
        _ if !is_judged => String::new(),
        [] => "met".to_owned(),
        missed => format!("MISSED: {}", missed.join(", ")),
    };
    let latency_ms = limit.latency.as_millis() as u64;
    println!(
        "{:<10} {:<28} {concurrency:>4} {latency_ms:>4} ms {:>10.3} {refused:>7.1} % {lost:>6} {wall:>8.1} s {:>8} {batches:>7}  {verdict}",
        limit.name,
        client.name(),
        wall / ideal,
        arrivals.len(),
    );
    let (limit, client) = (limit.name.to_owned(), client.name().to_owned());
    let run = series::Run { limit, client, concurrency, latency_ms, batches };
    series::to_csv(&run, &arrivals)
}
