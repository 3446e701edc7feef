//! The picture of pacing on the crate page shows what a run really does under these limits, in
//! virtual time.

use std::time::Duration;

use oss_delete_vectors::Key;
use oss_delete_vectors::bulk::{BulkDelete, BulkOptions};
use oss_delete_vectors::emulator::{Emulator, Faults, FaultyNetwork, NetworkEvent, RateLimit};

use crate::calls::{self, credentials, target};

/// The second at which each limit starts, and its requests per second. The run does not know them.
const LIMITS: [(usize, f64); 3] = [(0, 60.0), (20, 30.0), (40, 60.0)];

const SECONDS: usize = 60;

/// Requests that arrived within one second.
#[derive(Clone, Copy, Default)]
struct Second {
    accepted: u32,
    throttled: u32,
}

#[test]
fn crate_page_picture_matches_a_run() {
    let picture = draw(&run());
    let documented: String = include_str!("../../src/lib.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//! "))
        .fold(String::new(), |mut text, line| {
            text.push_str(line);
            text.push('\n');
            text
        });
    assert!(documented.contains(&picture), "src/lib.rs should have this picture:\n\n{picture}");
}

/// An endless run with one key per request and a round trip of 16 to 24 ms.
fn run() -> [Second; SECONDS] {
    let mut emulator = Emulator::with_vectors(&target(), credentials(), [""; 0]).unwrap();
    let mut network = FaultyNetwork::new(0, Faults::none())
        .with_latency(Duration::from_millis(16), Duration::from_millis(8));
    let mut bulk = BulkDelete::new(&target(), credentials(), BulkOptions::new()).unwrap();
    let mut limits = LIMITS.into_iter().peekable();
    let mut seconds = [Second::default(); SECONDS];
    let mut now = calls::now(Duration::ZERO);
    let mut is_waiting = false;

    while let Some(second) = seconds.get_mut(now.monotonic.as_secs() as usize) {
        while let Some((_, limit)) =
            limits.next_if(|&(from, _)| from as u64 <= now.monotonic.as_secs())
        {
            emulator.set_rate_limit(Some(RateLimit::new(limit, 6).unwrap()));
        }
        while let Some(event) = network.poll(now, &mut emulator) {
            match event {
                NetworkEvent::Arrived { status, .. } if status.is_success() => second.accepted += 1,
                NetworkEvent::Arrived { .. } => second.throttled += 1,
                NetworkEvent::Delivered { id, result, .. } => {
                    bulk.handle_response(now, id, &result.unwrap());
                }
                _ => {}
            }
        }
        bulk.handle_timeout(now);
        loop {
            // One key per request: the next key is pushed after the last one was sent.
            if !is_waiting && bulk.can_push() {
                bulk.push(Key::new("doc-001").unwrap()).unwrap();
                bulk.flush();
                is_waiting = true;
            }
            if let Some(transmit) = bulk.poll_transmit(now) {
                is_waiting &= transmit.positions.first() + 1 < bulk.position();
                network.send(now.monotonic, transmit.id, transmit.to_request());
            } else if std::iter::from_fn(|| bulk.poll_event()).count() == 0 {
                break;
            }
        }
        let next = network.next_event().into_iter().chain(bulk.poll_timeout()).min().unwrap();
        now = calls::now(next);
    }
    seconds
}

/// One column per second, one row per ten requests.
fn draw(seconds: &[Second]) -> String {
    let mut picture =
        "requests/s: # accepted, x throttled; the limit is 60, from 20 s on 30, from 40 s on 60\n"
            .to_owned();
    for row in (1..=8).rev() {
        // A row is filled from half of its height on.
        let at = row * 10 - 5;
        let mark = |second: &Second| match (second.accepted, second.accepted + second.throttled) {
            (accepted, _) if accepted > at => '#',
            (_, all) if all > at => 'x',
            _ => ' ',
        };
        let columns: String = seconds.iter().map(mark).collect();
        picture += format!("{:>3} |{columns}", row * 10).trim_end();
        picture.push('\n');
    }
    picture += &format!("    +{}\n", "---------+".repeat(6));
    picture += "    0         10        20        30        40        50        60 s\n";
    picture
}
