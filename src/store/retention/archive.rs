//! One step: moves some of the oldest ended operations into the archive.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::Retention;
use crate::{
    domain::{Attempt, Referent, decision::History},
    store::{StoreError, attempt::AttemptRow, patience::WithTimeout},
    telemetry::chain,
};

/// How many operations a step examines.
const CHUNK: i64 = 50;

/// An ended operation, in the order of their ends.
pub(super) type Ended = (DateTime<Utc>, Uuid);

/// What a step has done.
pub(super) enum Step {
    /// No further operation is old enough.
    AtEnd,
    /// A gateway runs that does not know the archive.
    OlderGateway,
    Examined {
        count: i64,
        archived: i64,
        /// The next step begins after this one.
        last: Ended,
    },
}

impl Retention {
    /// Moves some operations that ended longer ago than `hot_for`, and after `after`.
    pub(super) async fn archive_step(
        &self,
        hot_for: Duration,
        after: Option<Ended>,
    ) -> Result<Step, StoreError> {
        let ended = self.ended(hot_for, after).await?;
        let Some(last) = ended.last().copied() else {
            return Ok(Step::AtEnd);
        };
        let ids: Vec<Uuid> = ended.iter().map(|(_, id)| *id).collect();
        let archived = match self.archive(hot_for, &ids).await {
            Err(error) if error.may_be_of_some_rows() => self.archive_each(hot_for, &ids).await?,
            archived => archived?,
        };
        Ok(match archived {
            None => Step::OlderGateway,
            Some(archived) => Step::Examined {
                count: i64::try_from(ids.len()).unwrap_or(i64::MAX),
                archived,
                last,
            },
        })
    }

    /// Moves those of these operations that can be moved, in one transaction. Returns how many; `None`: a gateway runs that
    /// does not know the archive.
    async fn archive(&self, hot_for: Duration, ids: &[Uuid]) -> Result<Option<i64>, StoreError> {
        let movable = self.without_open_keys(ids).await?;
        let archived = sqlx::query_scalar!(
            "SELECT archive_operations($1, now() - make_interval(secs => $2))",
            &movable,
            hot_for.as_secs_f64()
        )
        .fetch_one(&self.pool)
        .or_fail_to("archive operations")
        .await?;
        Ok(archived.map(i64::from))
    }

    /// As [`archive`](Self::archive), but each operation alone, and without those that cannot be moved: their rows are
    /// locked, or this gateway does not understand them.
    async fn archive_each(
        &self,
        hot_for: Duration,
        ids: &[Uuid],
    ) -> Result<Option<i64>, StoreError> {
        let mut all = 0;
        for id in ids {
            match self.archive(hot_for, &[*id]).await {
                Ok(Some(archived)) => all += archived,
                Ok(None) => return Ok(None),
                Err(error) if error.may_be_of_some_rows() => {
                    tracing::warn!(operation.id = %id, error = %chain(&error), "an ended operation could not be archived");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(all))
    }

    async fn ended(
        &self,
        hot_for: Duration,
        after: Option<Ended>,
    ) -> Result<Vec<Ended>, StoreError> {
        let (at, id) = after.unzip();
        let rows = sqlx::query!(
            r#"SELECT ended_at AS "ended_at!", id
                 FROM operation
                WHERE ended_at IS NOT NULL
                  AND (ended_at, id) > (COALESCE($1, '-infinity'::timestamptz),
                                        COALESCE($2, '00000000-0000-0000-0000-000000000000'::uuid))
                  AND ended_at < now() - make_interval(secs => $3)
                ORDER BY ended_at, id
                LIMIT $4"#,
            at,
            id,
            hot_for.as_secs_f64(),
            CHUNK
        )
        .fetch_all(&self.pool)
        .or_fail_to("look for operations to archive")
        .await?;
        Ok(rows.into_iter().map(|row| (row.ended_at, row.id)).collect())
    }

    /// Those of these ended operations no command of which may still run. The attempts of an ended operation do not change,
    /// except that an answer may arrive late: until then, the command may still run.
    async fn without_open_keys(&self, ids: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        let rows = sqlx::query_as!(
            AttemptRow,
            r#"SELECT operation_id, number, key_number, method, path, body, status, cached, answer, error,
                      effect_preexisted, username, referents AS "referents: Json<Vec<Referent>>", epoch,
                      EXTRACT(EPOCH FROM now() - sent_at)::float8 AS "age_seconds!"
                 FROM attempt
                WHERE operation_id = ANY ($1)
                ORDER BY operation_id, number"#,
            ids
        )
        .fetch_all(&self.pool)
        .or_fail_to("read the attempts of operations to archive")
        .await?;
        let mut attempts: HashMap<Uuid, Vec<Attempt>> = HashMap::new();
        for row in rows {
            let of = attempts.entry(row.operation_id).or_default();
            of.push(row.into_attempt()?);
        }
        let may_still_run = |id: &Uuid| {
            let attempts = attempts.get(id).map_or(&[][..], Vec::as_slice);
            History::new(attempts).may_still_run()
        };
        Ok(ids
            .iter()
            .copied()
            .filter(|id| !may_still_run(id))
            .collect())
    }
}
