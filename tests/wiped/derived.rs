//! The keys that a secret is narrowed to, worked out in a process of its own, for this one is searched for them.

use std::env;
use std::process::Command;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sha2::block_api::compress256;

use crate::memory::Needle;

const TEST: &str = "derived::worked_out";
/// Says of what, to the other process.
const VARIABLE: &str = "DERIVED_FROM";

/// Of each step to `scope`, and the two halves of HMAC's state at the end.
pub(crate) fn derived(secret: &Needle, scope: &str) -> Vec<Needle> {
    let mut process = Command::new(env::current_exe().unwrap());
    process.args(["--ignored", "--exact", "--nocapture", TEST]).env(VARIABLE, format!("{} {scope}", secret.to_hex()));
    let output = process.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let needles: Vec<Needle> = told.lines().filter_map(|line| line.strip_prefix("needle ")).map(Needle::from_hex).collect();
    assert_eq!(needles.len(), 6, "{told}");
    needles
}

#[test]
#[ignore = "run by the others"]
fn worked_out() {
    let told = env::var(VARIABLE).unwrap_or_else(|_| format!("{} a/b/c/d", Needle::random(30).to_hex()));
    let (secret, scope) = told.split_once(' ').unwrap();
    let mut key = format!("aliyun_v4{}", Needle::from_hex(secret).text()).into_bytes();
    println!();
    for step in scope.split('/') {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(step.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
        println!("needle {}", Needle::of(&key).to_hex());
    }
    for pad in [0x36, 0x5c] {
        let mut block = [pad; 64];
        block.iter_mut().zip(&key).for_each(|(byte, key)| *byte ^= key);
        let mut state = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
        compress256(&mut state, &[block]);
        println!("needle {}", Needle::of(&state.map(u32::to_ne_bytes).concat()).to_hex());
    }
}
