//! Runs all targets without a fuzzer, on their seeds and on random mutations of the seeds.

#[allow(dead_code, reason = "the tests of the crate use more of it")]
#[path = "../../tests/common/random.rs"]
mod random;

use std::path::Path;
use std::{fs, panic};

use fuzz::TARGETS;
use random::Random;

/// The number of mutations per target.
const MUTATIONS: usize = 3000;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // The order must not depend on the file system.
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Makes 1 to 4 changes: sets a byte, inserts a part of another seed, or removes or repeats a part.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
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
fn seeds_and_mutations_break_no_invariant() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() >= 5, "{name}: {} seeds", seeds.len());
        let mut random = Random::new(1);
        let mutated = (0..MUTATIONS).map(|_| mutated(&seeds, &mut random));
        for input in seeds.iter().cloned().chain(mutated) {
            panic::catch_unwind(|| target(&input)).unwrap_or_else(|_| {
                panic!("{name}: {:?}, which is {input:?}", String::from_utf8_lossy(&input))
            });
        }
    }
}
