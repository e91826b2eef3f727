//! How spreadsheets change texts that look like numbers, dates or formulas, and how to detect that.

use chrono::NaiveDate;

use crate::domain::Day;

/// A sign that a spreadsheet has changed a cell: a stable code, and a message for the caller.
pub(super) type Sign = (&'static str, &'static str);

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// The sign that a spreadsheet has changed this text, if there is one. A name (an id, a UTR or a phone number) is
/// checked for more signs than other texts.
pub(super) fn sign(text: &str, is_name: bool) -> Option<Sign> {
    if text.starts_with("=\"") {
        let message = "must be the text itself, not a spreadsheet's formula around it (=\"…\")";
        Some(("spreadsheet_formula", message))
    } else if text.starts_with('\t') {
        Some(("leading_tab", "must not begin with a tab"))
    } else if !is_name {
        None
    } else if text.starts_with('\'') {
        let message = "must not begin with an apostrophe, which is a spreadsheet's mark of a text";
        Some(("leading_apostrophe", message))
    } else if is_rounded(text) {
        Some((ROUNDED, HOW_TO_WRITE_ALL_DIGITS))
    } else if is_error(text) {
        let message = "must not be an error that a spreadsheet shows instead of a value";
        Some(("spreadsheet_error", message))
    } else {
        None
    }
}

/// The code of a number that has lost digits.
pub(super) const ROUNDED: &str = "rounded_by_spreadsheet";
/// The message for [`ROUNDED`].
pub(super) const HOW_TO_WRITE_ALL_DIGITS: &str = "was rounded by a spreadsheet (like 6.01E+11): write all of its digits, with its column formatted as text";

/// Whether a text is a number like `6.01E+11`. Spreadsheets always write the sign of the exponent. A text without that
/// sign, such as `1E5`, does not count, because it may be an id.
pub(super) fn is_rounded(text: &str) -> bool {
    text.split_once(['E', 'e'])
        .is_some_and(|(number, exponent)| {
            let digits = exponent.strip_prefix(['+', '-']);
            Number::read(number).is_some()
                && digits.is_some_and(|digits| !digits.is_empty() && all_digits(digits))
        })
}

fn is_error(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|byte| byte == b'#')
        || text.starts_with("Err:")
        || [
            "#NAME?", "#VALUE!", "#REF!", "#N/A", "#NUM!", "#DIV/0!", "#NULL!",
        ]
        .contains(&text)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Parses a date, if it has a format of spreadsheets in which the order of day and month is certain: `2026-01-11` or
/// `11-Jan-2026`.
pub(super) fn day(text: &str) -> Option<Day> {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, month, last] = parts.as_slice() else {
        return None;
    };
    let number = |part: &str, lengths: &[usize]| {
        (lengths.contains(&part.len()) && all_digits(part)).then(|| part.parse().ok())?
    };
    let (year, month, day) = match number(month, &[2]) {
        Some(month) => (*first, month, number(last, &[2])?),
        None => (*last, month_of(month)?, number(first, &[1, 2])?),
    };
    let year = number(year, &[4])?;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day).map(Day)
}

fn month_of(name: &str) -> Option<u32> {
    let known = |known: &str| known.eq_ignore_ascii_case(name);
    (1..)
        .zip(MONTHS)
        .find(|(_, name)| known(name))
        .map(|(month, _)| month)
}

/// Whether a spreadsheet may have changed `text` to `cell`.
pub(super) fn may_have_changed(text: &str, cell: &str) -> bool {
    let shown = cell.trim_end_matches('%');
    let number = Number::read(shown).filter(|_| is_as_written(shown));
    let same_number = || {
        let meant = Number::read(text.trim_end_matches('%'));
        meant
            .zip(number.as_ref())
            .is_some_and(|(meant, number)| meant.is_shown_as(number))
    };
    let is_formula = || text.starts_with(['=', '+', '-', '@']) && number.is_some();
    let is_truth = ["TRUE", "FALSE"].contains(&cell) && text.eq_ignore_ascii_case(cell);
    text != cell
        && (is_truth
            || is_rounded(cell)
            || is_error(cell)
            || is_formula()
            || same_number()
            || (looks_like_time(cell) && text.contains(|letter: char| letter.is_ascii_digit())))
}

/// Whether a number is written as a spreadsheet writes it in a cell without a format: no plus, no separators and no
/// leading zeros. For a number with an exponent, see [`is_rounded`].
fn is_as_written(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let whole = digits.split('.').next().unwrap_or_default();
    let has_zeros = whole.len() > 1 && whole.starts_with('0');
    !whole.is_empty()
        && !has_zeros
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Whether a cell looks like a date or a time in any of the formats of spreadsheets.
fn looks_like_time(cell: &str) -> bool {
    let parts: Vec<&str> = cell
        .split(['-', '/', '.', ':', ' '])
        .filter(|part| !part.is_empty())
        .collect();
    let is_month = |part: &str| part.get(..3).is_some_and(|name| month_of(name).is_some());
    let most = if cell.contains(':') { 59 } else { 31 };
    let is_number = |part: &str| {
        let small = || part.parse::<u8>().is_ok_and(|number| number <= most);
        all_digits(part) && (part.len() == 4 || (part.len() <= 2 && small()))
    };
    let is_part = |part: &&str| is_number(part) || is_month(part) || ["AM", "PM"].contains(part);
    let has_month = parts.iter().any(|part| is_month(part));
    let is_enough = parts.len() >= 3 || (parts.len() == 2 && (has_month || cell.contains(':')));
    is_enough && parts.iter().all(is_part)
}

/// A number as a sign, its significant digits, and the position of its point: `-1,230.0` is negative, has the digits
/// `123`, and four digits before the point.
#[derive(Debug, PartialEq, Eq)]
struct Number {
    is_negative: bool,
    digits: String,
    /// How many digits precede the point; negative for a number like 0.001.
    whole: i64,
}

impl Number {
    /// How many leading digits a spreadsheet leaves unchanged: it keeps 15 digits, and may round the last of them.
    const CERTAIN: usize = 14;

    fn read(text: &str) -> Option<Self> {
        let (is_negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (number, exponent) = unsigned.split_once(['E', 'e']).unwrap_or((unsigned, "0"));
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let whole = whole.replace(',', "");
        if (whole.is_empty() && decimals.is_empty()) || !all_digits(&whole) || !all_digits(decimals)
        {
            return None;
        }
        let exponent: i64 = exponent.parse::<i32>().ok()?.into();
        let all = format!("{whole}{decimals}");
        let zeros = all.bytes().take_while(|byte| *byte == b'0').count();
        let digits = all.trim_matches('0').to_owned();
        let whole = i64::try_from(whole.len()).ok()? - i64::try_from(zeros).ok()? + exponent;
        Some(Self {
            is_negative: is_negative && !digits.is_empty(),
            whole: if digits.is_empty() { 0 } else { whole },
            digits,
        })
    }

    /// Whether a spreadsheet may show this number as the number `other`.
    fn is_shown_as(&self, other: &Self) -> bool {
        let is_rounded = self.digits.len() > Self::CERTAIN;
        let first =
            |number: &Self| -> String { number.digits.chars().take(Self::CERTAIN).collect() };
        self.is_negative == other.is_negative
            && self.whole == other.whole
            && (self.digits == other.digits || (is_rounded && first(self) == first(other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_text_has_a_sign() {
        for (text, in_a_name, elsewhere) in [
            (
                "=\"0007\"",
                Some("spreadsheet_formula"),
                Some("spreadsheet_formula"),
            ),
            ("\t0007", Some("leading_tab"), Some("leading_tab")),
            ("'0007", Some("leading_apostrophe"), None),
            ("6.01E+11", Some(ROUNDED), None),
            ("6.01234567890124E+017", Some(ROUNDED), None),
            ("-1e-5", Some(ROUNDED), None),
            ("#NAME?", Some("spreadsheet_error"), None),
            ("###", Some("spreadsheet_error"), None),
            ("Err:508", Some("spreadsheet_error"), None),
            ("1E5", None, None),
            ("LOAN-1E+1", None, None),
            ("E+1", None, None),
            ("#1", None, None),
            ("0007", None, None),
            ("+919966999999", None, None),
            ("=", None, None),
        ] {
            let code = |is_name| sign(text, is_name).map(|(code, _)| code);
            assert_eq!(
                (code(true), code(false)),
                (in_a_name, elsewhere),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_date_is_read_if_the_order_of_its_parts_is_certain() {
        for (text, expected) in [
            ("2026-01-11", Some("11 January 2026")),
            ("11-Jan-2026", Some("11 January 2026")),
            ("1-feb-2026", Some("01 February 2026")),
            ("11-Jan-26", None),
            ("2026-1-11", None),
            ("11-01-2026", None),
            ("2026-02-30", None),
            ("2026-Jan-11", None),
            ("11-January-2026", None),
            ("+1-Jan-2026", None),
            ("2026-01-11-1", None),
            ("11/01/2026", None),
            ("2026-01-11 10:00", None),
        ] {
            assert_eq!(
                day(text).map(|day| day.to_string()).as_deref(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_change_is_distinguished_from_a_correction() {
        for (text, cell, expected) in [
            ("0007", "7", true),
            ("00123456", "123456", true),
            ("1E5", "100000", true),
            ("1e-1", "0.1", true),
            ("+919966999999", "919966999999", true),
            ("1,000", "1000", true),
            ("1.50", "1.5", true),
            ("10%", "10.00%", true),
            ("601234567890", "6.01234567890E+11", true),
            ("601234567890123456", "6.01234567890124E+017", true),
            ("601234567890123456", "601234567890123000", true),
            ("601234567890123456", "601234567890124000", true),
            ("MAR1", "1-Mar", true),
            ("1-2", "02/01/2026", true),
            ("1/2", "2-Jan", true),
            ("2-1-26", "2026-01-02", true),
            ("12:30", "12:30:00 PM", true),
            ("true", "TRUE", true),
            ("=1+2", "3", true),
            ("@x", "#NAME?", true),
            ("12345678", "########", true),
            // A person wrote the new text: another id, or the correction of an earlier change by a spreadsheet.
            ("0007", "0007", false),
            ("0007", "0008", false),
            ("7", "0007", false),
            ("100000", "1E5", false),
            ("7", "+7", false),
            ("7", "-7", false),
            ("0007", "70", false),
            ("123", "100", false),
            ("601234567890123456", "601234567890223456", false),
            ("LOAN-7", "LOAN-0007", false),
            ("12-34-5678", "12-34-5679", false),
            ("LOAN", "LOAN-1", false),
            ("UTR", "1-Mar", false),
            ("099", "1", false),
        ] {
            assert_eq!(may_have_changed(text, cell), expected, "{text} {cell}");
        }
    }
}
