//! References (UTRs) in the notes of a loan: where they stand without a payment type.
//!
//! An additional protection. Fineract's source has a repayment's note bear its transaction's number, and a payout's note be
//! the loan's; no recording holds any. What is not there, or cannot be read, refuses nothing.

use crate::domain::{Note, Transaction, comparable_reference};

/// The shortest reference, as it is compared, that is looked for in words of other people: a shorter one may stand there
/// for anything.
const SHORTEST: usize = 6;
/// The most words that one reference is written in.
const MOST_WORDS: usize = 5;

/// A note as the gateway writes it.
pub(super) fn written(note: Option<&str>, reference: &str) -> String {
    match note {
        Some(note) => format!("{note} (UTR {reference})"),
        None => format!("UTR {reference}"),
    }
}

/// Whether a note says that one of these payments, which stand, bears a reference, given as it is compared.
///
/// The note of a transaction may be anybody's. One of the loan's may also say what was not paid ("UTR … came back"): it counts
/// only where it is as the gateway writes it.
pub(super) fn pays(note: &Note, reference: &str, standing: &[&Transaction]) -> bool {
    match note.transaction {
        Some(id) => {
            standing.iter().any(|paid| paid.id == id)
                && (is_written(&note.text, reference) || bears(&note.text, reference))
        }
        None => !standing.is_empty() && is_written(&note.text, reference),
    }
}

/// Whether the gateway may have written it for this reference.
fn is_written(text: &str, reference: &str) -> bool {
    let is = |written: &str| comparable_reference(written) == reference;
    let behind = || text.strip_suffix(')')?.rsplit_once(" (UTR ");
    text.strip_prefix("UTR ").is_some_and(is) || behind().is_some_and(|(_, written)| is(written))
}

/// Whether words that follow each other are the reference.
fn bears(text: &str, reference: &str) -> bool {
    if reference.chars().count() < SHORTEST || !comparable_reference(text).contains(reference) {
        return false;
    }
    let words: Vec<&str> = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .collect();
    (1..=MOST_WORDS).any(|count| {
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
    fn a_note_bears_a_reference_or_not() {
        for (text, reference, transaction, expected) in [
            ("UTR HDFC-001", "HDFC-001", true, true),
            ("UTR hdfc001", "HDFC-001", true, true),
            ("First instalment (UTR HDFC-001)", "HDFC-001", true, true),
            ("(UTR 1) (UTR HDFC (1))", "HDFC (1)", true, true),
            ("UTR 12", "12", true, true),
            ("UTR HDFC-0012", "HDFC-001", true, false),
            ("", "HDFC-001", true, false),
            // Other people's words.
            ("by NEFT, HDFC-0012 34.", "HDFC-001234", true, true),
            ("ref:HDFC-001234", "HDFC-001234", true, false),
            ("NEFT HDFC-0012345", "HDFC-001234", true, false),
            ("paid 12 EMIs", "12", true, false),
            // A payout's note is the loan's, as is what somebody has to say of it.
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
                pays(&note, &reference, &[&other, &paid]),
                expected,
                "{text}"
            );
            assert!(!pays(&note, &reference, &[]), "none stands: {text}");
            if transaction {
                assert!(!pays(&note, &reference, &[&other]), "undone: {text}");
            }
        }
    }
}
