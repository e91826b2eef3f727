//! Settings of retention: how long ended operations are kept.

use std::{path::PathBuf, time::Duration};

use super::reader::Reader;

/// How long ended operations are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// `RETENTION_HOT_DAYS`: how long after its end an operation stays in the tables that are in use, before it is moved to
    /// the archive (30).
    pub hot_for: Duration,
    /// `RETENTION_DAYS`: how long after their end the operations of a month are kept in the archive; 0: for ever (0).
    pub kept_for: Option<Duration>,
    /// `RETENTION_EXPORT_DIR`: the folder to which each month is exported before it is dropped. `None`: it is not. Whether it
    /// exists is found out when it is needed: a lost folder must not keep a gateway from starting.
    pub export_to: Option<PathBuf>,
}

impl Retention {
    /// Reads the settings. Operations are kept for longer than their events: an event tells what track answers.
    pub(super) fn read(reader: &mut Reader<'_>, events_kept_for: Duration) -> Self {
        let hot_for = reader.days("RETENTION_HOT_DAYS", 30, 1);
        let kept_for = reader.days("RETENTION_DAYS", 0, 0);
        let kept_for = Some(kept_for).filter(|kept_for| !kept_for.is_zero());
        let shortest = hot_for.max(events_kept_for);
        if kept_for.is_some_and(|kept_for| kept_for <= shortest) {
            let days = shortest.as_secs() / 86_400;
            let problem = format!(
                "must be 0, or more than RETENTION_HOT_DAYS and EVENTS_KEEP_DAYS, so more than {days}"
            );
            reader.problem("RETENTION_DAYS", problem);
        }
        Self {
            hot_for,
            kept_for,
            export_to: export_to(reader, kept_for.is_some()),
        }
    }
}

fn export_to(reader: &mut Reader<'_>, drops_months: bool) -> Option<PathBuf> {
    const DIR: &str = "RETENTION_EXPORT_DIR";
    let folder = PathBuf::from(reader.text(DIR)?);
    if !drops_months {
        reader.problem(DIR, "is set, but has no effect without RETENTION_DAYS");
    }
    Some(folder)
}
