//! All targets without a fuzzer: over their seeds, and over seeds that were changed at random.

#[path = "../../tests/common/xorshift.rs"]
mod xorshift;

use std::path::Path;
use std::{fs, panic};

use fuzz::TARGETS;
use xorshift::Xorshift;

/// Changed seeds for each target.
const CHANGED: usize = 3000;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // The same in every run, whatever the file system thinks.
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Up to four changes: a byte, a part of another seed put in, a part left out or doubled.
fn changed(seeds: &[Vec<u8>], random: &mut Xorshift) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        let from = random.below(input.len() + 1);
        let to = from + random.below(input.len() - from + 1).min(64);
        match random.below(5) {
            0 if from < input.len() => input[from] = u8::try_from(random.below(256)).unwrap(),
            1 => {
                let other = &seeds[random.below(seeds.len())];
                let start = random.below(other.len() + 1);
                let end = start + random.below(other.len() - start + 1).min(64);
                input.splice(from..from, other[start..end].iter().copied()).for_each(drop);
            }
            2 => drop(input.drain(from..to)),
            3 => input.splice(from..from, input[from..to].to_vec()).for_each(drop),
            _ => input.extend_from_within(from..to),
        }
    }
    input
}

#[test]
fn every_seed_and_what_is_made_of_it_keeps_the_promises() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() >= 5, "{name}: {} seeds", seeds.len());
        let mut random = Xorshift::new(1);
        let changed = (0..CHANGED).map(|_| changed(&seeds, &mut random));
        for input in seeds.iter().cloned().chain(changed) {
            panic::catch_unwind(|| target(&input))
                .unwrap_or_else(|_| panic!("{name}: {:?}, which is {input:?}", String::from_utf8_lossy(&input)));
        }
    }
}
