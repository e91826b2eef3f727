//! Whether Fineract shows the clients and loans of ours under the numbers that we know.

use super::deps::Deps;
use crate::{
    domain::ReferentKind,
    fineract::{ReadFailure, Shown},
    store::{KnownNumber, StoreError},
};

/// What a look said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// They are ours, or nothing is known that could tell.
    Ours,
    /// They are another's.
    Another,
    /// Fineract or the database could not be read.
    Unread,
}

/// What is shown under the numbers of ours.
#[derive(Debug, Default)]
pub(super) struct Read {
    right: usize,
    /// What bears another external id, or is not there: the lanes and numbers.
    pub(super) wrong: Vec<(String, i64)>,
    gone: usize,
    forbidden: usize,
    unread: usize,
}

impl Read {
    /// What it says, of so many that are known.
    pub(super) fn standing(&self, known: usize) -> Standing {
        let readable = self.right + self.forbidden;
        match (self.wrong.len(), self.gone) {
            (2.., _) => Standing::Another,
            (1, _) if known == 1 => Standing::Another,
            (1, _) if self.unread > 0 => Standing::Unread,
            (0, _) if readable == 0 && self.unread > 0 => Standing::Unread,
            // None of several applications is there any more.
            (0, 2..) if readable == 0 => Standing::Another,
            (0 | 1, _) => Standing::Ours,
        }
    }
}

/// Reads what is shown under these numbers.
pub(super) async fn read_known(
    deps: &Deps,
    kind: ReferentKind,
    known: &[KnownNumber],
) -> Result<Read, StoreError> {
    let mut read = Read::default();
    for known in known {
        let shown = deps.fineract.shown_under(kind, known.number, None).await;
        match shown {
            Ok(shown) if is_shown(deps, known, &shown).await? => read.right += 1,
            // Unlike a client, an application may have been deleted.
            Ok(Shown::Nothing) if kind == ReferentKind::Loan => read.gone += 1,
            Ok(_) => read.wrong.push((known.lane.clone(), known.number)),
            Err(ReadFailure::NoAnswer(_)) => {
                read.unread += 1;
                break;
            }
            // Whoever may not read clients does not see whose they are.
            Err(failure) if failure.is_forbidden() => read.forbidden += 1,
            Err(_) => read.unread += 1,
        }
    }
    Ok(read)
}

async fn is_shown(deps: &Deps, known: &KnownNumber, shown: &Shown) -> Result<bool, StoreError> {
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
    fn some_that_are_wrong_are_another_fineracts_and_one_of_several_is_its_own_matter() {
        // Right, wrong, gone, forbidden, unread, of so many.
        for ((right, wrong, gone, forbidden, unread), known, expected) in [
            ((0, 0, 0, 0, 0), 0, Standing::Ours),
            ((5, 0, 0, 0, 0), 5, Standing::Ours),
            ((4, 1, 0, 0, 0), 5, Standing::Ours),
            ((3, 2, 0, 0, 0), 5, Standing::Another),
            ((0, 1, 0, 0, 0), 1, Standing::Another),
            ((3, 1, 0, 0, 1), 5, Standing::Unread),
            ((0, 0, 0, 0, 1), 5, Standing::Unread),
            ((0, 0, 0, 5, 0), 5, Standing::Ours),
            // Applications that are gone may have been deleted; but not all of several.
            ((1, 0, 4, 0, 0), 5, Standing::Ours),
            ((0, 0, 1, 0, 0), 1, Standing::Ours),
            ((0, 0, 2, 0, 0), 2, Standing::Another),
            ((0, 0, 2, 0, 1), 5, Standing::Unread),
        ] {
            let read = Read {
                right,
                wrong: vec![("loan:l".to_owned(), 1); wrong],
                gone,
                forbidden,
                unread,
            };
            assert_eq!(read.standing(known), expected, "{read:?} of {known}");
        }
    }
}
