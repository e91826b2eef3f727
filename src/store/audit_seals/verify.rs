//! Compares the audit with its seals, and seals with those that were noted outside of the database.

use std::fmt;

use sqlx::PgConnection;

use super::{ACTION, Seal, SealMark, rows_between};
use crate::store::{Pool, StoreError, connect, patience::WithTimeout};

/// How many seals are read at once.
const SEALS: i64 = 1_000;

/// The ids that a seal covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The number of the seal.
    pub seal: i64,
    /// The last id before the range; `None`: it begins with the first row.
    pub after: Option<i64>,
    /// The last id of the range.
    pub last: i64,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seal, after, last } = self;
        match after {
            Some(after) => write!(f, "seal {seal} (ids above {after}, up to {last})"),
            None => write!(f, "seal {seal} (ids up to {last})"),
        }
    }
}

/// What is wrong with the audit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditProblem {
    /// Seals are missing.
    #[error("seals {from} to {to} are missing")]
    Missing {
        /// The number of the first one.
        from: i64,
        /// The number of the last one.
        to: i64,
    },
    /// A seal does not contain the hash of the seal before it.
    #[error("seal {number} does not continue the seal before it: one of the two was changed")]
    Broken {
        /// The number of the seal.
        number: i64,
    },
    /// A range has another number of rows than when it was sealed.
    #[error("{range}: {sealed} rows were sealed, {found} are there")]
    Rows {
        /// The seal, and the ids of its range.
        range: Range,
        /// How many rows there were.
        sealed: i64,
        /// How many rows there are; one more than there were also stands for a greater number.
        found: usize,
    },
    /// The rows of a range, or the seal, are not what was sealed.
    #[error("{range}: a row or the seal itself was changed")]
    Changed {
        /// The seal, and the ids of its range.
        range: Range,
    },
    /// The database does not have a seal that was noted.
    #[error(
        "there is no seal {0}, which was noted: the newest rows and seals were removed, or the database was restored"
    )]
    NotThere(SealMark),
    /// A seal is not the one that was noted.
    #[error("seal {} is not the one that was noted, {noted}: the audit was written anew", .found.number)]
    Rewritten {
        /// The seal that was noted.
        noted: SealMark,
        /// The seal of the database.
        found: SealMark,
    },
}

/// The result of a verification.
#[derive(Clone, Debug, Default)]
pub struct VerifiedAudit {
    /// How many rows the seals cover.
    pub sealed: u64,
    /// How many rows have no seal yet, so that nothing is known about them.
    pub unsealed: u64,
    /// The newest seal, to be noted outside of the database.
    pub newest: Option<SealMark>,
    /// Everything that is wrong, in the order of the seals.
    pub problems: Vec<AuditProblem>,
}

/// Computes all seals again from the rows of the audit, in one snapshot. `noted` are seals that were noted earlier.
pub async fn verify_audit(pool: &Pool, noted: &[SealMark]) -> Result<VerifiedAudit, StoreError> {
    let mut snapshot = connect::begin_snapshot(pool).or_fail_to(ACTION).await?;
    let mut verified = VerifiedAudit::default();
    let mut unseen = noted.to_vec();
    let mut previous: Option<Seal> = None;
    loop {
        let seals = seals_after(&mut snapshot, previous.as_ref()).await?;
        if seals.is_empty() {
            break;
        }
        for seal in seals {
            let problems = [
                chain_problem(previous.as_ref(), &seal),
                range_problem(&mut snapshot, previous.as_ref(), &seal).await?,
            ];
            verified.problems.extend(problems.into_iter().flatten());
            verified.sealed += u64::try_from(seal.row_count).unwrap_or_default();
            let found = seal.mark();
            let of_this_number = unseen.extract_if(.., |noted| noted.number == found.number);
            for noted in of_this_number.filter(|noted| *noted != found) {
                let found = found.clone();
                verified
                    .problems
                    .push(AuditProblem::Rewritten { noted, found });
            }
            previous = Some(seal);
        }
    }
    let not_there = unseen.into_iter().map(AuditProblem::NotThere);
    verified.problems.extend(not_there);
    let last_id = previous.as_ref().map_or(i64::MIN, |seal| seal.last_id);
    let unsealed = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM audit WHERE id > $1"#,
        last_id
    )
    .fetch_one(&mut *snapshot)
    .or_fail_to(ACTION)
    .await?;
    verified.unsealed = u64::try_from(unsealed).unwrap_or_default();
    verified.newest = previous.map(|seal| seal.mark());
    Ok(verified)
}

/// Reads the next seals.
async fn seals_after(
    connection: &mut PgConnection,
    previous: Option<&Seal>,
) -> Result<Vec<Seal>, StoreError> {
    sqlx::query_as!(
        Seal,
        r#"SELECT number, previous, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "at!", last_id,
                  row_count, hash
             FROM audit_seal
            WHERE number > $1
            ORDER BY number
            LIMIT $2"#,
        previous.map_or(i64::MIN, |seal| seal.number),
        SEALS
    )
    .fetch_all(connection)
    .or_fail_to(ACTION)
    .await
}

/// Whether a seal does not follow the seal before it.
fn chain_problem(previous: Option<&Seal>, seal: &Seal) -> Option<AuditProblem> {
    let expected = previous.map_or(1, |seal| seal.number + 1);
    if seal.number != expected {
        return Some(AuditProblem::Missing {
            from: expected,
            to: seal.number - 1,
        });
    }
    let is_broken = seal.previous.as_ref() != previous.map(|seal| &seal.hash);
    is_broken.then_some(AuditProblem::Broken {
        number: seal.number,
    })
}

/// Whether the rows of a seal are not those that were sealed.
async fn range_problem(
    connection: &mut PgConnection,
    previous: Option<&Seal>,
    seal: &Seal,
) -> Result<Option<AuditProblem>, StoreError> {
    let after = previous.map_or(i64::MIN, |seal| seal.last_id);
    // One row more shows that there are too many.
    let most = i64::from(seal.row_count).saturating_add(1);
    let rows = rows_between(connection, after, seal.last_id, most).await?;
    let range = Range {
        seal: seal.number,
        after: previous.map(|seal| seal.last_id),
        last: seal.last_id,
    };
    let sealed = i64::from(seal.row_count);
    Ok(if i64::try_from(rows.len()) == Ok(sealed) {
        let is_changed = seal.hash_over(&rows) != seal.hash;
        is_changed.then_some(AuditProblem::Changed { range })
    } else {
        let found = rows.len();
        Some(AuditProblem::Rows {
            range,
            sealed,
            found,
        })
    })
}
