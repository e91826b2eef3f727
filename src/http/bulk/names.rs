//! Checks that a row in the table of a retry still names the same client, loan and payment as before.

use super::{request::problem, spreadsheet};
use crate::{
    operations::{Named, Problem, named_by, names_of},
    store::Candidate,
};

/// The code of an id, UTR or phone number that a spreadsheet has probably changed.
pub(super) const CHANGED: &str = "changed_by_spreadsheet";
/// The code of an id that belongs to another client or loan.
pub(super) const OTHER: &str = "other_id";

/// The ids, UTR and phone numbers of a failed row, by their keys.
pub(super) fn stored(candidate: &Candidate) -> Vec<(String, String)> {
    let payload = candidate.payload.as_deref();
    payload.map_or_else(|| candidate.names.clone(), names_of)
}

/// Compares the cells of a row with the names that the row had before. Returns the problems. The problems that a
/// spreadsheet has probably caused come first. Another client or loan is a problem unless `takes_other_ids`.
pub(super) fn faults(
    stored: &[(String, String)],
    cells: &[(String, String)],
    takes_other_ids: bool,
) -> Vec<Problem> {
    let pairs = cells.iter().filter_map(|(key, cell)| {
        let (_, text) = stored.iter().find(|(name, _)| name == key)?;
        Some((key, named_by(key)?, as_meant(text), cell))
    });
    let mut faults: Vec<Problem> = pairs
        .filter(|(_, _, text, cell)| text != cell && !text.is_empty())
        .filter_map(|(key, named, text, cell)| {
            let pointer = format!("/data/{key}");
            if spreadsheet::may_have_changed(text, cell) {
                let message = "seems to have been changed by a spreadsheet: write the previous value again, with its column formatted as text";
                return Some(problem(&pointer, CHANGED, message));
            }
            // A number that was already rounded in the first upload was not a valid id, so it may be corrected.
            let is_other = named == Named::ClientOrLoan && !spreadsheet::is_rounded(text);
            let message = "is another client or loan than before: allow_other_ids=true permits this";
            (is_other && !takes_other_ids).then(|| problem(&pointer, OTHER, message))
        })
        .collect();
    faults.sort_by_key(|fault| fault.code != CHANGED);
    faults
}

/// A text without the characters that spreadsheets put around it. If a caller removes these characters, this is a
/// correction and not a change of the name.
fn as_meant(text: &str) -> &str {
    let text = text.trim();
    let inner = text
        .strip_prefix("=\"")
        .and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(text).trim_start_matches('\'').trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_must_keep_its_names() {
        for (key, stored, cell, expected) in [
            ("external_loan_id", "0007", "0007", None),
            ("external_loan_id", "0007", "7", Some(CHANGED)),
            ("external_loan_id", "0007", "0008", Some(OTHER)),
            ("external_loan_id", "7", "0007", Some(OTHER)),
            ("clientId", "1E5", "100000", Some(CHANGED)),
            ("externalId", "l-1", "L-1", Some(OTHER)),
            ("utr_payment_id", "00123456", "123456", Some(CHANGED)),
            ("utr_payment_id", "HDFC1", "HDFC2", None),
            ("mobileNo", "+919966999999", "919966999999", Some(CHANGED)),
            ("mobileNo", "099", "1", None),
            ("note", "007", "7", None),
            // A text that was not a valid name may be corrected.
            ("externalId", " 0007", "0007", None),
            ("externalId", "'0007", "0007", None),
            ("externalId", "=\"0007\"", "0007", None),
            ("externalId", "'0007", "7", Some(CHANGED)),
            ("externalId", "6.01E+11", "601234567890", None),
            ("externalId", " ", "C-1", None),
        ] {
            let pair = |text: &str| vec![(key.to_owned(), text.to_owned())];
            let codes = |takes_other_ids| {
                let faults = faults(&pair(stored), &pair(cell), takes_other_ids);
                faults.first().map(|fault| fault.code)
            };
            assert_eq!(codes(false), expected, "{key} {stored} {cell}");
            let where_allowed = expected.filter(|code| *code != OTHER);
            assert_eq!(codes(true), where_allowed, "{key} {stored} {cell}");
        }
    }
}
