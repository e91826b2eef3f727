//! The destination of a gateway's log. It may be a pipe whose reader stops reading or closes the pipe.

use std::{fs, time::Duration};

use tokio::{fs::File, io::AsyncReadExt as _, process::ChildStderr, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A pipe with this many bytes counts as full. A pipe has 64 KiB in pages, but lines do not fill the pages completely.
const FULL: usize = 48 * 1024;
/// If nothing can be read from a pipe for this time, the pipe is empty.
const EMPTY: Duration = Duration::from_millis(100);

/// The destination of a gateway's log.
#[derive(Debug, Default)]
pub(crate) enum Stderr {
    /// A file.
    #[default]
    ToFile,
    /// A pipe that a task copies into a file.
    Read {
        /// Stops the reader.
        stop: CancellationToken,
        /// The reader, which returns the pipe.
        reader: JoinHandle<ChildStderr>,
    },
    /// A pipe that nobody reads.
    Stalled(ChildStderr),
    /// A pipe that is closed at the reader's end.
    Closed,
}

impl Stderr {
    /// Copies a pipe into a file.
    pub(super) fn through_pipe(mut stderr: ChildStderr, log: fs::File) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let reader = TaskTracker::new().spawn(async move {
            let mut log = File::from_std(log);
            let copying = tokio::io::copy(&mut stderr, &mut log);
            drop(stopped.run_until_cancelled(copying).await);
            stderr
        });
        Self::Read { stop, reader }
    }

    /// Stops reading the pipe. Returns whether the pipe was being read until now.
    pub(crate) async fn stall(&mut self) -> bool {
        let Some(stderr) = self.take().await else {
            return false;
        };
        *self = Self::Stalled(stderr);
        true
    }

    /// Closes the pipe. Returns whether the pipe was being read until now.
    pub(crate) async fn close(&mut self) -> bool {
        self.take().await.is_some()
    }

    /// Whether the log is written to a pipe, even if the pipe is closed by now.
    pub(crate) fn is_piped(&self) -> bool {
        !matches!(self, Self::ToFile)
    }

    async fn take(&mut self) -> Option<ChildStderr> {
        let Self::Read { stop, reader } = self else {
            return None;
        };
        stop.cancel();
        let stderr = reader.await.ok();
        *self = Self::Closed;
        stderr
    }

    /// Whether the pipe is full. The check reads the pipe and thereby empties it.
    pub(crate) async fn is_full(&mut self) -> bool {
        let Self::Stalled(stderr) = self else {
            return false;
        };
        let mut found = 0;
        let mut piece = vec![0; FULL];
        while found < FULL {
            match tokio::time::timeout(EMPTY, stderr.read(&mut piece)).await {
                Ok(Ok(count @ 1..)) => found += count,
                Ok(Ok(0) | Err(_)) | Err(_) => break,
            }
        }
        found >= FULL
    }
}
