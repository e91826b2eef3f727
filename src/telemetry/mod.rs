//! The log, on stderr or in a file, and the metrics.

pub mod metrics;
mod writer;

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::panic;
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::Subscriber;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use self::writer::LossyWriter;
use crate::config::{Log, LogFormat};

/// How long the process waits at its end until the last lines are written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The log writer of the process. Empty until the log is started.
static LOG: OnceLock<LossyWriter> = OnceLock::new();

/// The reason why the log cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `LOG_FILTER` is not a valid filter of the crate `tracing`.
    #[error("cannot read the log filter")]
    Filter(#[source] ParseError),
    /// This process already has a log.
    #[error("cannot start the log")]
    Start(#[source] TryInitError),
    /// The thread that writes the log cannot be started.
    #[error("cannot start the thread that writes the log")]
    Thread(#[source] io::Error),
}

/// Starts the log on stderr. If the settings do not name a format, the log is text on a terminal and JSON elsewhere.
///
/// If the reader of stderr is slow or gone, log lines are lost, but nothing waits or panics.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    start(log, io::stderr(), io::stderr().is_terminal())?;
    log_panics();
    Ok(())
}

/// Starts the log in a file, for commands that write to the screen themselves. If the disk is full, log lines are lost.
pub fn init_in(file: File, log: &Log) -> Result<(), TelemetryError> {
    start(log, file, false)
}

/// At the end of the process, waits until the last log lines are written, but only a short time.
pub fn flush() {
    if let Some(log) = LOG.get() {
        log.flush(FLUSH_TIMEOUT);
    }
}

/// Prints a line on stderr for the person or program that started the process. The line is lost if nobody reads stderr.
pub fn print_line(line: &str) {
    if let Ok(mut stderr) = LossyWriter::start(io::stderr()) {
        stderr.write_all(format!("{line}\n").as_bytes()).ok();
        stderr.flush(FLUSH_TIMEOUT);
    }
}

/// Logs panics with a hook of our own, because the hook of the standard library would wait for the reader of stderr.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        tracing::error!(
            location = panic.location().map(tracing::field::display),
            // Only a literal message is logged; a formatted message may contain personal data.
            reason = panic.payload().downcast_ref::<&'static str>(),
            thread = std::thread::current().name(),
            "a thread panicked"
        );
    }));
}

fn start(
    log: &Log,
    target: impl Write + Send + 'static,
    is_terminal: bool,
) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&log.filter).map_err(TelemetryError::Filter)?;
    // Install the metrics recorder first, so that lost log lines are counted.
    metrics::prometheus();
    let writer = LossyWriter::start(target).map_err(TelemetryError::Thread)?;
    let writer = LOG.get_or_init(|| writer);
    let default = if is_terminal {
        LogFormat::Text
    } else {
        LogFormat::Json
    };
    let builder = Subscriber::builder()
        .with_env_filter(filter)
        .with_writer(|| writer.clone())
        // Without this, tracing would print its own errors, such as a failed write, to stderr.
        .log_internal_errors(false)
        .with_ansi(is_terminal);
    let started = match log.format.unwrap_or(default) {
        LogFormat::Text => builder.finish().try_init(),
        // Spans are never nested here, so the list of spans would only repeat the current span.
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .finish()
            .try_init(),
    };
    started.map_err(TelemetryError::Start)
}

/// Formats an error with all its sources, the outermost first, because tracing's JSON format omits the sources.
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl fmt::Display + 'a {
    fmt::from_fn(move |f| {
        write!(f, "{error}")?;
        let mut source = error.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    })
}

/// The wall clock, for timestamps that people read. Decisions about operations use `now()` of Postgres.
pub fn wall_clock() -> chrono::DateTime<chrono::Utc> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the only place that reads the wall clock"
    )]
    chrono::Utc::now()
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, panic, sync::Arc};

    use super::{TelemetryError, chain, log_panics};
    use tracing_subscriber::EnvFilter;

    #[test]
    fn a_panic_is_logged_without_formatted_data() {
        let (mut log, writer) = std::io::pipe().unwrap();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(Arc::new(writer))
            .finish();
        let name = "somebody";
        log_panics();
        let results = tracing::subscriber::with_default(subscriber, || {
            [
                panic::catch_unwind(|| panic!("as written")),
                panic::catch_unwind(|| panic!("about {name}")),
            ]
        });
        drop(panic::take_hook());
        assert!(results.iter().all(Result::is_err));
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        assert_eq!(
            text.matches(r#""message":"a thread panicked""#).count(),
            2,
            "{text}"
        );
        assert_eq!(text.matches("src/telemetry/mod.rs:").count(), 2, "{text}");
        assert!(
            text.contains("as written") && !text.contains(name),
            "{text}"
        );
    }

    #[test]
    fn chain_shows_every_source() {
        let source = EnvFilter::try_new("info,==").unwrap_err();
        let expected = format!("cannot read the log filter: {source}");
        assert_eq!(chain(&TelemetryError::Filter(source)).to_string(), expected);
    }
}
