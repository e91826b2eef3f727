//! Previews a repair, starts it, and stops it.

use serde_json::json;
use uuid::Uuid;

use super::{Expected, LARGEST, NewRepair, Preview, RepairError};
use crate::store::{Action, Operator, Store, connect, patience::WithTimeout};

const ACTION: &str = "start a repair";

impl Store {
    /// What a repair would do now.
    pub async fn preview_repair(&self, new: &NewRepair) -> Result<Preview, RepairError> {
        Ok(self.choose(new).await?.preview())
    }

    /// Stores a repair and its operations. A gateway then carries it out. Refused if the operations are not as
    /// `expected`. If the repair has been started already, nothing happens.
    pub async fn start_repair(
        &self,
        new: &NewRepair,
        expected: Expected<'_>,
        operator: &Operator,
    ) -> Result<(), RepairError> {
        if self.repair(new.id).await?.is_some() {
            return Ok(());
        }
        let choice = self.choose(new).await?;
        let matches = choice.chosen.len();
        if matches > LARGEST {
            return Err(RepairError::TooMany);
        }
        match expected {
            Expected::About(expected)
                if matches.saturating_mul(10) > expected.saturating_mul(11) =>
            {
                return Err(RepairError::MoreThanExpected { matches, expected });
            }
            Expected::Seen(digest) if digest != choice.digest() => {
                return Err(RepairError::NotAsSeen);
            }
            Expected::About(_) | Expected::Seen(_) => {}
        }
        let id = new.id;
        let rows = choice.chosen.into_iter();
        let (ids, seen): (Vec<Uuid>, Vec<String>) =
            rows.map(|chosen| (chosen.listed.id, chosen.seen)).unzip();
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        let inserted = sqlx::query!(
            "INSERT INTO repair (id, action, filter, options, reason, operator, request_id, address, credential_id,
                                 total)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, cardinality($10::uuid[]))
             ON CONFLICT (id) DO NOTHING",
            id,
            new.action.as_str(),
            json!(new.operations),
            json!(new.options),
            operator.reason.as_deref().unwrap_or_default(),
            operator.name,
            operator.request_id,
            operator.address,
            operator.credential,
            &ids
        )
        .execute(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(());
        }
        sqlx::query!(
            "INSERT INTO repair_row (repair_id, number, operation_id, seen)
             SELECT $1, n.number, n.id, n.seen
               FROM unnest($2::uuid[], $3::text[]) WITH ORDINALITY AS n (id, seen, number)",
            id,
            &ids,
            &seen
        )
        .execute(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        let detail = json!({ "action": new.action, "filter": new.operations, "options": new.options, "total": matches });
        let operator = Operator {
            repair: Some(id),
            ..operator.clone()
        };
        operator
            .record_for_all(&mut transaction, Action::StartRepair, detail)
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        Ok(())
    }

    /// Stops a repair. What it has done stays done. Stopping a repair that has ended has no effect.
    pub async fn stop_repair(&self, id: Uuid, operator: &Operator) -> Result<(), RepairError> {
        const ACTION: &str = "stop a repair";
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        let stopped = sqlx::query_scalar!(
            r#"UPDATE repair r
                  SET stopped_at = COALESCE(r.stopped_at, now()), stopped_by = COALESCE(r.stopped_by, $2)
                 FROM (SELECT id, stopped_at IS NULL AND ended_at IS NULL AS was_going FROM repair
                        WHERE id = $1 FOR NO KEY UPDATE) b
                WHERE r.id = b.id AND b.was_going
            RETURNING r.id"#,
            id,
            operator.name
        )
        .fetch_optional(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        if stopped.is_some() {
            let operator = Operator {
                repair: Some(id),
                ..operator.clone()
            };
            operator
                .record_for_all(&mut transaction, Action::StopRepair, json!({}))
                .await?;
        }
        transaction.commit().or_fail_to(ACTION).await?;
        Ok(())
    }
}
