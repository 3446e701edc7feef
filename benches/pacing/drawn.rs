//! Worlds drawn at random, so that the goals' worlds are not the only ones that are looked at.

use super::service::{Bucket, Limits};
use super::world::{World, concurrency, world};

/// Which limits there are.
const KINDS: [&str; 3] = ["requests alone", "keys alone", "requests and keys"];
/// Keys of each batch.
const MIXES: [&str; 4] = ["full", "of one size", "1 to 500 keys", "two sizes in turns"];

/// Prints which wall times and shares of throttled requests half, nine tenths and all of `count`
/// worlds of each kind and mix stay within.
pub(crate) fn print(wants: impl Fn(&str) -> bool, count: u64) {
    for (kind, limits) in KINDS.iter().enumerate() {
        for (mix, sizes) in MIXES.iter().enumerate() {
            let name = format!("{limits}: {sizes}");
            if wants(&name) {
                print_row(&name, kind, mix, count);
            }
        }
    }
}

fn print_row(name: &str, kind: usize, mix: usize, count: u64) {
    let (mut walls, mut throttled): (Vec<f64>, Vec<f64>) = (0..count)
        .map(|seed| {
            let world = draw(kind, mix, seed);
            let outcome = world.run(seed);
            let part = outcome.throttled as f64 / world.batches.len() as f64;
            (outcome.wall() / world.ideal(), 100.0 * part)
        })
        .unzip();
    let parts = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        [5, 9, 10].map(|part| values[(values.len() - 1) * part / 10])
    };
    let ([half, most, all], part) = (parts(&mut walls), parts(&mut throttled));
    println!(
        "{name:>60} | {half:.3}, {most:.3}, {all:.3} | {:.1}, {:.1}, {:.1} %",
        part[0], part[1], part[2]
    );
}

/// A world of this kind and mix, with 2 to 2,000 batches a second, buckets of 0.1 to 3 seconds, and
/// round trips of 3 to 250 ms. It takes 30 seconds or so.
fn draw(kind: usize, mix: usize, seed: u64) -> World {
    let mut random = Random(seed * 131 + (kind * 17 + mix) as u64 + 1);
    let latency = random.between(0.003, 0.25);
    let rate = random.between(2.0, 2000.0);
    let (one, other) = match mix {
        0 => (500, 500),
        1 => {
            let size = random.between(1.0, 500.0) as usize;
            (size, size)
        }
        2 => (250, 250),
        _ => (random.between(100.0, 501.0) as usize, random.between(1.0, 50.0) as usize),
    };
    // The size at which both limits let in as many batches.
    let even = if kind == 2 { random.between(other as f64, one as f64) } else { other as f64 };
    let largest = if mix == 2 { 500 } else { one };
    let mut bucket =
        |rate: f64, least: f64| Bucket::new(rate, (rate * random.between(0.1, 3.0)).max(least));
    let (requests, keys) = (bucket(rate, 1.0), bucket(rate * even, largest as f64));
    let limits = match kind {
        0 => Limits { requests, ..Limits::NONE },
        1 => Limits { keys, ..Limits::NONE },
        _ => Limits { requests, keys, ..Limits::NONE },
    };
    let per_second = |size: usize| 1.0 / limits.ideal_interval(size);
    let mut batches = Vec::new();
    let turn = random.between(1.0, 10.0);
    let mut left = 30.0;
    while left > 0.0 {
        for size in [one, other] {
            let count = (turn * per_second(size)).ceil() as usize;
            for _ in 0..count {
                batches.push(if mix == 2 { 1 + (random.next() * 500.0) as usize } else { size });
            }
            left -= turn;
        }
    }
    let most = per_second(one).max(per_second(other));
    world(limits, latency, concurrency(most, latency), batches)
}

struct Random(u64);

impl Random {
    /// From 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Its logarithm is evenly distributed.
    fn between(&mut self, least: f64, most: f64) -> f64 {
        least * (most / least).powf(self.next())
    }
}
