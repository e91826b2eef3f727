//! What the gateway knows of Fineract's books: the epoch, the numbers of clients and loans, and what operators have
//! confirmed.

use super::{Store, StoreError, patience::WithTimeout};
use crate::domain::Lane;

/// A client or loan that the gateway created, with the number that Fineract assigned to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownNumber {
    /// The lane of the client or loan.
    pub lane: String,
    /// The number.
    pub number: i64,
    /// The external id, as the gateway sent it; `None` if an older gateway stored the number.
    pub external_id: Option<String>,
}

impl KnownNumber {
    /// Whether this client or loan has the given external id. If no external id was stored, the given external
    /// id is compared with the key of the lane.
    pub fn is_named(&self, external_id: &str) -> bool {
        if let Some(own) = &self.external_id {
            return own == external_id;
        }
        Lane::is_named(&self.lane, external_id)
    }
}

impl Store {
    /// The epoch of Fineract's books. Numbers of earlier epochs are not valid any more.
    pub async fn epoch(&self) -> Result<i32, StoreError> {
        sqlx::query_scalar!("SELECT epoch FROM books")
            .fetch_one(&self.pool)
            .or_fail_to("read the epoch of Fineract's books")
            .await
    }

    /// Returns the last `count` clients that the gateway created in this epoch: the clients with the highest numbers.
    pub async fn newest_clients(&self, count: i64) -> Result<Vec<KnownNumber>, StoreError> {
        self.newest("client", count).await
    }

    /// Returns the last `count` loans that the gateway created in this epoch: the loans with the highest numbers.
    pub async fn newest_loans(&self, count: i64) -> Result<Vec<KnownNumber>, StoreError> {
        self.newest("loan", count).await
    }

    async fn newest(&self, of: &str, count: i64) -> Result<Vec<KnownNumber>, StoreError> {
        sqlx::query_as!(
            KnownNumber,
            r#"SELECT key AS lane, resource_id AS "number!", resource_name AS external_id
                 FROM lane
                WHERE split_part(key, ':', 1) = $1 AND resource_id IS NOT NULL
                  AND resource_epoch = (SELECT epoch FROM books)
                ORDER BY resource_id DESC LIMIT $2"#,
            of,
            count
        )
        .fetch_all(&self.pool)
        .or_fail_to("read the newest clients or loans")
        .await
    }

    /// Whether an operator has confirmed that the number still belongs to the lane's client or loan, although Fineract
    /// shows this external id for the number.
    pub async fn is_confirmed(
        &self,
        lane: &str,
        number: i64,
        external_id: &str,
    ) -> Result<bool, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM confirmed_number
                               WHERE lane = $1 AND number = $2 AND external_id = $3
                                 AND epoch = (SELECT epoch FROM books)) AS "is_confirmed!""#,
            lane,
            number,
            external_id
        )
        .fetch_one(&self.pool)
        .or_fail_to("read confirmed numbers")
        .await
    }
}
