//! Whose data is erased: the lanes of a client and of its loans, and the operations that write them.

use std::collections::BTreeMap;

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{ACTION, CHUNK, EraseError};
use crate::{
    domain::{Attempt, Referent, decision::History},
    store::{Pool, StoreError, TrackingName, attempt::AttemptRow, patience::WithTimeout},
};

/// The lanes of a client and its loans, and the operations in them.
pub(super) struct Subject {
    /// The lane of the client, and those of its loans.
    pub(super) lanes: Vec<String>,
    /// The operations that write these lanes.
    pub(super) operations: Vec<Uuid>,
}

/// The lane of the client, and the lanes of its loans.
pub(super) async fn lanes_of(pool: &Pool, client: &str) -> Result<Vec<String>, EraseError> {
    // The loans are known by the operations that read the lane of the client: ended, archived, dropped and open ones.
    let lanes = sqlx::query_scalar!(
        r#"SELECT key AS "key!" FROM lane WHERE key = $1
            UNION
           SELECT lane FROM known_operation WHERE read_lane = $1 AND ended_at IS NOT NULL
            UNION
           SELECT lane FROM past_read WHERE read_lane = $1
            UNION
           SELECT o.lane FROM lane_entry e JOIN operation o ON o.id = e.operation_id
            WHERE e.lane = $1 AND NOT e.writes"#,
        client
    )
    .fetch_all(pool)
    .or_fail_to(ACTION)
    .await?;
    if lanes.iter().any(|lane| lane == client) {
        Ok(lanes)
    } else {
        Err(EraseError::UnknownClient)
    }
}

impl Subject {
    /// The operations in these lanes, which are locked.
    pub(super) async fn read(
        connection: &mut PgConnection,
        lanes: Vec<String>,
    ) -> Result<Self, StoreError> {
        let operations = sqlx::query_scalar!(
            r#"SELECT operation_id AS "id!" FROM known_payload WHERE lane = ANY ($1) ORDER BY operation_id"#,
            &lanes
        )
        .fetch_all(connection)
        .or_fail_to(ACTION)
        .await?;
        Ok(Self { lanes, operations })
    }
}

/// The operations that have not ended, and those with a command that Fineract may still execute. The lanes are locked.
pub(super) async fn open_operations(
    connection: &mut PgConnection,
    subject: &Subject,
) -> Result<Vec<TrackingName>, StoreError> {
    let open = sqlx::query!(
        // Also a loan that was accepted since its lanes were read: it reads the lane of the client.
        "SELECT DISTINCT o.id, o.type
           FROM lane_entry e
           JOIN operation o ON o.id = e.operation_id
          WHERE e.lane = ANY ($1)
          ORDER BY o.id",
        &subject.lanes
    )
    .fetch_all(&mut *connection)
    .or_fail_to(ACTION)
    .await?;
    let open = open
        .iter()
        .map(|row| TrackingName::new(&row.r#type, row.id));
    let mut open: Vec<TrackingName> = open.collect();
    for ids in subject.operations.chunks(CHUNK) {
        for id in with_open_keys(connection, ids).await? {
            open.extend(name(connection, id).await?);
        }
    }
    Ok(open)
}

async fn name(connection: &mut PgConnection, id: Uuid) -> Result<Option<TrackingName>, StoreError> {
    let ended = sqlx::query_scalar!(
        r#"SELECT type AS "type!" FROM known_operations(ARRAY[$1::uuid]) WHERE ended_at IS NOT NULL"#,
        id
    );
    let ended = ended.fetch_optional(connection).or_fail_to(ACTION).await?;
    Ok(ended.map(|name| TrackingName::new(&name, id)))
}

/// Those of these operations with a command that Fineract may still execute.
async fn with_open_keys(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, StoreError> {
    let rows = sqlx::query_as!(
        AttemptRow,
        r#"SELECT operation_id AS "operation_id!", number AS "number!", key_number AS "key_number!", method AS "method!",
                  path AS "path!", body, status, cached, answer, error, effect_preexisted AS "effect_preexisted!", username,
                  referents AS "referents: Json<Vec<Referent>>", epoch AS "epoch!",
                  EXTRACT(EPOCH FROM now() - sent_at)::float8 AS "age_seconds!"
             FROM known_attempts($1)
            ORDER BY operation_id, number"#,
        ids
    )
    .fetch_all(connection)
    .or_fail_to(ACTION)
    .await?;
    let mut attempts: BTreeMap<Uuid, Vec<Attempt>> = BTreeMap::new();
    for row in rows {
        let of = attempts.entry(row.operation_id).or_default();
        of.push(row.into_attempt()?);
    }
    let open = attempts
        .into_iter()
        .filter(|(_, attempts)| History::new(attempts).may_still_run());
    Ok(open.map(|(id, _)| id).collect())
}
