//! What the process says about itself: the log on stderr or in a file, and the metrics.

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

/// How long the end of the process waits for whoever reads the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The process's log, once it is started.
static LOG: OnceLock<LossyWriter> = OnceLock::new();

/// Why nothing can be logged.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `LOG_FILTER` is not in tracing's filter language.
    #[error("cannot read the log filter")]
    Filter(#[source] ParseError),
    /// Something in this process logs already.
    #[error("cannot start the log")]
    Start(#[source] TryInitError),
    /// There is no thread for it.
    #[error("cannot start the thread that writes the log")]
    Thread(#[source] io::Error),
}

/// Starts the log: lines of text where stderr is a terminal, else JSON, unless the settings say.
///
/// Nobody waits for whoever reads stderr, nor does anybody panic when that one is gone: the lines are lost then.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    start(log, io::stderr(), io::stderr().is_terminal())?;
    log_panics();
    Ok(())
}

/// Starts the log in a file, for a command whose screen is its own. When the disk is full, lines are lost.
pub fn init_in(file: File, log: &Log) -> Result<(), TelemetryError> {
    start(log, file, false)
}

/// Has the last lines written, at the end of the process; a reader that stalls does not hold that up for long.
pub fn flush() {
    if let Some(log) = LOG.get() {
        log.flush(LAST_LINES);
    }
}

/// Says a line on stderr for whoever started the process. It is lost when nobody reads there.
pub fn say(line: &str) {
    if let Ok(mut stderr) = LossyWriter::start(io::stderr()) {
        stderr.write_all(format!("{line}\n").as_bytes()).ok();
        stderr.flush(LAST_LINES);
    }
}

/// Tells of panics in the log: the standard library's hook would wait for whoever reads stderr.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        tracing::error!(
            location = panic.location().map(tracing::field::display),
            // One that was put together may hold somebody's data.
            reason = panic.payload().downcast_ref::<&'static str>(),
            thread = std::thread::current().name(),
            "a panic"
        );
    }));
}

fn start(
    log: &Log,
    target: impl Write + Send + 'static,
    is_terminal: bool,
) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&log.filter).map_err(TelemetryError::Filter)?;
    // From here on lost lines are counted.
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
        // It would print them to stderr.
        .log_internal_errors(false)
        .with_ansi(is_terminal);
    let started = match log.format.unwrap_or(default) {
        LogFormat::Text => builder.finish().try_init(),
        // No span stands in another one: a list of them would be written, and read, twice.
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .finish()
            .try_init(),
    };
    started.map_err(TelemetryError::Start)
}

/// Shows an error with its sources, from the outside in: tracing's JSON drops them.
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

/// The wall clock, to stamp what people read; Postgres' `now()` decides about operations.
pub fn wall_clock() -> chrono::DateTime<chrono::Utc> {
    #[expect(clippy::disallowed_methods, reason = "the one helper that may")]
    chrono::Utc::now()
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, panic, sync::Arc};

    use super::{TelemetryError, chain, log_panics};
    use tracing_subscriber::EnvFilter;

    #[test]
    fn a_panic_is_told_in_the_log_without_what_was_put_together() {
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
        assert_eq!(text.matches(r#""message":"a panic""#).count(), 2, "{text}");
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
