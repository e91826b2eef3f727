//! Times, durations and amounts as people read them.

use std::fmt;

use askama::filters::HtmlSafe;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;

/// A time as an HTML element: in the time zone of the settings, with the exact time in UTC to hover over. The script
/// writes it again in the time zone of the browser.
pub(super) struct Time {
    at: DateTime<Utc>,
    zone: Tz,
    style: TimeStyle,
}

/// How much of a time is shown.
#[derive(Clone, Copy)]
enum TimeStyle {
    /// The day and the time: `28 Nov 06:14:02`.
    Day,
    /// The time with milliseconds: `06:14:02.123`.
    Exact,
}

impl Time {
    /// A time with its day.
    pub(super) fn day(at: DateTime<Utc>, zone: Tz) -> Self {
        let style = TimeStyle::Day;
        Self { at, zone, style }
    }

    /// A time with milliseconds.
    pub(super) fn exact(at: DateTime<Utc>, zone: Tz) -> Self {
        let style = TimeStyle::Exact;
        Self { at, zone, style }
    }
}

impl HtmlSafe for Time {}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let here = self.at.with_timezone(&self.zone);
        let (style, shown) = match self.style {
            TimeStyle::Day => ("day", here.format("%-d %b %H:%M:%S")),
            TimeStyle::Exact => ("exact", here.format("%-d %b %H:%M:%S%.3f")),
        };
        let utc = self.at.format("%Y-%m-%d %H:%M:%S%.3f UTC");
        write!(
            f,
            r#"<time datetime="{exact}" title="{utc}" data-style="{style}">{shown}</time>"#
        )
    }
}

/// A duration in its two largest units: `0.3 s`, `39 min`, `1 h 27 min`, `3 d 4 h`.
pub(super) fn duration(duration: TimeDelta) -> String {
    let milliseconds = duration.num_milliseconds().max(0);
    let seconds = milliseconds / 1_000;
    let two = |large: i64, large_unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{large} {large_unit}")
        } else {
            format!("{large} {large_unit} {small} {small_unit}")
        }
    };
    match seconds {
        0 if milliseconds < 100 => format!("{milliseconds} ms"),
        0..10 => format!("{seconds}.{} s", milliseconds % 1_000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => two(
            seconds / 60,
            "min",
            if seconds < 600 { seconds % 60 } else { 0 },
            "s",
        ),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// The digits of a decimal number in groups, as Indian English writes them (`12,34,567.50`) or as other English does.
/// No digit is changed. A text that is not a plain decimal number is returned as it is.
pub(super) fn grouped(number: &str, is_indian: bool) -> String {
    let (sign, rest) = number
        .strip_prefix('-')
        .map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = rest.find('.').map_or((rest, ""), |dot| rest.split_at(dot));
    let is_plain = !whole.is_empty()
        && whole.bytes().all(|byte| byte.is_ascii_digit())
        && fraction.bytes().skip(1).all(|byte| byte.is_ascii_digit());
    if !is_plain {
        return number.to_owned();
    }
    let mut groups = String::new();
    for (place, digit) in whole.chars().enumerate() {
        let left = whole.len() - place;
        let begins_group = if is_indian {
            left == 3 || (left > 3 && left % 2 == 1)
        } else {
            left % 3 == 0
        };
        if place > 0 && begins_group {
            groups.push(',');
        }
        groups.push(digit);
    }
    format!("{sign}{groups}{fraction}")
}

/// The state of an operation as people see it: `on_hold` hides the state until it is released or ends.
pub(super) fn shown_state(state: &str, is_on_hold: bool, has_ended: bool) -> &str {
    if is_on_hold && !has_ended {
        "on_hold"
    } else {
        state
    }
}

/// The external id in the name of a lane.
pub(super) fn subject(lane: &str) -> &str {
    lane.split_once(':').map_or(lane, |(_, subject)| subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_its_zone_and_exact_in_utc() {
        let at: DateTime<Utc> = "2026-11-28T18:44:02.1234Z".parse().unwrap();
        let time = Time::day(at, Tz::Asia__Kolkata).to_string();
        assert_eq!(
            time,
            r#"<time datetime="2026-11-28T18:44:02.123Z" title="2026-11-28 18:44:02.123 UTC" data-style="day">29 Nov 00:14:02</time>"#
        );
    }

    #[test]
    fn a_duration_has_two_units_at_most() {
        for (milliseconds, expected) in [
            (-5, "0 ms"),
            (4, "4 ms"),
            (310, "0.3 s"),
            (9_999, "9.9 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (119_000, "1 min 59 s"),
            (2_340_000, "39 min"),
            (5_220_000, "1 h 27 min"),
            (273_600_000, "3 d 4 h"),
            (259_200_000, "3 d"),
        ] {
            assert_eq!(duration(TimeDelta::milliseconds(milliseconds)), expected);
        }
    }

    #[test]
    fn digits_are_grouped_and_never_changed() {
        for (number, indian, other) in [
            ("0", "0", "0"),
            ("999", "999", "999"),
            ("1000.10", "1,000.10", "1,000.10"),
            ("100000", "1,00,000", "100,000"),
            ("1234567.505", "12,34,567.505", "1,234,567.505"),
            ("-12345678", "-1,23,45,678", "-12,345,678"),
            ("1e5", "1e5", "1e5"),
            ("", "", ""),
            ("1.5.5", "1.5.5", "1.5.5"),
            (
                "12345678901234567890.01",
                "1,23,45,67,89,01,23,45,67,890.01",
                "12,345,678,901,234,567,890.01",
            ),
        ] {
            assert_eq!(grouped(number, true), indian);
            assert_eq!(grouped(number, false), other);
        }
    }
}
