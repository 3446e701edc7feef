//! Runs the rows, and prints them beside their goals.

use std::cell::Cell;

use oss_delete_vectors::bulk::Rate;

use super::world::{Outcome, World};

pub(crate) const SEEDS: u64 = 5;
pub(crate) const SEEDS_SHARED: u64 = 31;

pub(crate) struct Bench {
    pub(crate) is_smoke: bool,
    pub(crate) word: Option<String>,
    pub(crate) is_section_wanted: Cell<bool>,
}

/// Wall over ideal time at most, and throttled requests at most: a part of the batches, and so many
/// more.
type Goal = (f64, (f64, f64));

impl Bench {
    pub(crate) fn section(&self, title: &str) {
        self.is_section_wanted.set(
            self.is_smoke || self.word.as_ref().is_none_or(|word| title.contains(word.as_str())),
        );
        println!("\n{title}");
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.is_section_wanted.get()
            || self.word.as_ref().is_none_or(|word| name.contains(word.as_str()))
    }

    /// Runs a row and prints it.
    pub(crate) fn row(
        &self,
        name: &str,
        world: &World,
        (goal, (part, more)): Goal,
    ) -> Vec<Outcome> {
        if !self.wants(name) {
            return Vec::new();
        }
        let outcomes = self.outcomes(world);
        let [(wall, worst), (throttled, most)] = medians(&outcomes, world.ideal());
        let allowed = part * world.batches.len() as f64 + more;
        let mark = |is_missed: bool| if is_missed { "MISSED" } else { "" };
        println!(
            "{name:>60} | {wall:>6.3} ({worst:.3}) goal {goal:.2} {:6} | {throttled:>5} ({most}), {:.1} %, allowed {allowed:.0} {}",
            mark(wall > goal),
            100.0 * throttled / world.batches.len() as f64,
            mark(throttled > allowed),
        );
        if wall > goal && !self.is_smoke {
            self.print_highest_fixed_rate(world, allowed);
        }
        outcomes
    }

    /// What a client reaches that knows the limit, if batches are equal: the highest fixed rate at
    /// which no more requests are throttled than allowed, in steps of 1 %.
    fn print_highest_fixed_rate(&self, world: &World, allowed: f64) {
        let are_equal = world.batches.windows(2).all(|pair| pair[0] == pair[1]);
        if world.clients > 1 || !are_equal {
            return;
        }
        let ideal = world.ideal();
        let highest = world.batches.len() as f64 / ideal;
        let best = (0..50).map(|step| highest * (1.0 - 0.01 * f64::from(step))).find_map(|rate| {
            let world = World { rate: Rate::Fixed(rate), ..world.clone() };
            let [(wall, _), (throttled, _)] = medians(&self.outcomes(&world), ideal);
            (throttled <= allowed).then_some((wall, rate, throttled))
        });
        if let Some((wall, rate, throttled)) = best {
            let name = "the highest fixed rate that is allowed";
            println!("{name:>60} | {wall:>6.3} at {rate:.3}/s | {throttled:>5}");
        }
    }

    pub(crate) fn outcomes(&self, world: &World) -> Vec<Outcome> {
        // What becomes of clients that share a limit depends on chance.
        let seeds = if world.clients > 1 { SEEDS_SHARED } else { SEEDS };
        (0..if self.is_smoke { 1 } else { seeds }).map(|seed| world.run(seed)).collect()
    }
}

/// Median and worst of wall over ideal time, and of throttled requests.
fn medians(outcomes: &[Outcome], ideal: f64) -> [(f64, f64); 2] {
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        (values[values.len() / 2], values[values.len() - 1])
    };
    [
        median(outcomes.iter().map(|outcome| outcome.wall() / ideal).collect()),
        median(outcomes.iter().map(|outcome| outcome.throttled as f64).collect()),
    ]
}

/// Prints times and their goal, 10 s.
pub(crate) fn print_times(name: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "{name:>60} | {median:>5.1} ({worst:.1}) {}",
        if median > 10.0 { "MISSED" } else { "" }
    );
}
