//! Operations that have not ended, or have a command that Fineract may still execute.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{ACTION, CHUNK, subject::Subject};
use crate::{
    domain::{Attempt, Referent, decision::History},
    store::{StoreError, TrackingName, attempt::AttemptRow, patience::WithTimeout},
};

/// For how long the answer to a command of an ended operation may arrive late.
const LATE: Duration = Duration::from_hours(24);

/// What is not over.
pub(super) struct Unended {
    /// The operations that have not ended, and those whose answers may still arrive.
    pub(super) open: Vec<TrackingName>,
    /// The ended operations whose commands a worker may send again, word for word (`worker/late`), at any time.
    pub(super) sent_again: HashMap<Uuid, TrackingName>,
}

impl Unended {
    /// Of the operations in the lanes of the client and of its loans, which are locked.
    pub(super) async fn read(
        connection: &mut PgConnection,
        subject: &Subject,
    ) -> Result<Self, StoreError> {
        let open = sqlx::query!(
            "SELECT DISTINCT o.id, o.type
               FROM lane_entry e
               JOIN operation o ON o.id = e.operation_id
              WHERE e.lane = ANY ($1)
              ORDER BY o.id",
            &subject.lanes()
        )
        .fetch_all(&mut *connection)
        .or_fail_to(ACTION)
        .await?;
        let open = open.iter();
        let open = open.map(|row| TrackingName::new(&row.r#type, row.id));
        let mut unended = Self {
            open: open.collect(),
            sent_again: HashMap::new(),
        };
        for ids in subject.operations.chunks(CHUNK) {
            for (id, youngest) in with_open_keys(connection, ids).await? {
                unended.add(connection, id, youngest).await?;
            }
        }
        Ok(unended)
    }

    /// Adds an operation with a command that Fineract may still execute, if it has ended. Its youngest attempt has this age.
    async fn add(
        &mut self,
        connection: &mut PgConnection,
        id: Uuid,
        youngest: Duration,
    ) -> Result<(), StoreError> {
        let ended = sqlx::query!(
            r#"SELECT type AS "type!", key_number AS "key_number!" FROM known_operations(ARRAY[$1::uuid])
                WHERE ended_at IS NOT NULL"#,
            id
        );
        let ended = ended.fetch_optional(connection).or_fail_to(ACTION).await?;
        let Some(ended) = ended else { return Ok(()) };
        let name = TrackingName::new(&ended.r#type, id);
        if youngest < LATE {
            self.open.push(name);
        } else if ended.key_number > 1 {
            self.sent_again.insert(id, name);
        }
        Ok(())
    }
}

/// Those of these operations with a command that Fineract may still execute, and the ages of their youngest attempts.
async fn with_open_keys(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Duration)>, StoreError> {
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
    let youngest = |attempts: Vec<Attempt>| attempts.iter().map(|attempt| attempt.age).min();
    Ok(open
        .filter_map(|(id, attempts)| Some((id, youngest(attempts)?)))
        .collect())
}
