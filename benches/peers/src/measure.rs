//! Measures cases in interleaved rounds, and takes medians.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Measures the cost of a closure, in the unit of the meter.
pub type Meter = fn(&mut dyn FnMut()) -> u64;

/// One thing to measure, any number of times in a row.
pub struct Case {
    pub name: &'static str,
    run: Box<dyn FnMut(usize, Meter) -> u64>,
}

impl Case {
    pub fn new<T>(name: &'static str, mut operation: impl FnMut() -> T + 'static) -> Self {
        Self::with_inputs(name, || (), move |()| operation())
    }

    /// With a new input each time. Making the input is not measured.
    pub fn with_inputs<I, T>(
        name: &'static str,
        mut input: impl FnMut() -> I + 'static,
        mut operation: impl FnMut(I) -> T + 'static,
    ) -> Self {
        let run = move |times: usize, meter: Meter| {
            let mut inputs: Vec<I> = (0..times).map(|_| input()).collect();
            meter(&mut || {
                for input in inputs.drain(..) {
                    black_box(operation(black_box(input)));
                }
            })
        };
        Self { name, run: Box::new(run) }
    }

    pub fn run(&mut self, times: usize, meter: Meter) -> u64 {
        (self.run)(times, meter)
    }
}

/// CPU time of the thread, in nanoseconds: least affected by other processes.
pub fn thread_time(operation: &mut dyn FnMut()) -> u64 {
    let start = cpu_time(ClockId::ThreadCPUTime);
    operation();
    (cpu_time(ClockId::ThreadCPUTime) - start).as_nanos() as u64
}

/// CPU time of the process so far.
#[must_use]
pub fn process_time() -> Duration {
    cpu_time(ClockId::ProcessCPUTime)
}

fn cpu_time(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The largest resident set of the process so far, in MiB.
#[must_use]
pub fn peak_rss() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("every process has a VmHWM");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// Nanoseconds of every case in every round.
pub struct Rounds(Vec<(&'static str, Vec<f64>)>);

impl Rounds {
    /// Runs every case once per round, for about `sample` each.
    #[must_use]
    pub fn of(cases: &mut [Case], rounds: usize, sample: Duration) -> Self {
        let times: Vec<usize> = cases
            .iter_mut()
            .map(|case| {
                case.run(1, thread_time); // connections, caches, keys of the day
                let one = case.run(3, thread_time) / 3;
                (sample.as_nanos() as u64 / one.max(1)).clamp(1, 20_000) as usize
            })
            .collect();
        let mut nanos: Vec<_> =
            cases.iter().map(|case| (case.name, Vec::with_capacity(rounds))).collect();
        for _ in 0..rounds {
            for ((case, times), (_, nanos)) in cases.iter_mut().zip(&times).zip(&mut nanos) {
                nanos.push(case.run(*times, thread_time) as f64 / *times as f64);
            }
        }
        Self(nanos)
    }

    #[must_use]
    pub fn nanos(&self, name: &str) -> f64 {
        median(self.samples(name).to_vec())
    }

    /// The median of the ratios per round, so that a slow round affects both sides.
    #[must_use]
    pub fn ratio(&self, name: &str, to: &str) -> f64 {
        median(self.samples(name).iter().zip(self.samples(to)).map(|(a, b)| a / b).collect())
    }

    fn samples(&self, name: &str) -> &[f64] {
        let found = self.0.iter().find(|(case, _)| *case == name);
        &found.unwrap_or_else(|| panic!("no case is called {name}")).1
    }
}

#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}
