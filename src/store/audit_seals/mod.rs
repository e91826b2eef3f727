//! Seals of the audit, by which a changed, missing, added or reordered row is found
//! (`docs/adr/0048-the-audit-is-sealed-in-ranges.md`).
//!
//! The `sealer` seals the rows that are committed, `verify` compares rows and seals, and `noted` keeps the newest
//! seal where others see it. This file computes the hash of a seal; `docs/OPERATING.md` tells how to do the same by
//! hand.

mod mark;
mod noted;
mod sealer;
mod verify;

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgExecutor};

pub use self::{
    mark::SealMark,
    verify::{AuditProblem, VerifiedAudit, verify_audit},
};
use super::{StoreError, patience::WithTimeout};

const ACTION: &str = "read the seals of the audit";

/// A seal, with all values as texts that go into a hash.
#[derive(Clone, Debug)]
struct Seal {
    number: i64,
    previous: Option<String>,
    at: String,
    last_id: i64,
    row_count: i32,
    hash: String,
}

/// A row of the audit, with all values as texts that go into a hash.
#[derive(Debug)]
struct Row {
    id: i64,
    at: String,
    operator: String,
    action: String,
    operation_id: Option<String>,
    request_id: String,
    detail: String,
    address: Option<String>,
    reason: Option<String>,
    before: Option<String>,
    after: Option<String>,
    repair_id: Option<String>,
    credential_id: Option<String>,
}

impl Seal {
    /// What the hash must be, if these are the rows of the range.
    fn hash_over(&self, rows: &[Row]) -> String {
        let mut sealed = Sealed::default();
        sealed.add("number", Some(&self.number.to_string()));
        sealed.add("previous", self.previous.as_deref());
        sealed.add("at", Some(&self.at));
        sealed.add("last_id", Some(&self.last_id.to_string()));
        sealed.add("row_count", Some(&self.row_count.to_string()));
        for row in rows {
            row.add_to(&mut sealed);
        }
        sealed.hash()
    }

    /// The mark by which people note the seal.
    fn mark(&self) -> SealMark {
        SealMark {
            number: self.number,
            hash: self.hash.clone(),
        }
    }
}

impl Row {
    /// A new column goes to the end. Old rows have no value in it, so their seals stay right.
    fn add_to(&self, sealed: &mut Sealed) {
        sealed.add("id", Some(&self.id.to_string()));
        sealed.add("at", Some(&self.at));
        sealed.add("operator", Some(&self.operator));
        sealed.add("action", Some(&self.action));
        sealed.add("operation_id", self.operation_id.as_deref());
        sealed.add("request_id", Some(&self.request_id));
        sealed.add("detail", Some(&self.detail));
        sealed.add("address", self.address.as_deref());
        sealed.add("reason", self.reason.as_deref());
        sealed.add("before", self.before.as_deref());
        sealed.add("after", self.after.as_deref());
        sealed.add("repair_id", self.repair_id.as_deref());
        sealed.add("credential_id", self.credential_id.as_deref());
    }
}

/// What is hashed: a line `NAME LENGTH VALUE` for each value. A value of `NULL` has no line. The length, in bytes,
/// tells where a value ends, so no two lists of values give the same lines.
#[derive(Default)]
struct Sealed(Sha256);

impl Sealed {
    fn add(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.0
                .update(format!("{name} {} {value}\n", value.len()).as_bytes());
        }
    }

    fn hash(self) -> String {
        let mut hash = String::with_capacity(64);
        for byte in self.0.finalize() {
            // Writing into a text cannot fail.
            write!(hash, "{byte:02x}").ok();
        }
        hash
    }
}

/// Reads the rows after one id, up to another one, in the order of their ids.
async fn rows_between(
    connection: &mut PgConnection,
    after: i64,
    last: i64,
    most: i64,
) -> Result<Vec<Row>, StoreError> {
    sqlx::query_as!(
        Row,
        r#"SELECT id AS "id!", to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "at!",
                  operator AS "operator!", action AS "action!", operation_id::text, request_id AS "request_id!",
                  detail::text AS "detail!", address, reason, before::text, after::text, repair_id::text,
                  credential_id::text
             FROM audit
            WHERE id > $1 AND id <= $2
            ORDER BY id
            LIMIT $3"#,
        after,
        last,
        most
    )
    .fetch_all(connection)
    .or_fail_to("read the audit")
    .await
}

/// Reads the newest seal.
async fn newest_seal(executor: impl PgExecutor<'_>) -> Result<Option<Seal>, StoreError> {
    sqlx::query_as!(
        Seal,
        r#"SELECT number, previous, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "at!", last_id,
                  row_count, hash
             FROM audit_seal
            ORDER BY number DESC
            LIMIT 1"#
    )
    .fetch_optional(executor)
    .or_fail_to(ACTION)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(values: &[(&str, Option<&str>)]) -> String {
        let mut sealed = Sealed::default();
        for (name, value) in values {
            sealed.add(name, *value);
        }
        sealed.hash()
    }

    #[test]
    fn a_hash_is_over_lines_with_names_and_lengths() {
        // printf 'a 1 x\nb 2 é\n' | sha256sum
        assert_eq!(
            hash(&[("a", Some("x")), ("n", None), ("b", Some("é"))]),
            "1960c80e70019d2e086de193542fdf678dfac3b54ffb19d1d994e383f655751e"
        );
    }

    #[test]
    fn no_two_lists_of_values_are_the_same() {
        let lists: [&[(&str, Option<&str>)]; 5] = [
            &[("a", Some("x\nb 1 y"))],
            &[("a", Some("x")), ("b", Some("y"))],
            &[("a", Some("")), ("b", Some("y"))],
            &[("b", Some("y"))],
            &[("b", Some("y")), ("a", Some("x"))],
        ];
        for (at, one) in lists.iter().enumerate() {
            for another in lists.iter().skip(at + 1) {
                assert_ne!(hash(one), hash(another));
            }
        }
    }
}
