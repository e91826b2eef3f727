//! Whose data is erased: a client and its loans, and their operations.

use sqlx::PgConnection;
use uuid::Uuid;

use super::ACTION;
use crate::store::{StoreError, patience::WithTimeout};

/// A client and its loans.
pub(super) struct Subject {
    /// The lane of the client.
    pub(super) client: String,
    /// The lanes of its loans.
    pub(super) loans: Vec<String>,
    /// The operations that write these lanes, and those that were to create loans of the client.
    pub(super) operations: Vec<Uuid>,
}

/// The lane of the client, if there is one, and the lanes of its loans, in the order of their keys. A loan that could not be
/// created for the client is not its loan if somebody has tried to create it for another client.
pub(super) async fn lanes_of(
    connection: &mut PgConnection,
    client: &str,
) -> Result<Vec<String>, StoreError> {
    // The loans are known by the operations that read the lane of the client: ended, archived, dropped and open ones.
    sqlx::query_scalar!(
        r#"SELECT key AS "key!" FROM (
               SELECT key FROM lane WHERE key = $1
                UNION
               SELECT o.lane
                 FROM known_operation o
                WHERE o.read_lane = $1 AND o.ended_at IS NOT NULL
                  AND (o.state = 'succeeded'
                       OR NOT EXISTS (SELECT FROM known_payload p
                                       CROSS JOIN LATERAL known_operations(ARRAY[p.operation_id]) other
                                       WHERE p.lane = o.lane AND other.read_lane <> $1)
                           AND NOT EXISTS (SELECT FROM past_read WHERE lane = o.lane AND read_lane <> $1))
                UNION
               SELECT lane FROM past_read WHERE read_lane = $1
                UNION
               SELECT o.lane FROM lane_entry e JOIN operation o ON o.id = e.operation_id
                WHERE e.lane = $1 AND NOT e.writes) lanes
            ORDER BY key"#,
        client
    )
    .fetch_all(connection)
    .or_fail_to(ACTION)
    .await
}

impl Subject {
    /// The client with these lanes, which are locked.
    pub(super) async fn read(
        connection: &mut PgConnection,
        client: String,
        lanes: Vec<String>,
    ) -> Result<Self, StoreError> {
        let operations = sqlx::query_scalar!(
            r#"SELECT operation_id AS "id!" FROM known_payload WHERE lane = ANY ($1)
                UNION
               SELECT id FROM known_operation WHERE read_lane = $2 AND ended_at IS NOT NULL
                ORDER BY 1"#,
            &lanes,
            client
        )
        .fetch_all(connection)
        .or_fail_to(ACTION)
        .await?;
        Ok(Self {
            loans: lanes.into_iter().filter(|lane| *lane != client).collect(),
            client,
            operations,
        })
    }

    /// The lanes of the client and of its loans.
    pub(super) fn lanes(&self) -> Vec<String> {
        let client = std::iter::once(&self.client);
        client.chain(&self.loans).cloned().collect()
    }
}
