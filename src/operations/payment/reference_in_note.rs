//! Finds references (UTRs) in the notes of a loan. If there is no payment type, the gateway sends the reference in a
//! note.
//!
//! This is an additional protection. According to Fineract's source, the note of a repayment contains the number of its
//! transaction, and the note of a disbursement belongs to the loan. No recording of a real Fineract shows this. So a
//! note that is missing or unreadable never leads to a refusal.

use crate::domain::{Note, Transaction, comparable_reference};

/// In a note that somebody else has written, the gateway searches only for references of at least this many
/// characters, counted in the comparable form. A shorter text may have another meaning in such a note.
const SHORTEST_SEARCHED: usize = 6;
/// The largest number of words into which a note may split a reference.
const MAX_WORDS: usize = 5;

/// The note that the gateway sends for a payment with a reference.
pub(super) fn note_with_reference(note: Option<&str>, reference: &str) -> String {
    match note {
        Some(note) => format!("{note} (UTR {reference})"),
        None => format!("UTR {reference}"),
    }
}

/// Whether a note shows that one of the payments in `not_undone` used the reference. `reference` is in its comparable
/// form.
///
/// A note of a transaction counts regardless of who wrote it. A note of the loan may also report a payment that failed
/// ("UTR … came back"). So a note of the loan counts only if it has the form of the gateway's own notes.
pub(super) fn names_payment(note: &Note, reference: &str, not_undone: &[&Transaction]) -> bool {
    match note.transaction {
        Some(id) => {
            not_undone.iter().any(|paid| paid.id == id)
                && (is_gateway_note(&note.text, reference)
                    || contains_reference(&note.text, reference))
        }
        None => !not_undone.is_empty() && is_gateway_note(&note.text, reference),
    }
}

/// Whether the gateway may have written this note for the reference.
fn is_gateway_note(text: &str, reference: &str) -> bool {
    let is = |written: &str| comparable_reference(written) == reference;
    let behind = || text.strip_suffix(')')?.rsplit_once(" (UTR ");
    text.strip_prefix("UTR ").is_some_and(is) || behind().is_some_and(|(_, written)| is(written))
}

/// Whether consecutive words of the text form the reference.
fn contains_reference(text: &str, reference: &str) -> bool {
    if reference.chars().count() < SHORTEST_SEARCHED
        || !comparable_reference(text).contains(reference)
    {
        return false;
    }
    let words: Vec<&str> = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .collect();
    (1..=MAX_WORDS).any(|count| {
        words
            .windows(count)
            .any(|words| comparable_reference(&words.concat()) == reference)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(id: i64) -> Transaction {
        let json =
            format!(r#"{{"id":{id},"type":{{"id":2}},"amount":1,"manuallyReversed":false}}"#);
        Transaction::parse(&json).unwrap()
    }

    #[test]
    fn a_reference_is_found_in_a_note() {
        for (text, reference, transaction, expected) in [
            ("UTR HDFC-001", "HDFC-001", true, true),
            ("UTR hdfc001", "HDFC-001", true, true),
            ("First instalment (UTR HDFC-001)", "HDFC-001", true, true),
            ("(UTR 1) (UTR HDFC (1))", "HDFC (1)", true, true),
            ("UTR 12", "12", true, true),
            ("UTR HDFC-0012", "HDFC-001", true, false),
            ("", "HDFC-001", true, false),
            // Notes of other people.
            ("by NEFT, HDFC-0012 34.", "HDFC-001234", true, true),
            ("ref:HDFC-001234", "HDFC-001234", true, false),
            ("NEFT HDFC-0012345", "HDFC-001234", true, false),
            ("paid 12 EMIs", "12", true, false),
            // The note of a disbursement belongs to the loan, like any other note about it.
            ("UTR HDFC-001", "HDFC-001", false, true),
            ("Paid out (UTR HDFC-001)", "HDFC-001", false, true),
            ("UTR HDFC-001 came back", "HDFC-001", false, false),
        ] {
            let note = Note {
                text: text.to_owned(),
                transaction: transaction.then_some(7),
            };
            let reference = comparable_reference(reference);
            let (paid, other) = (self::transaction(7), self::transaction(8));
            assert_eq!(
                names_payment(&note, &reference, &[&other, &paid]),
                expected,
                "{text}"
            );
            assert!(!names_payment(&note, &reference, &[]), "all undone: {text}");
            if transaction {
                assert!(
                    !names_payment(&note, &reference, &[&other]),
                    "undone: {text}"
                );
            }
        }
    }
}
