//! Traces: what happened to an operation, in all programs that took part in it, as spans that a collector puts together.
//!
//! Which trace a span belongs to follows from what the database stores anyway, so no process has to tell another one
//! (`docs/adr/0044-traces-follow-from-ids.md`). A caller's `traceparent` names its trace. An operation without one has a
//! trace of its own, whose id is the operation's id.
//!
//! Traces are off unless the settings name a collector (`config::Traces`). Then a caller's `traceparent` is only passed
//! on, and a span costs one comparison.

mod recorder;
mod span;

use std::{thread, time::Duration};

pub use opentelemetry::trace::SpanKind;

use self::recorder::Recorder;
pub use self::{
    recorder::TracesError,
    span::{Span, Trace, within},
};
use crate::config;

/// How long the process waits at its end until the last spans are sent.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Starts to record spans of this process. This sends nothing, so the collector may be unavailable.
pub fn start(settings: &config::Traces) -> Result<(), TracesError> {
    let settings = settings.clone();
    // The client blocks its thread, and such a client must not be created in a task.
    let starting = thread::Builder::new()
        .name("traces".to_owned())
        .spawn(move || Recorder::start(&settings))
        .map_err(TracesError::Thread)?;
    let recorder = starting
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    recorder.install();
    Ok(())
}

/// At the end of the process, waits until the last spans are sent, but only a short time.
pub fn flush() {
    if let Some(recorder) = Recorder::of_process() {
        recorder.shut_down(FLUSH_TIMEOUT);
    }
}
