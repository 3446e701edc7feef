//! The servers for clients in other languages: `server bare`, or
//! `server throttled LIMIT LATENCY_MS [CLIENT CONCURRENCY BATCHES SERIES_FILE]`, where the limit is
//! `requests` or `documented`.
//!
//! Prints its port and serves until standard input ends. With `throttled`, it then prints the
//! numbers of accepted and throttled requests, and appends the series to the file.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use peers::series::{Arrival, HEADER, Run, to_csv};
use peers::server::{Limit, Server};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["bare"] => drop(until_the_end(Server::bare())),
        ["throttled", limit, latency_ms] => drop(throttled(limit, latency_ms.parse().unwrap())),
        ["throttled", limit, latency_ms, client, concurrency, batches, path] => {
            let latency_ms = latency_ms.parse().unwrap();
            let arrivals = throttled(limit, latency_ms);
            let (concurrency, batches) = (concurrency.parse().unwrap(), batches.parse().unwrap());
            let [limit, client] = [limit, client].map(str::to_owned);
            let run = Run { limit, client, concurrency, latency_ms, batches };
            let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
            if file.metadata().unwrap().len() == 0 {
                writeln!(file, "{HEADER}").unwrap();
            }
            file.write_all(to_csv(&run, &arrivals).as_bytes()).unwrap();
        }
        _ => {
            eprintln!(
                "usage: server bare | server throttled requests|documented LATENCY_MS [CLIENT CONCURRENCY BATCHES SERIES_FILE]"
            );
            std::process::exit(2);
        }
    }
}

fn throttled(limit: &str, latency_ms: u64) -> Vec<Arrival> {
    let latency = Duration::from_millis(latency_ms);
    let limit = Limit::ALL.into_iter().find(|known| known.name == limit).expect("a known limit");
    let arrivals = until_the_end(Server::throttled(Limit { latency, ..limit })).arrivals();
    let accepted = arrivals.iter().filter(|arrival| arrival.is_accepted).count();
    println!("{accepted} {}", arrivals.len() - accepted);
    arrivals
}

fn until_the_end(server: Server) -> Server {
    println!("{}", server.port());
    std::io::stdin().lines().for_each(drop);
    server
}
