//! The output of the programs: ratios with their goals first.

/// The goal for a ratio.
#[derive(Clone, Copy)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
    None,
}

/// The columns of `throttled`.
pub const THROTTLED_HEAD: &str = "limit      client                       wide latency wall/ideal throttled   lost       wall attempts batches  goals";

pub fn goals_head() {
    println!("{:<72} {:>8}  goal", "ratio", "measured");
}

pub fn goal(text: &str, measured: f64, goal: Goal) {
    let verdict = match goal {
        Goal::AtMost(bound) => format!("<= {bound:<5} {}", said(measured <= bound)),
        Goal::AtLeast(bound) => format!(">= {bound:<5} {}", said(measured >= bound)),
        Goal::None => "-".to_owned(),
    };
    println!("{text:<72} {measured:>8.2}  {verdict}");
}

fn said(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// The argument after `name`.
#[must_use]
pub fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

/// `--test`: run everything once, in seconds.
#[must_use]
pub fn is_smoke() -> bool {
    std::env::args().any(|argument| argument == "--test")
}
