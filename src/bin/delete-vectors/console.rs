//! Messages on stderr, which must not break a progress bar.

use std::fmt::Display;
use std::io::{self, Write};

use indicatif::ProgressBar;

/// Where such lines go. Clones write to the same place.
#[derive(Clone)]
pub(crate) struct Console {
    bar: ProgressBar,
}

impl Console {
    /// Lines and, hidden until it is drawn for the first time, a bar below them.
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

/// A line that is not complete before `flush` tears the bar; logs come as whole lines.
impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line for stderr, where there is no bar.
pub(crate) fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
