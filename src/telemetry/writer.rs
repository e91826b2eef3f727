//! Lines that nobody waits for: a thread of their own writes them, and only that stands still with its reader.
//!
//! Not `tracing-appender`: its guard prints to stderr when the last lines cannot be written, which waits for, or
//! panics on, the very stderr that is the matter; and lines whose write fails are not in its count.

use std::{
    io::{self, Write},
    sync::mpsc::{self, Receiver, Sender, SyncSender},
    thread,
    time::Duration,
};

use super::metrics::LOG_LINES_LOST;

/// The most lines that wait for the thread: a few megabytes. What comes then is lost.
const MOST_WAITING: usize = 4_096;

enum Message {
    Line(Vec<u8>),
    /// All that came before has been handed over.
    Flush(Sender<()>),
}

/// A writer that neither waits nor fails: what cannot be written is lost, and counted. Each write is a whole line.
#[derive(Clone)]
pub(super) struct LossyWriter(SyncSender<Message>);

impl LossyWriter {
    /// Starts the thread that writes to `target`.
    pub(super) fn start(target: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, messages) = mpsc::sync_channel(MOST_WAITING);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(&messages, target))?;
        Ok(Self(queue))
    }

    /// Waits until what was written so far has been handed over, but no longer than this; whether it has been.
    pub(super) fn flush(&self, at_most: Duration) -> bool {
        let (done, is_done) = mpsc::channel();
        let queue = self.0.clone();
        // The queue may be full for as long as its reader stalls: another thread waits for room.
        let asking = thread::Builder::new().spawn(move || queue.send(Message::Flush(done)));
        asking.is_ok() && is_done.recv_timeout(at_most).is_ok()
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

    /// Writes a line for each that is asked for, and waits until then.
    struct Stalling {
        asked_for: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Stalling {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.asked_for.recv().map_err(io::Error::other)?;
            self.written.send(line.to_vec()).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_flush_waits_for_what_was_written_and_not_for_ever() {
        let (asking, asked_for) = mpsc::channel();
        let (written, lines) = mpsc::channel();
        let mut writer = LossyWriter::start(Stalling { asked_for, written }).unwrap();
        let room = MOST_WAITING + 1;
        for _ in 0..2 * room {
            writer.write_all(b"a line").unwrap();
        }
        assert!(!writer.flush(Duration::from_millis(10)));
        for _ in 0..room {
            asking.send(()).unwrap();
        }
        assert!(writer.flush(Duration::from_secs(20)));
        let lines: Vec<_> = lines.try_iter().collect();
        assert!(
            (MOST_WAITING..=room).contains(&lines.len()),
            "{}",
            lines.len()
        );
        assert_eq!(lines.first().map(Vec::as_slice), Some(&b"a line"[..]));
    }
}
