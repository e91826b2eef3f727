//! Calendar days, in the formats of callers and of Fineract.

use std::fmt;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The format of a day in requests of callers and in requests to Fineract (`docs/fineract/commands.md`, "Dates in a
/// request").
const FORMAT: &str = "%d %B %Y";

/// A calendar day. It is serialized for requests as `11 January 2026`, and deserialized from Fineract's answers as
/// `[2026,1,11]` (`docs/fineract/commands.md`, "Dates in a request" and "Dates and digits in an answer").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub NaiveDate);

impl Day {
    /// Parses `dd MMMM yyyy` with English month names. Returns `None` if the text has another form, or if the
    /// calendar has no such day. chrono alone would also accept `1 jan 2026`, so the parsed day is formatted again
    /// and compared with the text.
    pub fn from_text(text: &str) -> Option<Self> {
        let day = NaiveDate::parse_from_str(text, FORMAT).ok()?;
        let is_as_written = (0..=9999).contains(&day.year()) && Self(day).to_string() == text;
        is_as_written.then_some(Self(day))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format(FORMAT).fmt(f)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (year, month, day) = Deserialize::deserialize(deserializer)?;
        NaiveDate::from_ymd_opt(year, month, day)
            .map(Self)
            .ok_or_else(|| de::Error::custom("no day of the calendar"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_it_was_read() {
        for text in ["01 January 2026", "29 February 2024", "31 December 1999"] {
            assert_eq!(Day::from_text(text).unwrap().to_string(), text);
        }
        assert_eq!(
            serde_json::from_str::<Day>("[2024,1,10]")
                .unwrap()
                .to_string(),
            "10 January 2024"
        );
    }

    #[test]
    fn other_texts_are_no_days() {
        for text in [
            "",
            "29 February 2026",
            "31 April 2026",
            "1 January 2026",
            "01 Jan 2026",
            "01 january 2026",
            "01  January 2026",
            "01 January 26",
            "01 January 2026 ",
            "2026-01-01",
            "+1 January 2026",
            "01 January +12026",
            "01 January 12026",
            "01 January -001",
            "01 January -2026",
            "०१ January 2026",
        ] {
            assert_eq!(Day::from_text(text), None, "{text}");
        }
    }
}
