//! What the process says about itself: the log on stderr or in a file, and the metrics.

pub mod metrics;

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::{MakeWriter, Subscriber};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogFormat};

/// Why nothing can be logged.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `LOG_FILTER` is not in tracing's filter language.
    #[error("cannot read the log filter")]
    Filter(#[source] ParseError),
    /// Something in this process logs already.
    #[error("cannot start the log")]
    Start(#[source] TryInitError),
}

/// Starts the log: lines of text where stderr is a terminal, else JSON, unless the settings say.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    start(log, io::stderr, io::stderr().is_terminal())
}

/// Starts the log in a file, for a command whose screen is its own.
pub fn init_in(file: File, log: &Log) -> Result<(), TelemetryError> {
    start(log, Arc::new(file), false)
}

fn start<W>(log: &Log, writer: W, is_terminal: bool) -> Result<(), TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&log.filter).map_err(TelemetryError::Filter)?;
    let default = if is_terminal {
        LogFormat::Text
    } else {
        LogFormat::Json
    };
    let builder = Subscriber::builder()
        .with_env_filter(filter)
        .with_writer(writer)
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
    use super::{TelemetryError, chain};
    use tracing_subscriber::EnvFilter;

    #[test]
    fn chain_shows_every_source() {
        let source = EnvFilter::try_new("info,==").unwrap_err();
        let expected = format!("cannot read the log filter: {source}");
        assert_eq!(chain(&TelemetryError::Filter(source)).to_string(), expected);
    }
}
