//! Memory does not grow with the number of keys.
#![cfg(target_os = "linux")]

use std::net::Ipv4Addr;
use std::process::Stdio;

use crate::peak_rss::peak_rss;
use oss_delete_vectors::Deleted;
use oss_delete_vectors::transports::Server;

use crate::program::{CREDENTIALS, File, PLACE, TRANSPORTS, command, finish};

/// The peak memory of the program while it deletes this many keys, in KiB.
fn peak(keys: u32, transport: &str) -> u64 {
    let server =
        Server::start((Ipv4Addr::LOCALHOST, 0).into(), |_| Deleted::new("id").to_response())
            .unwrap();
    let url = server.url();
    let text: String = (0..keys).map(|number| format!("doc-{number:032}\n")).collect();
    let file = File::new(&format!("memory-{transport}-{keys}"), "txt", text);
    let checkpoint = File::none(&format!("memory-{transport}-{keys}"), "checkpoint");
    let options = [
        "--index-name",
        "vectorindex1",
        "--force",
        "--output-format",
        "json",
        "--endpoint",
        &url,
        "--transport",
        transport,
    ];
    // The same number of connections from the first second on. Each takes threads and buffers,
    // which the short run might not need under load.
    let options = [&options[..], &["--concurrency", "2"]].concat();
    let paths = ["--keys-from", file.path(), "--checkpoint", checkpoint.path()];
    let mut command = command(PLACE.into_iter().chain(options).chain(paths), &CREDENTIALS);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let peak = peak_rss(&mut child);
    let run = finish(child);
    assert_eq!((run.code, run.counts()[0]), (Some(0), keys.into()), "{run:?}");
    peak
}

#[test]
fn memory_of_many_keys_equals_that_of_few() {
    for transport in TRANSPORTS {
        let (few, many) = (peak(300_000, transport), peak(3_000_000, transport));
        println!("{transport}: {few} KiB for 300,000 keys, {many} KiB for 3,000,000");
        assert!(few > 0 && many <= few + 4096, "{transport}: {few} KiB, then {many} KiB");
    }
}
