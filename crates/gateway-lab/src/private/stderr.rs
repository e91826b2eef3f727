//! Where a gateway's log goes: perhaps through a pipe, whose reader stalls or goes away.

use std::{fs, time::Duration};

use tokio::{fs::File, io::AsyncReadExt as _, process::ChildStderr, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A pipe holds 64 KiB, in pages that lines leave a little short.
const FULL: usize = 48 * 1024;
/// A pipe out of which nothing comes for so long is empty.
const EMPTY: Duration = Duration::from_millis(100);

/// Where a gateway's log goes.
#[derive(Debug, Default)]
pub(crate) enum Stderr {
    /// Into a file.
    #[default]
    ToFile,
    /// Through a pipe, which somebody copies into a file.
    Read {
        /// Has the reader stop.
        stop: CancellationToken,
        /// The reader, who gives the pipe back.
        reader: JoinHandle<ChildStderr>,
    },
    /// Through a pipe that nobody reads.
    Stalled(ChildStderr),
    /// Into a pipe whose reader is gone.
    Closed,
}

impl Stderr {
    /// Through a pipe, into a file.
    pub(super) fn through_pipe(mut stderr: ChildStderr, log: fs::File) -> Self {
        let stop = CancellationToken::new();
        let told = stop.clone();
        let reader = TaskTracker::new().spawn(async move {
            let mut log = File::from_std(log);
            let copying = tokio::io::copy(&mut stderr, &mut log);
            drop(told.run_until_cancelled(copying).await);
            stderr
        });
        Self::Read { stop, reader }
    }

    /// The reader stalls; whether there was one.
    pub(crate) async fn stall(&mut self) -> bool {
        let Some(stderr) = self.take().await else {
            return false;
        };
        *self = Self::Stalled(stderr);
        true
    }

    /// The reader goes away; whether there was one.
    pub(crate) async fn close(&mut self) -> bool {
        self.take().await.is_some()
    }

    /// Whether it goes, or went, through a pipe.
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

    /// Whether the pipe is full, which it is no longer when this has been found out.
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
