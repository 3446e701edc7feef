//! The program `delete-vectors`: start-up time, memory and size. Linux only.
//!
//! `cargo bench --bench program --all-features` takes two minutes. The service is on loopback
//! without TLS, but the program still sets up TLS before it sends.

#[cfg(target_os = "linux")]
#[path = "../tests/common/peak_rss.rs"]
mod peak_rss;

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    use std::{fs, thread};

    use oss_delete_vectors::transports::Server;
    use oss_delete_vectors::{Deleted, ListVectors, Listed, Operation, Vector};
    use serde_json::Value;

    use super::peak_rss::peak_rss;

    const PROGRAM: &str = env!("CARGO_BIN_EXE_delete-vectors");
    const MIB: f64 = 1024.0 * 1024.0;
    const STDIN: [&str; 2] = ["--keys-from", "-"];

    pub(super) fn main() {
        let is_smoke = std::env::args().any(|argument| argument == "--test");
        let (starts, keys) =
            if is_smoke { (1, [1000, 10_000]) } else { (21, [300_000, 3_000_000]) };
        println!("{:<48} {:>9}  goal", "", "measured");
        for transport in ["hyper", "ureq"] {
            let mut times: Vec<Duration> =
                (0..starts).map(|_| start_to_first_byte(transport)).collect();
            times.sort_unstable();
            let median = 1000.0 * times[times.len() / 2].as_secs_f64();
            println!(
                "{:<48} {median:>6.1} ms  10 ms",
                format!("{transport}: start to first byte sent, median of {starts}")
            );
        }
        for transport in ["hyper", "ureq"] {
            for keys in keys {
                let peak = memory(transport, keys) as f64 / 1024.0;
                println!(
                    "{:<48} {peak:>5.1} MiB  16 MB",
                    format!("{transport}: peak RSS for {keys} keys")
                );
            }
        }
        let listed = if is_smoke { 10_000 } else { 10_000_000 };
        for transport in ["hyper", "ureq"] {
            for segments in [4, 16] {
                let peak = listing_memory(transport, segments, listed) as f64 / 1024.0;
                println!(
                    "{:<48} {peak:>5.1} MiB  16 MB",
                    format!("{transport}: --all of {listed} keys, {segments} segments")
                );
            }
        }
        println!(
            "{:<48} {:>5.1} MiB  8 MB",
            "the program",
            fs::metadata(PROGRAM).unwrap().len() as f64 / MIB
        );
    }

    fn delete_vectors(url: &str, transport: &str, keys: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args([
                "--region",
                "cn-hangzhou",
                "--account-id",
                "1234567890123456",
                "--bucket",
                "examplebucket",
            ])
            .args([
                "--index-name",
                "vectorindex1",
                "--force",
                "--endpoint",
                url,
                "--transport",
                transport,
            ])
            .args(keys)
            .env_clear()
            .envs([
                ("OSS_ACCESS_KEY_ID", "LTAI5tConformanceKey0001"),
                ("OSS_ACCESS_KEY_SECRET", "yourAccessKeySecretForTests0001"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// The time from before the spawn until the first byte of a request arrives.
    fn start_to_first_byte(transport: &str) -> Duration {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut command = delete_vectors(&url, transport, &STDIN);
        let start = Instant::now();
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"doc-001\n").unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0]).unwrap();
        let elapsed = start.elapsed();
        child.kill().unwrap();
        child.wait().unwrap();
        elapsed
    }

    fn memory(transport: &str, keys: u32) -> u64 {
        let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), |_| {
            Deleted::new("534B371674A4D890XXXX").to_response()
        })
        .unwrap();
        let mut child = delete_vectors(&server.url(), transport, &STDIN).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = thread::spawn(move || {
            let text: String = (0..keys).map(|number| format!("doc-{number:032}\n")).collect();
            stdin.write_all(text.as_bytes())
        });
        let peak = peak_rss(&mut child);
        writer.join().unwrap().unwrap();
        assert!(child.wait().unwrap().success());
        peak
    }

    /// The peak while an index with this many keys is listed and deleted.
    fn listing_memory(transport: &str, segments: u32, keys: u32) -> u64 {
        let last = keys / segments / 1000;
        let mut begun = vec![0; segments as usize];
        let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), move |request| {
            if !ListVectors::is_call(&request) {
                return Deleted::new("534B371674A4D890XXXX").to_response();
            }
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            let segment = body["segmentIndex"].as_u64().unwrap() as usize;
            let token = body["nextToken"].as_str();
            let page: u32 = token.map_or(0, |token| token.parse().unwrap());
            if token.is_none() {
                begun[segment] += 1;
            }
            // The second pass finds nothing.
            if begun[segment] > 1 {
                return Listed::new("534B371674A4D890XXXX", Vec::new()).to_response();
            }
            let vector =
                |number| Vector::new(&format!("doc-{segment:02}-{page:010}-{number:018}")).unwrap();
            let page_of_keys = Listed::new("534B371674A4D890XXXX", (0..1000).map(vector).collect());
            let next = if page + 1 < last { (page + 1).to_string() } else { String::new() };
            page_of_keys.with_next_token(next).to_response()
        })
        .unwrap();
        let segments = segments.to_string();
        let mut command =
            delete_vectors(&server.url(), transport, &["--all", "--segments", &segments]);
        let mut child = command.spawn().unwrap();
        let peak = peak_rss(&mut child);
        assert!(child.wait().unwrap().success());
        peak
    }
}
