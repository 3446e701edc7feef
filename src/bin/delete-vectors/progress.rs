//! The progress of a run: a bar on a terminal, a line every 10 seconds elsewhere.

use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use oss_delete_vectors::bulk::{BulkDelete, Report};

use crate::args::When;
use crate::console::Console;
use crate::keys::Reading;
use crate::source::Source;
use crate::text::{clock, count, grouped};

/// How often the bar is drawn, and how often a line is written.
const BAR_INTERVAL: Duration = Duration::from_millis(200);
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// The time over which rates are averaged.
const WINDOW: Duration = Duration::from_secs(10);

const BAR: &str = "[{bar:24}] {percent:>3}%  {wide_msg}";
const SPINNER: &str = "{spinner} {wide_msg}";

/// The length of the bar for the whole input.
const FULL: u64 = 10_000;

pub(crate) struct Progress {
    look: Look,
    console: Console,
    /// The bytes of all inputs, and the bytes read.
    size: Option<u64>,
    bytes_read: Arc<AtomicU64>,
    reading: Arc<Reading>,
    begun: Instant,
    shown_at: Instant,
    samples: VecDeque<Sample>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Bar,
    Lines,
    None,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    keys: u64,
    bytes: u64,
}

impl Progress {
    /// Shows a run over `source`. `reading` counts its keys.
    pub(crate) fn new(when: When, source: &Source, reading: Arc<Reading>) -> Self {
        let size = source.size();
        let look = match when {
            When::Auto | When::Always if io::stderr().is_terminal() => Look::Bar,
            When::Always => Look::Lines,
            When::Auto | When::Never => Look::None,
        };
        let bar = if look == Look::Bar {
            let template = if size.is_some() { BAR } else { SPINNER };
            let style = ProgressStyle::with_template(template)
                .expect("a template that is tested")
                .progress_chars("=> ");
            ProgressBar::with_draw_target(size.map(|_| FULL), ProgressDrawTarget::stderr())
                .with_style(style)
        } else {
            ProgressBar::hidden()
        };
        let now = Instant::now();
        let bytes_read = source.bytes_read();
        let samples = VecDeque::new();
        Self {
            look,
            console: Console::new(bar),
            size,
            bytes_read,
            reading,
            begun: now,
            shown_at: now,
            samples,
        }
    }

    pub(crate) fn console(&self) -> Console {
        self.console.clone()
    }

    /// The interval of `Observer::progress`, for the progress and the checkpoint.
    pub(crate) fn interval(&self) -> Duration {
        if self.look == Look::Bar { BAR_INTERVAL } else { Duration::from_secs(1) }
    }

    pub(crate) fn show(&mut self, bulk: &BulkDelete) {
        if self.look == Look::None {
            return;
        }
        let now = Instant::now();
        let report = bulk.report();
        let bytes = self.bytes_settled(bulk);
        self.samples.push_back(Sample { at: now, keys: settled(&report), bytes });
        while self.samples.len() > 2 && now - self.samples[1].at >= WINDOW {
            self.samples.pop_front();
        }
        let text = describe(&report, self.rate(now), self.time_left(now));
        if self.look == Look::Bar {
            let bar = self.console.bar();
            if let Some(size) = self.size {
                bar.set_position((bytes as f64 / size.max(1) as f64 * FULL as f64) as u64);
            }
            bar.set_message(text);
        } else if now - self.shown_at >= LINE_INTERVAL {
            self.shown_at = now;
            self.console.say(format_args!("{} {text}", clock(now - self.begun)));
        }
    }

    pub(crate) fn end(&self) {
        self.console.bar().finish_and_clear();
    }

    /// Estimates the bytes of settled keys. It is less than the bytes read, because keys are read
    /// ahead.
    fn bytes_settled(&self, bulk: &BulkDelete) -> u64 {
        let share = bulk.settled().len() as f64 / self.reading.keys().max(1) as f64;
        (self.bytes_read.load(Ordering::Relaxed) as f64 * share.min(1.0)) as u64
    }

    /// The recent rate in keys per second.
    fn rate(&self, now: Instant) -> f64 {
        let (first, last) = (self.samples[0], self.samples[self.samples.len() - 1]);
        let time = (now - first.at).as_secs_f64();
        if time > 0.0 { (last.keys - first.keys) as f64 / time } else { 0.0 }
    }

    fn time_left(&self, now: Instant) -> Option<Duration> {
        let (first, last) = (self.samples[0], self.samples[self.samples.len() - 1]);
        time_left(self.size?, first.bytes, last.bytes, now - first.at)
    }
}

/// The time left for `size` bytes at the recent rate. `None` if no key was settled recently. The
/// estimate of settled bytes can even decrease while keys are read ahead.
fn time_left(size: u64, before: u64, after: u64, time: Duration) -> Option<Duration> {
    let settled = after.checked_sub(before)?;
    let seconds = size.saturating_sub(after) as f64 / settled as f64 * time.as_secs_f64();
    Duration::try_from_secs_f64(seconds).ok()
}

/// The number of keys with an outcome.
fn settled(report: &Report) -> u64 {
    report.pushed - report.pending()
}

fn describe(report: &Report, rate: f64, time_left: Option<Duration>) -> String {
    let keys = count(settled(report), "key");
    let mut text = format!("{keys}, {}/s", grouped(rate.round() as u64));
    if let Some(time_left) = time_left {
        text += &format!(", ETA {}", clock(time_left));
    }
    let failed = report.rejected + report.unconfirmed;
    for (number, what) in
        [(report.throttled, "throttled"), (report.retries, "retried"), (failed, "failed")]
    {
        if number > 0 {
            text += &format!(", {} {what}", grouped(number));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_show_keys_rate_time_and_problems() {
        let mut report = Report::default();
        (report.pushed, report.deleted, report.throttled, report.retries) = (5000, 4000, 12, 3);
        let minutes = Some(Duration::from_secs(600));
        assert_eq!(
            describe(&report, 1234.4, minutes),
            "4,000 keys, 1,234/s, ETA 10:00, 12 throttled, 3 retried"
        );
        (report.pushed, report.deleted) = (1, 1);
        assert!(describe(&report, 1.0, None).starts_with("1 key, 1/s"));
        (report.pushed, report.deleted) = (5000, 4000);
        (report.rejected, report.throttled, report.retries) = (7, 0, 0);
        assert_eq!(describe(&report, 0.0, None), "4,007 keys, 0/s, 7 failed");
    }

    #[test]
    fn time_left_is_proportional_to_bytes() {
        let seconds = Duration::from_secs;
        assert_eq!(time_left(1000, 100, 200, seconds(2)), Some(seconds(16)));
        assert_eq!(time_left(1000, 900, 1100, seconds(2)), Some(seconds(0)));
        for before in [200, 300] {
            assert_eq!(
                time_left(1000, before, 200, seconds(2)),
                None,
                "nothing was settled since {before}"
            );
        }
    }

    #[test]
    fn templates_are_valid() {
        for template in [BAR, SPINNER] {
            ProgressStyle::with_template(template).unwrap();
        }
    }
}
