//! Many callers at once: with a `Client`, with a request per call, and with a run per call.
//!
//! `cargo bench --bench client --all-features` takes about two minutes. 200 tasks each delete 1 to
//! 30 keys repeatedly, under limits that are unknown to them: in virtual time, then on sockets. The
//! last part is the cost of a `Client` without a limit.

mod cost;
mod service;
mod sockets;
mod virtual_time;

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--test");
    virtual_time::run(smoke);
    sockets::run(smoke);
    cost::run(smoke);
}

/// The number of tasks, which delete repeatedly.
const TASKS: usize = 200;

/// The latencies of calls, and the number of deleted keys.
#[derive(Default)]
struct Measured {
    calls: Vec<f64>,
    keys: u64,
    failed: u64,
    requests: u64,
}

impl Measured {
    fn quantile(&self, quantile: f64) -> f64 {
        let mut sorted = self.calls.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let index = ((sorted.len().max(1) - 1) as f64 * quantile) as usize;
        sorted.get(index).copied().unwrap_or(f64::NAN)
    }

    fn print(&self, case: &str, way: &str, seconds: f64) {
        println!(
            "{case:24} {way:22} | {:>8.0} calls/s {:>8.0} keys/s | p50 {:>7.3} s p99 {:>7.3} s | {:>6.2} requests/call | {} failed",
            self.calls.len() as f64 / seconds,
            self.keys as f64 / seconds,
            self.quantile(0.5),
            self.quantile(0.99),
            self.requests as f64 / self.calls.len().max(1) as f64,
            self.failed,
        );
    }
}
