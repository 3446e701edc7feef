//! What a process holds in memory at most.

use std::fs;
use std::process::Child;

/// Waits until `child` ends, and gives the largest resident set that it had, in KiB; 0 where it was too fast to be seen.
pub(crate) fn peak_rss(child: &mut Child) -> u64 {
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        // It is gone from the moment on in which the program ends.
        if let Some(line) = line {
            peak = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        }
        std::thread::yield_now();
    }
    peak
}
