//! Counts the events of all runs.

use std::collections::BTreeMap;
use std::fmt;

use oss_delete_vectors::emulator::Fault;

#[derive(Default)]
pub(crate) struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    pub(crate) fn add(&mut self, name: &'static str, count: u64) {
        *self.0.entry(name).or_default() += count;
    }

    pub(crate) fn most(&mut self, name: &'static str, count: u64) {
        let most = self.0.entry(name).or_default();
        *most = count.max(*most);
    }

    /// Asserts that every kind of event occurred.
    pub(crate) fn assert_complete(&self) {
        let faults =
            Fault::ALL.iter().copied().filter(|&fault| fault != Fault::Outage).map(Fault::as_str);
        let script = [
            "limits moved",
            "outages",
            "clocks set",
            "kills",
            "stops",
            "credentials",
            "missing credentials",
            "days",
        ];
        for name in faults.chain(script) {
            assert!(self.0.get(name).is_some_and(|&count| count > 0), "never seen: {name}");
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, count)| write!(f, "\n  {count:>12} {name}"))
    }
}
