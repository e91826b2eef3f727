//! Why an operation is where it is, and what a person can do about it, by reason code.

use std::{collections::BTreeMap, sync::LazyLock};

/// A reason in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    /// Why, in one or two sentences.
    pub(super) why: &'static str,
    /// What a person can do.
    pub(super) advice: &'static str,
}

const TABLE: &str = include_str!("reasons.md");

static REASONS: LazyLock<BTreeMap<&'static str, Reason>> = LazyLock::new(|| {
    let rows = TABLE.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
        let (code, why, advice) = (cells.next()?, cells.next()?, cells.next()?);
        Some((code, Reason { why, advice }))
    });
    rows.skip(2).collect()
});

/// The reason behind a code. `None` for a code that this gateway does not know; a newer gateway may have written it.
pub(super) fn reason(code: &str) -> Option<Reason> {
    REASONS.get(code).copied()
}

/// Whether the page has a sentence for this reason code.
pub fn explains(code: &str) -> bool {
    reason(code).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read_and_sorted() {
        let rows = TABLE.lines().filter(|line| line.starts_with("| "));
        let codes: Vec<_> = rows
            .skip(2)
            .filter_map(|row| row.split(' ').nth(1))
            .collect();
        assert!(codes.is_sorted(), "{codes:?}");
        assert_eq!(codes, REASONS.keys().copied().collect::<Vec<_>>());
    }

    #[test]
    fn a_reason_has_a_sentence_and_an_advice() {
        let reason = reason("evidence_cannot_tell").unwrap();
        assert_eq!(
            reason.why,
            "Fineract does not show whether the command took effect."
        );
        assert!(reason.advice.starts_with("Look in Fineract"));
        assert!(!explains("code"));
        assert!(!explains("no_such_code"));
    }
}
