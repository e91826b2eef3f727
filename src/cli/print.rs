//! Prints on the standard output.

use std::io::{self, Write as _};

use chrono::{DateTime, Utc};

/// A time to the minute, for people.
pub(super) fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%MZ").to_string()
}

/// Prints until the reader closes the pipe, as `head` does. That is no error.
#[derive(Debug, Default)]
pub(super) struct Printer {
    is_closed: bool,
}

impl Printer {
    /// Prints a text and a line break.
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        let printed = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
        match printed {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            printed => printed,
        }
    }

    /// Whether the reader has closed the pipe, so that nobody reads what is printed.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }
}
