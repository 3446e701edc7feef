//! Whole calls to a bare server on loopback, 500 keys per request: requests per second, CPU time
//! and memory of each client.
//!
//! `target/release/calls` takes three minutes. `--test` runs everything once, `--rounds N` sets the
//! number of rounds. The server and the clients are separate processes, so that CPU time and memory
//! are measured per client. Rounds are interleaved.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use peers::clients::Client;
use peers::measure::{median, peak_rss, process_time};
use peers::server::Server;
use peers::table::{Goal, goal, goals_head, is_smoke, option};

const CONCURRENCIES: [usize; 3] = [1, 8, 32];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server"] => serve(),
        ["client", name, port, concurrency, requests] => {
            be_client(
                name,
                port.parse().unwrap(),
                concurrency.parse().unwrap(),
                requests.parse().unwrap(),
            );
        }
        _ => compare(),
    }
}

/// Serves until standard input ends, that is, until the parent exits.
fn serve() {
    println!("{}", Server::bare().port());
    std::io::stdin().lines().for_each(drop);
}

/// Prints requests per second, CPU time per request in microseconds, and memory in MiB.
fn be_client(name: &str, port: u16, concurrency: usize, requests: usize) {
    let client = Client::ALL
        .into_iter()
        .find(|client| client.name() == name)
        .expect("a client of this program");
    client.send_all(port, concurrency, 2 * concurrency); // warm up
    let (start, cpu) = (Instant::now(), process_time());
    client.send_all(port, concurrency, requests);
    let (wall, cpu) = (start.elapsed().as_secs_f64(), (process_time() - cpu).as_secs_f64());
    println!("{} {} {}", requests as f64 / wall, 1e6 * cpu / requests as f64, peak_rss());
}

/// The results of one client at one concurrency, per round.
#[derive(Default)]
struct Figures {
    per_second: Vec<f64>,
    cpu: Vec<f64>,
    rss: Vec<f64>,
}

fn compare() {
    let rounds =
        if is_smoke() { 1 } else { option("--rounds").map_or(5, |rounds| rounds.parse().unwrap()) };
    let (mut server, port) = start_server();
    let mut figures: Vec<[Figures; 3]> = Client::ALL.iter().map(|_| Default::default()).collect();
    for _ in 0..rounds {
        for (level, concurrency) in CONCURRENCIES.into_iter().enumerate() {
            let requests = match concurrency {
                _ if is_smoke() => 64,
                1 => 6000,
                _ => 20_000,
            };
            for (client, figures) in Client::ALL.into_iter().zip(&mut figures) {
                let [per_second, cpu, rss] = run_client(client, port, concurrency, requests);
                figures[level].per_second.push(per_second);
                figures[level].cpu.push(cpu);
                figures[level].rss.push(rss);
            }
        }
    }
    server.kill().unwrap();
    server.wait().unwrap();
    print(&figures);
}

fn print(figures: &[[Figures; 3]]) {
    let of = |client: Client, level: usize| {
        &figures[Client::ALL.iter().position(|one| *one == client).unwrap()][level]
    };
    let ratio = |client, to, level| {
        let (client, to) = (of(client, level), of(to, level));
        median(client.per_second.iter().zip(&to.per_second).map(|(a, b)| a / b).collect())
    };
    goals_head();
    for (level, concurrency) in CONCURRENCIES.into_iter().enumerate() {
        let goal_of = |bound| if concurrency > 1 { Goal::AtLeast(bound) } else { Goal::None };
        let share = goal_of(0.90);
        let rows = [
            (
                "ours, hyper / hyper-util with the floor",
                Client::HyperOurs,
                Client::HyperFloor,
                share,
            ),
            ("ours, ureq / ureq with the floor", Client::UreqOurs, Client::UreqFloor, share),
            (
                "ours, hyper, Client / hyper-util with the floor",
                Client::HyperClient,
                Client::HyperFloor,
                share,
            ),
            (
                "ours, ureq, Client / ureq with the floor",
                Client::UreqClient,
                Client::UreqFloor,
                share,
            ),
            ("ours, hyper / aws-sdk-s3vectors", Client::HyperOurs, Client::S3Vectors, goal_of(1.6)),
            ("ours, ureq / aws-sdk-s3vectors", Client::UreqOurs, Client::S3Vectors, goal_of(2.0)),
        ];
        for (text, client, to, bound) in rows {
            goal(
                &format!("requests/s, concurrency {concurrency}: {text}"),
                ratio(client, to, level),
                bound,
            );
        }
    }
    println!(
        "\n{:<24} {:>11} {:>12} {:>16} {:>10}",
        "absolute", "concurrency", "requests/s", "CPU a request", "peak RSS"
    );
    for client in Client::ALL {
        for (level, concurrency) in CONCURRENCIES.into_iter().enumerate() {
            let Figures { per_second, cpu, rss } = of(client, level);
            let [per_second, cpu, rss] =
                [per_second, cpu, rss].map(|samples| median(samples.clone()));
            println!(
                "{:<24} {concurrency:>11} {per_second:>12.0} {cpu:>13.1} us {rss:>6.1} MiB",
                client.name()
            );
        }
    }
}

fn start_server() -> (Child, u16) {
    let mut server =
        this_program().arg("server").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut port).unwrap();
    (server, port.trim().parse().unwrap())
}

fn run_client(client: Client, port: u16, concurrency: usize, requests: usize) -> [f64; 3] {
    let [port, concurrency, requests] =
        [usize::from(port), concurrency, requests].map(|number| number.to_string());
    let output = this_program()
        .args(["client", client.name(), &port, &concurrency, &requests])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{} failed", client.name());
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

fn this_program() -> Command {
    Command::new(std::env::current_exe().unwrap())
}
