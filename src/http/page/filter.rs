//! The filter bar: words such as `state:parked lender:UGRO since:2h`, and what the operators' API calls them.

use chrono::{DateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;

/// The words before a colon, and the parameter of the API that each sets.
const WORDS: [(&str, &str); 13] = [
    ("state", "state"),
    ("type", "type"),
    ("lender", "lender"),
    ("caller", "caller"),
    ("reason", "reason_code"),
    ("lane", "lane"),
    ("batch", "batch"),
    ("id", "external_id"),
    ("since", "accepted_after"),
    ("before", "accepted_before"),
    ("ended", "ended_after"),
    ("sent", "sent"),
    ("retried", "retried"),
];

/// Parameters of the API that are no conditions. As words they are searched.
const CONTROLS: [&str; 4] = ["limit", "sort", "cursor", "by"];

/// A filter, word by word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter(Vec<(String, String)>);

impl Filter {
    /// Reads the bar. `name:value` is a condition, also with a name that is not known, which the list then reports. Every
    /// other word is searched.
    pub(super) fn read(bar: &str) -> Self {
        let words = bar
            .split_whitespace()
            .map(|word| match word.split_once(':') {
                Some((name, _)) if name == "loan" || name == "client" => {
                    ("lane".to_owned(), word.to_lowercase())
                }
                Some((name, value)) if is_name(name) => (name.to_owned(), value.to_owned()),
                _ => (String::new(), word.to_owned()),
            });
        Self(words.collect())
    }

    /// The filter as words again.
    pub(super) fn bar(&self) -> String {
        let words = self.0.iter().map(|(name, value)| {
            if name.is_empty() || (name == "lane" && value.contains(':')) {
                value.clone()
            } else {
                format!("{name}:{value}")
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// The value of a word.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut words = self.0.iter();
        words
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// The same filter with another value of a word, or without the word.
    pub(super) fn with(&self, name: &str, value: Option<&str>) -> Self {
        let mut words = self.0.clone();
        words.retain(|(found, _)| found != name);
        words.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        Self(words)
    }

    /// The same filter, with times that do not depend on when it is read. Days begin in this time zone.
    pub(super) fn with_fixed_times(&self, now: DateTime<Utc>, zone: Tz) -> Self {
        let words = self.0.iter().map(|(name, value)| {
            let is_time = ["since", "before", "ended"].contains(&name.as_str());
            let fixed = time(value, now, zone).filter(|_| is_time);
            (name.clone(), fixed.map_or_else(|| value.clone(), in_utc))
        });
        Self(words.collect())
    }

    /// The parameters of the API's list. Days begin in this time zone.
    pub(super) fn parameters(&self, now: DateTime<Utc>, zone: Tz) -> Vec<(String, String)> {
        let mut parameters = Vec::new();
        let search: Vec<_> = self.0.iter().filter(|(name, _)| name.is_empty()).collect();
        if !search.is_empty() {
            let words: Vec<_> = search.iter().map(|(_, word)| word.as_str()).collect();
            parameters.push(("q".to_owned(), words.join(" ")));
        }
        for (name, value) in &self.0 {
            if name.is_empty() {
                continue;
            }
            let known = WORDS.iter().find(|(known, _)| known == name);
            let parameter = known.map_or(name.as_str(), |(_, parameter)| parameter);
            let value = match parameter {
                "accepted_after" | "accepted_before" | "ended_after" => {
                    time(value, now, zone).map_or_else(|| value.clone(), in_utc)
                }
                "type" => value.to_uppercase(),
                _ => value.clone(),
            };
            parameters.push((parameter.to_owned(), value));
        }
        parameters
    }
}

/// Whether the text can be the name of a condition. Ids and UTRs may have a colon as well, and then contain digits.
fn is_name(text: &str) -> bool {
    let is_plain = |letter: u8| letter.is_ascii_lowercase() || letter == b'_';
    !text.is_empty() && text.bytes().all(is_plain) && !CONTROLS.contains(&text)
}

fn in_utc(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Reads `2h`, `30m`, `7d`, `today` or a day.
fn time(text: &str, now: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
    let today = now.with_timezone(&zone).date_naive();
    let day = match text {
        "today" => Some(today),
        "yesterday" => today.pred_opt(),
        _ => text.parse().ok(),
    };
    if let Some(day) = day {
        let midnight = day.and_time(NaiveTime::MIN).and_local_timezone(zone);
        return midnight.earliest().map(|midnight| midnight.to_utc());
    }
    let unit = text.chars().next_back()?;
    let count: i64 = text.strip_suffix(unit)?.parse().ok()?;
    let ago = match unit {
        'm' => TimeDelta::try_minutes(count),
        'h' => TimeDelta::try_hours(count),
        'd' => TimeDelta::try_days(count),
        _ => None,
    };
    now.checked_sub_signed(ago?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_the_parameters_of_the_api() {
        let now = "2026-11-28T20:00:00Z".parse().unwrap();
        for (bar, expected) in [
            ("", vec![]),
            (
                "state:parked lender:UGRO",
                vec![("state", "parked"), ("lender", "UGRO")],
            ),
            (
                "since:2h",
                vec![("accepted_after", "2026-11-28T18:00:00.000000Z")],
            ),
            (
                "ended:today",
                vec![("ended_after", "2026-11-28T18:30:00.000000Z")],
            ),
            (
                "before:2026-11-28",
                vec![("accepted_before", "2026-11-27T18:30:00.000000Z")],
            ),
            ("since:soon", vec![("accepted_after", "soon")]),
            ("loan:LOAN-1", vec![("lane", "loan:loan-1")]),
            ("type:loan_create", vec![("type", "LOAN_CREATE")]),
            (
                "reason:expired sent:true",
                vec![("reason_code", "expired"), ("sent", "true")],
            ),
            ("foo:bar", vec![("foo", "bar")]),
            ("limit:1", vec![("q", "limit:1")]),
            ("reason_code:expired", vec![("reason_code", "expired")]),
            ("LOAN-1", vec![("q", "LOAN-1")]),
            ("INC 7", vec![("q", "INC 7")]),
            (
                "CLIENT_CREATE|01a2 X1:y",
                vec![("q", "CLIENT_CREATE|01a2 X1:y")],
            ),
        ] {
            let found = Filter::read(bar).parameters(now, Tz::Asia__Kolkata);
            let found: Vec<_> = found
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(found, expected, "{bar}");
        }
    }

    #[test]
    fn fixed_times_stay_as_they_are() {
        let now = "2026-11-28T20:00:00Z".parse().unwrap();
        let zone = Tz::Asia__Kolkata;
        let fixed = Filter::read("state:failed ended:1h 2h").with_fixed_times(now, zone);
        let bar = "state:failed ended:2026-11-28T19:00:00.000000Z 2h";
        assert_eq!(fixed.bar(), bar);
        let later = now + TimeDelta::hours(3);
        assert_eq!(Filter::read(bar).with_fixed_times(later, zone), fixed);
        assert_eq!(
            fixed.parameters(later, zone)[2].1,
            "2026-11-28T19:00:00.000000Z"
        );
    }

    #[test]
    fn a_chip_changes_one_word() {
        let filter = Filter::read("lender:UGRO state:parked loan:L-1 x");
        assert_eq!(filter.get("state"), Some("parked"));
        assert_eq!(
            filter.with("state", Some("failed")).bar(),
            "lender:UGRO loan:l-1 x state:failed"
        );
        assert_eq!(filter.with("state", None).bar(), "lender:UGRO loan:l-1 x");
    }
}
