//! Reads dates as Fineract does: with a Java pattern and English month names. A date that is not in the calendar is
//! refused. A number may have fewer or more digits than the pattern.

use chrono::{DateTime, Days, Months, NaiveDate, TimeDelta, Utc};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Today's date in the tenant's time zone, Asia/Kolkata.
pub(super) fn today() -> NaiveDate {
    let now = DateTime::<Utc>::from(std::time::SystemTime::now());
    (now + TimeDelta::minutes(330)).date_naive()
}

/// Reads a date with a Java pattern. `None` if `text` does not match the pattern, or is not a date of the calendar. A
/// time after the date is ignored.
pub(super) fn parse(text: &str, pattern: &str) -> Option<NaiveDate> {
    let (mut rest, mut year, mut month, mut day) = (text, None, None, None);
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        let mut width = 1;
        while letters.next_if_eq(&letter).is_some() {
            width += 1;
        }
        match letter {
            'y' | 'u' => (year, rest) = number(rest)?,
            'd' => (day, rest) = number(rest)?,
            'M' if width < 3 => (month, rest) = number(rest)?,
            'M' => (month, rest) = month_name(rest, width)?,
            literal => {
                for _ in 0..width {
                    rest = rest.strip_prefix(literal)?;
                }
            }
        }
    }
    let in_full = rest.is_empty() || rest.strip_prefix(' ').is_some_and(is_time);
    in_full
        .then(|| NaiveDate::from_ymd_opt(i32::try_from(year?).ok()?, month?, day?))
        .flatten()
}

fn is_time(text: &str) -> bool {
    chrono::NaiveTime::parse_from_str(text, "%H:%M:%S").is_ok()
}

fn number(text: &str) -> Option<(Option<u32>, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((Some(digits.parse().ok()?), rest))
}

fn month_name(text: &str, width: usize) -> Option<(Option<u32>, &str)> {
    (1_u32..).zip(MONTHS).find_map(|(number, name)| {
        let name = if width == 3 { name.get(..3)? } else { name };
        let (head, rest) = text.split_at_checked(name.len())?;
        head.eq_ignore_ascii_case(name)
            .then_some((Some(number), rest))
    })
}

/// The date that is `periods` units after `date`. `unit` is Fineract's number of the unit: 0 for days, 1 for weeks, 2
/// for months, 3 for years.
pub(super) fn later(date: NaiveDate, periods: i64, unit: i64) -> NaiveDate {
    let count = u32::try_from(periods).unwrap_or(0);
    let then = match unit {
        0 => date.checked_add_days(Days::new(count.into())),
        1 => date.checked_add_days(Days::new(u64::from(count) * 7)),
        2 => date.checked_add_months(Months::new(count)),
        _ => date.checked_add_months(Months::new(count.saturating_mul(12))),
    };
    then.unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_by_a_java_pattern() {
        for (text, pattern, expected) in [
            ("10 January 2024", "dd MMMM yyyy", Some((2024, 1, 10))),
            ("1 jANUARY 2024", "dd MMMM yyyy", Some((2024, 1, 1))),
            (
                "10 January 2024 00:00:00",
                "dd MMMM yyyy",
                Some((2024, 1, 10)),
            ),
            ("2024-01-10", "yyyy-MM-dd", Some((2024, 1, 10))),
            ("10 Jan 2024", "dd MMM yyyy", Some((2024, 1, 10))),
            ("31 February 2024", "dd MMMM yyyy", None),
            ("01 enero 2024", "dd MMMM yyyy", None),
            ("2024-01-10", "dd MMMM yyyy", None),
            ("10 January 2024 x", "dd MMMM yyyy", None),
        ] {
            let expected =
                expected.and_then(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day));
            assert_eq!(parse(text, pattern), expected, "{text} by {pattern}");
        }
    }
}
