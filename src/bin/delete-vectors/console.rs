//! Messages on stderr, which must not break a progress bar.

use std::fmt::Display;
use std::io::{self, Write};

use indicatif::ProgressBar;

/// A destination of messages. Clones share it.
#[derive(Clone)]
pub(crate) struct Console {
    bar: ProgressBar,
}

impl Console {
    /// Lines, and below them a bar that is hidden until it is first drawn.
    pub(crate) fn new(bar: ProgressBar) -> Self {
        Self { bar }
    }

    pub(crate) fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    /// Prints a line. A failure is ignored: there is nowhere to report it.
    pub(crate) fn say(&self, line: impl Display) {
        self.bar.suspend(|| _ = writeln!(io::stderr(), "{line}"));
    }
}

/// An incomplete line before `flush` would corrupt the bar. Logs are written as whole lines.
impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints a line to stderr while there is no bar.
pub(crate) fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
