//! Reads whether Fineract shows our clients and loans under the numbers that the gateway stored.

use super::deps::Deps;
use crate::{
    domain::ReferentKind,
    fineract::{ReadFailure, Shown},
    store::{KnownNumber, StoreError},
};

/// Whose books Fineract has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BooksStatus {
    /// The books are ours, or the database has no number to check.
    Ours,
    /// The books are those of another Fineract.
    Foreign,
    /// Fineract could not be read.
    Unknown,
}

/// The results of reading our known numbers, counted by result. `own`: the expected client or loan exists. `gone`: a
/// loan is missing. `forbidden`: the gateway's user may not read the object. `unread`: the read failed.
#[derive(Debug, Default)]
pub(super) struct ReadCounts {
    own: usize,
    /// Lane and number of each client or loan that is missing or has another external id.
    pub(super) wrong: Vec<(String, i64)>,
    gone: usize,
    forbidden: usize,
    unread: usize,
}

impl ReadCounts {
    /// Concludes whose books Fineract has. `known` is the number of clients or loans to read. If a read failed, some
    /// of them were not read.
    pub(super) fn status(&self, known: usize) -> BooksStatus {
        let readable = self.own + self.forbidden;
        match (self.wrong.len(), self.gone) {
            (2.., _) => BooksStatus::Foreign,
            (1, _) if known == 1 => BooksStatus::Foreign,
            (1, _) if self.unread > 0 => BooksStatus::Unknown,
            (0, _) if readable == 0 && self.unread > 0 => BooksStatus::Unknown,
            // If several loan applications are known and none can be found, the books are not ours: that all were
            // deleted is unlikely.
            (0, 2..) if readable == 0 => BooksStatus::Foreign,
            (0 | 1, _) => BooksStatus::Ours,
        }
    }
}

/// Reads what Fineract shows under these numbers.
pub(super) async fn read_known(
    deps: &Deps,
    kind: ReferentKind,
    known: &[KnownNumber],
) -> Result<ReadCounts, StoreError> {
    let mut read = ReadCounts::default();
    for known in known {
        let shown = deps.fineract.shown_under(kind, known.number, None).await;
        match shown {
            Ok(shown) if is_own(deps, known, &shown).await? => read.own += 1,
            // A loan application may have been deleted; an active client cannot be.
            Ok(Shown::Nothing) if kind == ReferentKind::Loan => read.gone += 1,
            Ok(_) => read.wrong.push((known.lane.clone(), known.number)),
            Err(ReadFailure::NoAnswer(_)) => {
                read.unread += 1;
                break;
            }
            // A user that may not read clients cannot see whose clients they are.
            Err(failure) if failure.is_forbidden() => read.forbidden += 1,
            Err(_) => read.unread += 1,
        }
    }
    Ok(read)
}

async fn is_own(deps: &Deps, known: &KnownNumber, shown: &Shown) -> Result<bool, StoreError> {
    let Shown::Named(Some(name)) = shown else {
        return Ok(false);
    };
    if known.is_named(name) {
        return Ok(true);
    }
    deps.store
        .is_confirmed(&known.lane, known.number, name)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_wrong_numbers_mean_another_fineract_but_a_single_one_does_not() {
        // The counts, the number of known numbers, and the expected status.
        for ((own, wrong, gone, forbidden, unread), known, expected) in [
            ((0, 0, 0, 0, 0), 0, BooksStatus::Ours),
            ((5, 0, 0, 0, 0), 5, BooksStatus::Ours),
            ((4, 1, 0, 0, 0), 5, BooksStatus::Ours),
            ((3, 2, 0, 0, 0), 5, BooksStatus::Foreign),
            ((0, 1, 0, 0, 0), 1, BooksStatus::Foreign),
            ((3, 1, 0, 0, 1), 5, BooksStatus::Unknown),
            ((0, 0, 0, 0, 1), 5, BooksStatus::Unknown),
            ((0, 0, 0, 5, 0), 5, BooksStatus::Ours),
            // Some applications may have been deleted. But if several are known and none is found, the books are
            // not ours.
            ((1, 0, 4, 0, 0), 5, BooksStatus::Ours),
            ((0, 0, 1, 0, 0), 1, BooksStatus::Ours),
            ((0, 0, 2, 0, 0), 2, BooksStatus::Foreign),
            ((0, 0, 2, 0, 1), 5, BooksStatus::Unknown),
        ] {
            let read = ReadCounts {
                own,
                wrong: vec![("loan:l".to_owned(), 1); wrong],
                gone,
                forbidden,
                unread,
            };
            assert_eq!(read.status(known), expected, "{read:?} of {known}");
        }
    }
}
