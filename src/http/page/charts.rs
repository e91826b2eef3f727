//! Charts of the last hour and the last day, drawn as SVG from the minutes that the gateway keeps.

use chrono::{DateTime, DurationRound as _, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;

use super::format::duration;
use crate::store::Minute;

/// The height of the part with the bars and lines; below it are the times.
const HEIGHT: u64 = 96;
/// The space above the highest bar.
const ABOVE: u64 = 4;
/// The width of a chart.
const WIDTH: usize = 600;

/// A bar.
pub(super) struct Bar {
    pub(super) x: usize,
    pub(super) y: u64,
    pub(super) width: usize,
    pub(super) height: u64,
    /// Whether it stands for failures.
    pub(super) is_bad: bool,
}

/// The end of the axis of a chart.
pub(super) struct Moment {
    /// The exact time, for the script.
    pub(super) exact: String,
    /// The time in the time zone of the settings.
    pub(super) shown: String,
}

/// What a period looked like.
pub(super) struct Chart {
    pub(super) bars: Vec<Bar>,
    /// The points of the line of the median.
    pub(super) p50: String,
    /// The points of the line of the slowest hundredth.
    pub(super) p99: String,
    pub(super) from: Moment,
    pub(super) accepted: i64,
    pub(super) succeeded: i64,
    pub(super) failed: i64,
    /// The last values of the lines, in words.
    pub(super) latency: String,
    pub(super) is_empty: bool,
}

/// The sum of some minutes.
#[derive(Clone, Copy, Default)]
struct Step {
    succeeded: u64,
    failed: u64,
    p50: Option<u64>,
    p99: Option<u64>,
}

/// Draws the minutes of a period that ends now, in steps of this many minutes.
pub(super) fn chart(
    minutes: &[Minute],
    now: DateTime<Utc>,
    (steps, step): (usize, i64),
    zone: Tz,
) -> Chart {
    let end = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
    let length = TimeDelta::minutes(step) * i32::try_from(steps).unwrap_or(i32::MAX);
    let start = end - length;
    let mut sums = vec![Step::default(); steps];
    let inside = minutes.iter().filter(|minute| minute.at >= start);
    let (mut accepted, mut succeeded, mut failed) = (0, 0, 0);
    for minute in inside {
        accepted += i64::from(minute.accepted);
        succeeded += i64::from(minute.succeeded);
        failed += i64::from(minute.failed);
        let place = usize::try_from((minute.at - start).num_minutes() / step);
        if let Some(sum) = place.ok().and_then(|place| sums.get_mut(place)) {
            sum.add(minute);
        }
    }
    let last = sums.iter().rev().find_map(|sum| sum.p50.zip(sum.p99));
    Chart {
        bars: bars(&sums),
        p50: points(&sums, |sum| sum.p50),
        p99: points(&sums, |sum| sum.p99),
        from: Moment {
            exact: start.to_rfc3339_opts(SecondsFormat::Secs, true),
            shown: start.with_timezone(&zone).format("%H:%M").to_string(),
        },
        accepted,
        succeeded,
        failed,
        latency: last.map_or_else(String::new, |(p50, p99)| {
            format!("latest: p50 {} · p99 {}", in_words(p50), in_words(p99))
        }),
        is_empty: succeeded + failed == 0,
    }
}

/// The failures of the last hour, compared with the hours before. `None`: nothing has failed.
pub(super) fn failures(minutes: &[Minute], now: DateTime<Utc>) -> Option<String> {
    let hour = TimeDelta::hours(1);
    let failed = |is_recent: bool| -> i64 {
        let counted = minutes
            .iter()
            .filter(|minute| (now - minute.at <= hour) == is_recent);
        counted.map(|minute| i64::from(minute.failed)).sum()
    };
    let (recent, before) = (failed(true), failed(false));
    if recent == 0 {
        return None;
    }
    let first = minutes.first()?;
    let minutes_before = (now - hour - first.at).num_minutes();
    if minutes_before < hour.num_minutes() {
        return Some(format!("{recent} failed in the last hour."));
    }
    let tenths = before * 600 / minutes_before;
    let usual = format!("{}.{}", tenths / 10, tenths % 10);
    Some(format!(
        "{recent} failed in the last hour; in the hours before, {usual} an hour."
    ))
}

impl Step {
    fn add(&mut self, minute: &Minute) {
        self.succeeded += u64::try_from(minute.succeeded).unwrap_or_default();
        self.failed += u64::try_from(minute.failed).unwrap_or_default();
        let value = |milliseconds: Option<i64>| milliseconds.and_then(|ms| u64::try_from(ms).ok());
        self.p50 = self.p50.max(value(minute.p50_ms));
        self.p99 = self.p99.max(value(minute.p99_ms));
    }
}

fn in_words(milliseconds: u64) -> String {
    duration(TimeDelta::milliseconds(
        i64::try_from(milliseconds).unwrap_or(i64::MAX),
    ))
}

/// Two bars for each step: the failures at the foot, the successes above them.
fn bars(sums: &[Step]) -> Vec<Bar> {
    let most = sums.iter().map(|sum| sum.succeeded + sum.failed).max();
    let most = most.unwrap_or_default().max(1);
    let width = WIDTH / sums.len().max(1);
    let mut bars = Vec::new();
    for (place, sum) in sums.iter().enumerate() {
        // A single failure is seen too.
        let bad = if sum.failed == 0 {
            0
        } else {
            (HEIGHT * sum.failed / most).max(2)
        };
        let good = (HEIGHT * (sum.succeeded + sum.failed) / most).saturating_sub(bad);
        let bar = |y, height, is_bad| Bar {
            x: place * width + 1,
            y,
            width: width.saturating_sub(2).max(1),
            height,
            is_bad,
        };
        if good > 0 {
            bars.push(bar(ABOVE + HEIGHT - bad - good, good, false));
        }
        if bad > 0 {
            bars.push(bar(ABOVE + HEIGHT - bad, bad, true));
        }
    }
    bars
}

/// The points of a line. A step without a value has no point.
fn points(sums: &[Step], value: impl Fn(&Step) -> Option<u64>) -> String {
    let most = sums.iter().filter_map(|sum| sum.p99).max();
    let most = most.unwrap_or_default().max(1);
    let width = WIDTH / sums.len().max(1);
    let points = sums.iter().enumerate().filter_map(|(place, sum)| {
        let y = ABOVE + HEIGHT - HEIGHT * value(sum)? / most;
        Some(format!("{},{y}", place * width + width / 2))
    });
    points.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_compared_with_the_hours_before() {
        let now: DateTime<Utc> = "2026-11-28T20:00:00Z".parse().unwrap();
        let minute = |ago: i64, failed| Minute {
            at: now - TimeDelta::minutes(ago),
            accepted: 0,
            succeeded: 0,
            failed,
            parked: 0,
            p50_ms: None,
            p99_ms: None,
        };
        let recent = [minute(30, 4), minute(1, 2)];
        let told = |before: &[Minute]| failures(&[before, &recent].concat(), now);
        assert_eq!(failures(&[minute(100, 5)], now), None);
        assert_eq!(told(&[]).unwrap(), "6 failed in the last hour.");
        assert_eq!(
            told(&[minute(180, 1), minute(70, 2)]).unwrap(),
            "6 failed in the last hour; in the hours before, 1.5 an hour."
        );
    }

    #[test]
    fn a_chart_has_a_bar_for_each_step_and_shows_every_failure() {
        let now: DateTime<Utc> = "2026-11-28T20:00:30Z".parse().unwrap();
        let minute = |at: &str, succeeded, failed, p50_ms| Minute {
            at: at.parse().unwrap(),
            accepted: succeeded + failed,
            succeeded,
            failed,
            parked: 0,
            p50_ms,
            p99_ms: p50_ms.map(|ms: i64| ms * 4),
        };
        let minutes = [
            minute("2026-11-28T18:00:00Z", 9, 9, Some(1)),
            minute("2026-11-28T19:00:00Z", 1_000, 1, Some(100)),
            minute("2026-11-28T19:59:00Z", 500, 0, Some(250)),
        ];
        let chart = chart(&minutes, now, (60, 1), Tz::Asia__Kolkata);
        assert_eq!((chart.succeeded, chart.failed), (1_500, 1));
        let bars: Vec<_> = chart
            .bars
            .iter()
            .map(|bar| (bar.x, bar.y + bar.height, bar.is_bad))
            .collect();
        assert_eq!(bars, [(1, 98, false), (1, 100, true), (591, 100, false)]);
        assert_eq!(chart.p50, "5,91 595,76");
        assert_eq!(chart.latency, "latest: p50 0.2 s · p99 1.0 s");
        assert_eq!(chart.from.shown, "00:30");
    }
}
