//! What `q` finds: a tracking id, a UUID, an external id or its beginning, or a UTR.

use uuid::Uuid;

use super::walk::{ACTION, Range};
use crate::{
    domain::{Lane, comparable_reference, is_number},
    store::{Store, StoreError, patience::WithTimeout},
};

/// The largest number of lanes whose names begin with the text that is searched for.
const LANES: i64 = 50;
/// The largest number of operations with a UTR, for each form of it.
const PAYMENTS: i64 = 1_000;
/// The length of the longest UTRs of Indian banks, those of RTGS.
const LONGEST_UTR: usize = 22;

impl Store {
    /// The operations that a text refers to, newest first. If the text is the external id of a client or loan, longer
    /// external ids that begin with it are not looked for.
    pub(super) async fn walk_search(
        &self,
        q: &str,
        range: &Range,
        count: i64,
    ) -> Result<Vec<Uuid>, StoreError> {
        let uuid = q.rsplit_once('|').map_or(q, |(_, uuid)| uuid);
        let mut found = if let Ok(id) = Uuid::try_parse(uuid) {
            vec![id]
        } else {
            let lanes = self.find_lanes(q).await?;
            let mut found = self.walk_lanes(&lanes, range, count).await?;
            found.extend(self.find_payments(q).await?);
            found
        };
        found.retain(|id| (range.lowest..range.below).contains(id));
        found.sort_unstable_by(|one, other| other.cmp(one));
        found.dedup();
        found.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        Ok(found)
    }

    /// The lanes of the client and the loan with this external id. If there are none: the lanes of external ids that
    /// begin with the text.
    async fn find_lanes(&self, external_id: &str) -> Result<Vec<String>, StoreError> {
        let lanes = [Lane::client(external_id), Lane::loan(external_id)];
        let lanes = lanes.map(|lane| lane.to_string());
        let exact = sqlx::query_scalar!("SELECT key FROM lane WHERE key = ANY ($1)", &lanes)
            .fetch_all(&self.pool)
            .or_fail_to(ACTION)
            .await?;
        if !exact.is_empty() {
            return Ok(exact);
        }
        let ends = lanes.each_ref().map(|lane| format!("{lane}\u{10FFFF}"));
        sqlx::query_scalar!(
            r#"SELECT l.key AS "key!"
                 FROM unnest($1::text[], $2::text[]) AS p (begins, ends)
                CROSS JOIN LATERAL (
                      SELECT key FROM lane WHERE key >= p.begins AND key < p.ends ORDER BY key LIMIT $3) l"#,
            &lanes,
            &ends,
            LANES
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
    }

    /// The operations with this UTR, which may be written with other blanks, dashes and zeros and in another case. Each form is
    /// looked up for itself, in the order of the index: Postgres knows too little about the forms to choose this index
    /// for all at once.
    async fn find_payments(&self, reference: &str) -> Result<Vec<Uuid>, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT p.operation_id AS "id!"
                 FROM (SELECT DISTINCT unnest(plain_reference($1) || $2::text[])) AS form (reference)
                CROSS JOIN LATERAL (
                      SELECT operation_id FROM known_payload
                       WHERE reference IS NOT NULL AND plain_reference(reference) = form.reference
                       ORDER BY operation_id DESC
                       LIMIT $3) p"#,
            reference,
            &forms(&comparable_reference(reference)),
            PAYMENTS
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
    }
}

/// A UTR in its comparable form, and if it is a number, the forms of it that have zeros at the beginning.
fn forms(comparable: &str) -> Vec<String> {
    let longest = if is_number(comparable) {
        LONGEST_UTR
    } else {
        0
    };
    (comparable.len()..=longest.max(comparable.len()))
        .map(|length| format!("{comparable:0>length$}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_have_forms_with_zeros() {
        assert_eq!(forms("hdfc1"), ["hdfc1"]);
        assert_eq!(forms(""), [""], "a search for a dash");
        let forms = forms("123456789012345678901");
        assert_eq!(forms, ["123456789012345678901", "0123456789012345678901"]);
    }
}
