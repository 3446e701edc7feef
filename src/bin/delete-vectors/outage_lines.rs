//! Reports an outage when it begins, every minute while it lasts, and when it ends, with or without
//! a terminal.

use std::time::{Duration, Instant};

use oss_delete_vectors::bulk::Event;

use crate::console::Console;
use crate::text::clock;

const INTERVAL: Duration = Duration::from_secs(60);

pub(crate) struct OutageLines {
    console: Console,
    outage: Option<Outage>,
}

struct Outage {
    began: Instant,
    error: String,
    told_at: Instant,
}

impl OutageLines {
    pub(crate) fn new(console: Console) -> Self {
        Self { console, outage: None }
    }

    pub(crate) fn take(&mut self, event: &Event) {
        match event {
            Event::OutageBegan { error, lasted, .. } => {
                let now = Instant::now();
                let began = now.checked_sub(*lasted).unwrap_or(now);
                let outage = Outage { began, error: error.to_string(), told_at: now };
                self.console.say(outage.line(now));
                self.outage = Some(outage);
            }
            Event::OutageEnded { lasted, .. } => {
                self.outage = None;
                self.console.say(format_args!("deleting again after {}", clock(*lasted)));
            }
            // The summary reports the error.
            Event::Stopped(_) => self.outage = None,
            _ => {}
        }
    }

    /// To be called about once per second.
    pub(crate) fn show(&mut self) {
        let now = Instant::now();
        if let Some(outage) = self.outage.as_mut().filter(|outage| now - outage.told_at >= INTERVAL)
        {
            outage.told_at = now;
            self.console.say(outage.line(now));
        }
    }
}

impl Outage {
    fn line(&self, now: Instant) -> String {
        let lasted = now - self.began;
        if lasted < Duration::from_secs(1) {
            return format!("every request fails, still trying: {}", self.error);
        }
        format!("nothing deleted for {}, still trying: {}", clock(lasted), self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_report_duration_and_error() {
        let began = Instant::now();
        let outage = Outage {
            began,
            error: "connection refused (127.0.0.1:9000)".to_owned(),
            told_at: began,
        };
        let line = outage.line(began + Duration::from_millis(999));
        assert!(line.starts_with("every request fails, still trying: "), "{line}");
        let line = outage.line(began + Duration::from_secs(30));
        assert_eq!(
            line,
            "nothing deleted for 0:30, still trying: connection refused (127.0.0.1:9000)"
        );
    }
}
