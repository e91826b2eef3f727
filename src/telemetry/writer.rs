//! Writes log lines on a separate thread, so that only this thread waits for a slow reader.
//!
//! `tracing-appender` is not used: its guard prints to stderr if it cannot write the last lines. If the reader of
//! stderr is slow or gone, the guard then waits or panics. `tracing-appender` also does not count lines that it
//! failed to write.

use std::{
    io::{self, Write},
    sync::mpsc::{self, Receiver, Sender, SyncSender},
    thread,
    time::Duration,
};

use super::metrics::LOG_LINES_LOST;

/// The longest queue of log lines, a few megabytes. While the queue is full, new lines are lost.
const MAX_QUEUED_LINES: usize = 4_096;

enum Message {
    Line(Vec<u8>),
    /// Confirms that all earlier lines have been written.
    Flush(Sender<()>),
}

/// A writer that neither waits nor fails: it counts and drops lines that cannot be written. Each write is a complete
/// line.
#[derive(Clone)]
pub(super) struct LossyWriter(SyncSender<Message>);

impl LossyWriter {
    /// Starts the thread that writes to `target`.
    pub(super) fn start(target: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, messages) = mpsc::sync_channel(MAX_QUEUED_LINES);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(&messages, target))?;
        Ok(Self(queue))
    }

    /// Waits until all lines so far have been written, but at most for the given time. Returns whether all of them have
    /// been written.
    pub(super) fn flush(&self, at_most: Duration) -> bool {
        let (done, is_done) = mpsc::channel();
        let queue = self.0.clone();
        // The queue may stay full while the reader of the log stalls, so another thread waits for room in the queue.
        let request = thread::Builder::new().spawn(move || queue.send(Message::Flush(done)));
        request.is_ok() && is_done.recv_timeout(at_most).is_ok()
    }
}

impl Write for LossyWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.try_send(Message::Line(line.to_vec())).is_err() {
            count_lost();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_lines(messages: &Receiver<Message>, mut target: impl Write) {
    for message in messages {
        match message {
            Message::Line(line) => {
                if target.write_all(&line).is_err() {
                    count_lost();
                }
            }
            Message::Flush(done) => {
                done.send(()).ok();
            }
        }
    }
}

fn count_lost() {
    metrics::counter!(LOG_LINES_LOST).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer that waits for a permission before it writes each line.
    struct GatedWriter {
        permits: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for GatedWriter {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.permits.recv().map_err(io::Error::other)?;
            self.written.send(line.to_vec()).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_flush_waits_for_written_lines_but_not_for_ever() {
        let (permit, permits) = mpsc::channel();
        let (written, lines) = mpsc::channel();
        let mut writer = LossyWriter::start(GatedWriter { permits, written }).unwrap();
        let room = MAX_QUEUED_LINES + 1;
        for _ in 0..2 * room {
            writer.write_all(b"a line").unwrap();
        }
        assert!(!writer.flush(Duration::from_millis(10)));
        for _ in 0..room {
            permit.send(()).unwrap();
        }
        assert!(writer.flush(Duration::from_secs(20)));
        let lines: Vec<_> = lines.try_iter().collect();
        assert!(
            (MAX_QUEUED_LINES..=room).contains(&lines.len()),
            "{}",
            lines.len()
        );
        assert_eq!(lines.first().map(Vec::as_slice), Some(&b"a line"[..]));
    }
}
