//! The peak memory of a process.

use std::fs;
use std::process::Child;

/// Waits for `child` to exit. Returns its peak resident set in KiB, or 0 if it exited before the
/// first sample.
pub(crate) fn peak_rss(child: &mut Child) -> u64 {
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        // Missing once the process is exiting.
        if let Some(line) = line {
            peak = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    peak
}
