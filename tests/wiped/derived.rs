//! Derives keys from a secret in another process, because the tests search this one for them.

use std::env;
use std::process::Command;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sha2::block_api::compress256;

use crate::memory::Needle;

const TEST: &str = "derived::worked_out";
/// Passes the secret and the scope to the other process.
const VARIABLE: &str = "DERIVED_FROM";

/// The key of each part of `scope`, and the two halves of the final HMAC state.
pub(crate) fn derived(secret: &Needle, scope: &str) -> Vec<Needle> {
    let mut process = Command::new(env::current_exe().unwrap());
    process
        .args(["--ignored", "--exact", "--nocapture", TEST])
        .env(VARIABLE, format!("{} {scope}", secret.to_hex()));
    let output = process.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let needles: Vec<Needle> = stdout
        .lines()
        .filter_map(|line| line.strip_prefix("needle "))
        .map(Needle::from_hex)
        .collect();
    assert_eq!(needles.len(), 6, "{stdout}");
    needles
}

#[test]
#[ignore = "run by the other tests"]
fn worked_out() {
    let input =
        env::var(VARIABLE).unwrap_or_else(|_| format!("{} a/b/c/d", Needle::random(30).to_hex()));
    let (secret, scope) = input.split_once(' ').unwrap();
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
        let mut state = [
            0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
            0x5be0cd19,
        ];
        compress256(&mut state, &[block]);
        println!("needle {}", Needle::of(&state.map(u32::to_ne_bytes).concat()).to_hex());
    }
}
