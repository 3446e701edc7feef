//! Draws the series of `throttled` and `official-sdk`: `target/release/chart OUT.svg SERIES.csv...`
//!
//! One panel per client, at the same scale: keys of accepted and throttled requests over time,
//! under the documented limit.

use std::fmt::Write as _;

use peers::clients::BATCH;
use peers::series::{BIN, Bin, Run, parse};
use peers::server::Limit;

/// The runs in the chart: those with the highest concurrency, where an unknown limit matters most.
const CONCURRENCY: usize = 32;
const LATENCY_MS: u64 = 0;

/// By name in the series. Skips those that are missing.
const PANELS: [(&str, &str); 4] = [
    ("ours (hyper)", "oss-delete-vectors"),
    ("aws-sdk-s3vectors (adaptive)", "aws-sdk-s3vectors, adaptive retries"),
    ("aws-sdk-s3vectors (standard)", "aws-sdk-s3vectors, standard retries"),
    ("official Python SDK", "official Python SDK, defaults"),
];

const LEFT: f64 = 56.0;
const WIDTH: f64 = 720.0;
const TOP: f64 = 76.0;
const HEIGHT: f64 = 104.0;
/// The distance between panels.
const STRIDE: f64 = 148.0;
/// Keys per second, of the limit.
const PER_SECOND: f64 = 2500.0;
/// Keys per second at the top of a panel. Higher bursts are cut off and labelled.
const HIGHEST: f64 = 10_000.0;

/// Without custom properties, which some renderers do not support.
const STYLE: &str = "
  text { font: 12px system-ui, sans-serif }
  .title { font-size: 15px; font-weight: 600 }
  .name { font-weight: 600 }
  .title, .name { fill: #1f2328 }
  .quiet { fill: #59636e }
  .paper { fill: #ffffff }
  .grid { stroke: #d1d9e0 }
  .limit { stroke: #1f2328; stroke-dasharray: 5 4 }
  .accepted { fill: #54aeff }
  .throttled { fill: #cf4a12 }
  @media (prefers-color-scheme: dark) {
    .title, .name { fill: #e6edf3 }
    .quiet { fill: #9198a1 }
    .paper { fill: #0d1117 }
    .grid { stroke: #30363d }
    .limit { stroke: #e6edf3 }
    .accepted { fill: #1f6feb }
    .throttled { fill: #ff8f57 }
  }
";

struct Panel {
    title: &'static str,
    batches: usize,
    bins: Vec<Bin>,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(out) = arguments.next() else {
        eprintln!("usage: chart OUT.svg SERIES.csv...");
        std::process::exit(2);
    };
    let rows: Vec<(Run, Bin)> = arguments
        .flat_map(|path| {
            let text =
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            text.lines().filter_map(parse).collect::<Vec<_>>()
        })
        .filter(|(run, _)| {
            run.limit == Limit::DOCUMENTED.name
                && run.concurrency == CONCURRENCY
                && run.latency_ms == LATENCY_MS
        })
        .collect();
    let panels: Vec<Panel> =
        PANELS.iter().filter_map(|(client, title)| panel(client, title, &rows)).collect();
    assert!(
        !panels.is_empty(),
        "no series has a run {CONCURRENCY} wide with {LATENCY_MS} ms of latency"
    );
    std::fs::write(&out, draw(&panels)).unwrap_or_else(|error| panic!("{out}: {error}"));
}

fn panel(client: &str, title: &'static str, rows: &[(Run, Bin)]) -> Option<Panel> {
    let rows = || rows.iter().filter(|(run, _)| run.client == client);
    let (Run { batches, .. }, _) = rows().next()?;
    Some(Panel { title, batches: *batches, bins: rows().map(|(_, bin)| *bin).collect() })
}

fn draw(panels: &[Panel]) -> String {
    let longest = panels
        .iter()
        .flat_map(|panel| &panel.bins)
        .map(|bin| bin.seconds + BIN)
        .fold(0.0, f64::max);
    let seconds = (longest / 10.0).ceil() * 10.0;
    let (width, height) = (LEFT + WIDTH + 24.0, TOP + STRIDE * panels.len() as f64 + 12.0);
    let batches = panels.iter().map(|panel| panel.batches).max().unwrap_or_default();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"Keys accepted and throttled over time, a panel for each client\">\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n"
    );
    let title = format!(
        "{} batches of {BATCH} keys, {CONCURRENCY} at a time, under the documented limit, unknown to the client",
        thousands(batches)
    );
    text(&mut svg, (16.0, 28.0), "title", "start", &title);
    legend(&mut svg);
    for (position, panel) in panels.iter().enumerate() {
        let top = TOP + STRIDE * position as f64 + 20.0;
        draw_panel(&mut svg, panel, top, seconds);
    }
    text(&mut svg, (LEFT + WIDTH, height - 8.0), "quiet", "end", "seconds");
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String) {
    let mut x = LEFT;
    for (class, label) in [("accepted", "accepted"), ("throttled", "throttled, on top")] {
        writeln!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"46\" width=\"14\" height=\"12\"/>")
            .unwrap();
        text(svg, (x + 20.0, 56.0), "quiet", "start", label);
        x += 40.0 + 7.0 * label.len() as f64;
    }
    writeln!(svg, "<path class=\"limit\" d=\"M{x} 52h24\"/>").unwrap();
    text(
        svg,
        (x + 30.0, 56.0),
        "quiet",
        "start",
        &format!("the limit, {} keys/s", thousands(PER_SECOND as usize)),
    );
    text(svg, (LEFT + WIDTH, 56.0), "quiet", "end", "vertical: keys/s");
}

fn draw_panel(svg: &mut String, panel: &Panel, top: f64, seconds: f64) {
    let x = |at: f64| LEFT + at / seconds * WIDTH;
    let y = |rate: f64| top + HEIGHT * (1.0 - rate.min(HIGHEST) / HIGHEST);
    let [accepted, refused] =
        [|bin: &Bin| bin.accepted_per_second, |bin: &Bin| bin.refused_per_second]
            .map(|rate| panel.bins.iter().map(rate).sum::<f64>() * BIN);
    let said = format!(
        "{} of {} batches deleted, {:.1} % of {} attempts throttled",
        thousands(accepted as usize),
        thousands(panel.batches),
        100.0 * refused / (accepted + refused),
        thousands((accepted + refused) as usize),
    );
    text(svg, (LEFT, top - 7.0), "name", "start", panel.title);
    text(svg, (LEFT + WIDTH, top - 7.0), "quiet", "end", &said);
    for rate in [0.0, 2500.0, 5000.0, 7500.0, 10_000.0] {
        writeln!(svg, "<path class=\"grid\" d=\"M{LEFT} {:.1}h{WIDTH}\"/>", y(rate)).unwrap();
        text(svg, (LEFT - 8.0, y(rate) + 4.0), "quiet", "end", &thousands(rate as usize));
    }
    for tick in 0..=(seconds / 10.0) as u32 {
        let at = f64::from(tick) * 10.0;
        text(svg, (x(at), top + HEIGHT + 16.0), "quiet", "middle", &at.to_string());
    }
    // One step per bin, down to the axis for empty bins.
    let mut areas = [String::new(), String::new()];
    for bin in &panel.bins {
        let levels = [0.0, BATCH as f64 * bin.accepted_per_second, sent(bin)];
        for (area, level) in
            areas.iter_mut().zip(levels.windows(2)).filter(|(_, level)| level[1] > level[0])
        {
            let (left, right, low, high) =
                (x(bin.seconds), x(bin.seconds + BIN), y(level[0]), y(level[1]));
            write!(area, "M{left:.1} {low:.1}V{high:.1}H{right:.1}V{low:.1}Z").unwrap();
        }
    }
    for (class, area) in ["accepted", "throttled"].into_iter().zip(areas) {
        writeln!(svg, "<path class=\"{class}\" d=\"{area}\"/>").unwrap();
    }
    writeln!(svg, "<path class=\"limit\" d=\"M{LEFT} {:.1}h{WIDTH}\"/>", y(PER_SECOND)).unwrap();
    if let Some(last) = panel.bins.iter().rfind(|bin| sent(bin) > HIGHEST) {
        let peak = panel.bins.iter().map(sent).fold(0.0, f64::max);
        let label = format!("\u{2191} up to {}/s", thousands(peak as usize));
        text(svg, (x(last.seconds + BIN) + 4.0, top + 11.0), "quiet", "start", &label);
    }
}

/// Keys per second.
fn sent(bin: &Bin) -> f64 {
    BATCH as f64 * (bin.accepted_per_second + bin.refused_per_second)
}

fn text(svg: &mut String, (x, y): (f64, f64), class: &str, anchor: &str, text: &str) {
    writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
    )
    .unwrap();
}

/// `2000` as `2,000`.
fn thousands(number: usize) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", thousands(number / 1000), number % 1000),
    }
}
