//! The settings of the log.

use super::{
    reader::Reader,
    values::{self, LogFormat},
};

/// The log.
#[derive(Debug, Clone)]
pub struct Log {
    /// `LOG_FORMAT`: `text` or `json` (`text` on a terminal, else `json`).
    pub format: Option<LogFormat>,
    /// `LOG_FILTER`: what is logged, in tracing's filter language (`info`).
    pub filter: String,
}

impl Log {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            format: reader.choice("LOG_FORMAT", &LogFormat::CHOICES),
            filter: values::log_filter(reader, "LOG_FILTER", "info"),
        }
    }
}
