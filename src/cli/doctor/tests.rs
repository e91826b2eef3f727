//! Findings whose cause no test can produce: other versions, clocks that differ, several processes.

use std::time::Duration;

use super::{compare_clocks, fineract, report::Report};
use crate::telemetry::wall_clock;

/// The first line of a report with one check.
fn line(report: &Report) -> String {
    let text = report.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn clocks_may_differ_by_a_few_seconds() {
    for (seconds, resolution, expected) in [
        (0, 0, "fine"),
        (4, 0, "fine"),
        (-4, 0, "fine"),
        (60, 0, "WRONG"),
        (-60, 0, "WRONG"),
        // A clock that shows whole seconds may seem to be late.
        (-6, 2, "fine"),
    ] {
        let asked_at = wall_clock();
        let other = asked_at + chrono::Duration::seconds(seconds);
        let mut report = Report::default();
        let resolution = Duration::from_secs(resolution);
        compare_clocks(&mut report, "clock", asked_at, other, resolution);
        let line = line(&report);
        assert!(line.starts_with(expected), "{seconds}: {line}");
        let direction = if seconds > 0 {
            "s ahead of"
        } else {
            "s behind"
        };
        assert!(expected == "fine" || line.contains(direction), "{line}");
    }
}

#[test]
fn versions_of_fineract() {
    for (version, expected) in [
        (Some("1.10.1"), "fine"),
        (Some("1.11.0-SNAPSHOT"), "fine"),
        (Some("1.8.4"), "WRONG"),
        (Some("0.9"), "WRONG"),
        (Some("1.9.0"), "not known"),
        (Some("2.0.0"), "not known"),
        (Some("latest"), "not known"),
        (None, "not known"),
    ] {
        let mut report = Report::default();
        fineract::say_version(&mut report, version);
        assert!(line(&report).starts_with(expected), "{version:?}");
    }
}

#[test]
fn several_processes_are_wrong_if_the_settings_say_that_there_is_one() {
    for (processes, is_single, expected) in [
        (Some(1), true, "fine"),
        (Some(1), false, "fine"),
        (Some(2), false, "fine"),
        (Some(2), true, "WRONG"),
        (None, true, "not known"),
    ] {
        let mut report = Report::default();
        fineract::say_processes(&mut report, processes, is_single);
        assert!(line(&report).starts_with(expected), "{processes:?}");
    }
}
