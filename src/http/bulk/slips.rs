//! Mistakes that can be found only by comparing rows: a payment that was pasted twice, an id that has lost its leading
//! zeros in one of two rows, an empty cell in a column of amounts.

use std::collections::{HashMap, hash_map};

use serde_json::value::RawValue;

use super::{modifications::NewCells, names, request::problem};
use crate::{
    domain::OperationType,
    operations::{Deployment, Entry, Named, Problem, named_by, pointer_of},
    store::Candidate,
    table::Cells,
};

/// The field of a payment's reference (UTR).
const REFERENCE: &str = "utr_payment_id";

/// What has been found in the rows so far.
#[derive(Debug, Default)]
pub(super) struct Slips {
    /// The names (ids, UTRs, phone numbers) that consist of digits. The key is what the name identifies, and the name's
    /// digits without leading zeros. The value is the name as it is written in the first row that has it, and the
    /// number of that row.
    numbers: HashMap<(Bearer, String), (String, i32)>,
    /// The cells of each payment that has neither a UTR nor a `consent_id`, with the number of the first row that has
    /// these cells.
    payments: HashMap<Vec<(String, String)>, i32>,
}

/// What a name identifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Bearer {
    Client,
    Loan,
    Payment,
    Phone,
}

impl Bearer {
    fn of(key: &str, operation_type: OperationType) -> Option<Self> {
        let is_client = key == "clientId" || operation_type.is_about_client();
        Some(match named_by(key)? {
            Named::ClientOrLoan if is_client => Self::Client,
            Named::ClientOrLoan => Self::Loan,
            Named::Payment => Self::Payment,
            Named::Phone => Self::Phone,
        })
    }
}

impl Slips {
    /// The problems that a row has in comparison with the rows before it.
    pub(super) fn find(
        &mut self,
        row: i32,
        (entry, data): (&Entry, &RawValue),
        cells: &Cells<'_>,
        deployment: &Deployment,
    ) -> Vec<Problem> {
        let mut problems = self.other_zeros(row, entry.operation_type, cells);
        if matches!((entry.moves)(data, deployment), Ok(Some(_))) {
            problems.extend(self.repeated_payment(row, cells));
        }
        problems.extend(empty_amount(entry, cells.empty()));
        problems
    }

    fn other_zeros(
        &mut self,
        row: i32,
        operation_type: OperationType,
        cells: &Cells<'_>,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, text) in cells.filled() {
            let bearer = Bearer::of(key, operation_type);
            let Some((bearer, digits)) = bearer.zip(digits_of(text)) else {
                continue;
            };
            let first = self.numbers.entry((bearer, digits.to_owned()));
            let (first, first_row) = first.or_insert_with(|| (text.to_owned(), row));
            if first != text {
                let message = format!(
                    "differs from the number in row {first_row} only by leading zeros or a leading plus: a spreadsheet may have removed them from one of the two"
                );
                problems.push(problem(&pointer_of(key), "other_zeros", message));
            }
        }
        problems
    }

    /// A problem if a row without a UTR and without a `consent_id` has the same cells as an earlier row.
    fn repeated_payment(&mut self, row: i32, cells: &Cells<'_>) -> Option<Problem> {
        if [REFERENCE, "consent_id"]
            .iter()
            .any(|name| cells.get(name).is_some())
        {
            return None;
        }
        let texts = cells
            .filled()
            .map(|(key, text)| (key.to_owned(), text.to_owned()));
        match self.payments.entry(texts.collect()) {
            hash_map::Entry::Vacant(new) => {
                new.insert(row);
                None
            }
            hash_map::Entry::Occupied(first) => {
                let message = format!(
                    "repeats row {}: if both are intended, give each its own utr_payment_id or consent_id",
                    first.get()
                );
                Some(problem("", "repeated_payment", message))
            }
        }
    }
}

/// A problem if the cell of the amount is empty. A missing amount means the whole amount only if the table has no
/// column for the amount.
fn empty_amount<'a>(entry: &Entry, mut empty: impl Iterator<Item = &'a str>) -> Option<Problem> {
    let amount = entry.all_without?;
    empty.any(|column| column == amount).then(|| {
        let message = "must be the amount: if the table has this column, an empty cell does not mean the whole amount";
        problem(&pointer_of(amount), "empty_amount", message)
    })
}

/// Returns a problem for the UTR, and for the amount, if a row in the table of a retry does not have this field
/// although the row had it before. The UTR prevents a second payment.
pub(super) fn left_out(entry: &Entry, candidate: &Candidate, cells: &NewCells) -> Vec<Problem> {
    let is_filled = |key: &str| cells.filled.iter().any(|(name, _)| name == key);
    let mut problems = Vec::new();
    let names = names::stored(candidate);
    if names.iter().any(|(key, _)| key == REFERENCE) && !is_filled(REFERENCE) {
        let message = "must not be missing: the row had a UTR, which prevents a second payment";
        problems.push(problem(&pointer_of(REFERENCE), "left_out", message));
    }
    let Some(amount) = entry.all_without.filter(|amount| !is_filled(amount)) else {
        return problems;
    };
    if let Some(payload) = &candidate.payload {
        let fields: Result<HashMap<String, &RawValue>, _> = serde_json::from_str(payload.get());
        if fields.is_ok_and(|fields| fields.contains_key(amount)) {
            let message = "must not be missing: the row had an amount";
            problems.push(problem(&pointer_of(amount), "left_out", message));
        }
    } else {
        // The payload is not known, so the row may have had an amount.
        problems.extend(empty_amount(
            entry,
            cells.columns.iter().map(String::as_str),
        ));
    }
    problems
}

/// The digits that a spreadsheet keeps of a number: without a plus and leading zeros. `None` if the text is not a
/// number.
fn digits_of(text: &str) -> Option<&str> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.trim_start_matches('0'))
}
