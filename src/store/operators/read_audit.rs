//! Shows the audit: who did what.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::store::{Store, StoreError, patience::WithTimeout};

/// How many rows of the audit a page examines at most.
const MOST_EXAMINED: i64 = 10_000;

/// Which actions to show. An action that is shown meets every condition that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The name of the operator's token.
    pub operator: Option<String>,
    /// The action.
    pub action: Option<String>,
    /// The operation.
    pub operation: Option<Uuid>,
    /// The repair that acted for the operator, or that the action started or stopped.
    pub repair: Option<Uuid>,
    /// At this time or later.
    pub after: Option<DateTime<Utc>>,
    /// Before this time.
    pub before: Option<DateTime<Utc>>,
}

/// An action of an operator.
#[derive(Debug, JsonSchema, Serialize)]
pub struct AuditRow {
    /// The number of the row. Later actions have higher numbers.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// The name of the operator's token.
    pub operator: String,
    /// The action.
    pub action: String,
    /// The UUID of the operation; `None` if the action concerned more than one.
    pub operation_id: Option<Uuid>,
    /// The id of the request.
    pub request_id: String,
    /// The address from which the request came.
    pub address: Option<String>,
    /// Why, in the words of the operator.
    pub reason: Option<String>,
    /// The operation before the action.
    pub before: Option<Value>,
    /// The operation after the action.
    pub after: Option<Value>,
    /// The repair that acted for the operator.
    pub repair: Option<Uuid>,
    /// What was requested.
    pub detail: Value,
    /// The operator's credential; `None`: a token of the settings, or the command line.
    pub credential_id: Option<Uuid>,
}

/// A page of the audit.
#[derive(Debug, JsonSchema, Serialize)]
pub struct AuditPage {
    /// The actions, the newest one first.
    pub actions: Vec<AuditRow>,
    /// Where the next page begins; `None` on the last page.
    pub next_cursor: Option<i64>,
}

impl Store {
    /// Shows the audit, the newest action first. A page may have fewer actions than its limit although there are more.
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        limit: usize,
        below: Option<i64>,
    ) -> Result<AuditPage, StoreError> {
        // Operations and repairs have an index. Otherwise the newest rows are examined.
        let mut actions = sqlx::query_as!(
            AuditRow,
            r#"SELECT a.id AS "id!", a.at AS "at!", a.operator AS "operator!", a.action AS "action!", a.operation_id,
                      a.request_id AS "request_id!", a.address, a.reason, a.before, a.after, a.repair_id AS repair,
                      a.detail AS "detail!", a.credential_id
                 FROM (
                      (SELECT * FROM audit WHERE operation_id = $1 AND id < $7 ORDER BY id DESC LIMIT $8)
                       UNION ALL
                      (SELECT * FROM audit
                        WHERE $1::uuid IS NULL AND repair_id = $2 AND id < $7 ORDER BY id DESC LIMIT $8)
                       UNION ALL
                      (SELECT * FROM audit
                        WHERE $1::uuid IS NULL AND $2::uuid IS NULL AND id < $7 ORDER BY id DESC LIMIT $8)) a
                WHERE ($2::uuid IS NULL OR a.repair_id = $2)
                  AND ($3::text IS NULL OR a.operator = $3)
                  AND ($4::text IS NULL OR a.action = $4)
                  AND ($5::timestamptz IS NULL OR a.at >= $5)
                  AND ($6::timestamptz IS NULL OR a.at < $6)
                ORDER BY a.id DESC
                LIMIT $9"#,
            filter.operation,
            filter.repair,
            filter.operator,
            filter.action,
            filter.after,
            filter.before,
            below.unwrap_or(i64::MAX),
            MOST_EXAMINED,
            i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
        )
        .fetch_all(&self.pool)
        .or_fail_to("read the audit")
        .await?;
        let has_more = actions.len() > limit;
        actions.truncate(limit);
        let next_cursor = if has_more {
            actions.last().map(|last| last.id)
        } else {
            self.audit_rest(filter, below).await?
        };
        Ok(AuditPage {
            actions,
            next_cursor,
        })
    }

    /// Where the page after the examined rows begins, if there are older ones.
    async fn audit_rest(
        &self,
        filter: &AuditFilter,
        below: Option<i64>,
    ) -> Result<Option<i64>, StoreError> {
        // An operation has only a few actions.
        if filter.operation.is_some() {
            return Ok(None);
        }
        sqlx::query_scalar!(
            r#"SELECT id AS "id!" FROM (
                   (SELECT id FROM audit WHERE repair_id = $3 AND id < $1 ORDER BY id DESC OFFSET $2 LIMIT 1)
                    UNION ALL
                   (SELECT id FROM audit WHERE $3::uuid IS NULL AND id < $1 ORDER BY id DESC OFFSET $2 LIMIT 1)) a"#,
            below.unwrap_or(i64::MAX),
            MOST_EXAMINED - 1,
            filter.repair
        )
        .fetch_optional(&self.pool)
        .or_fail_to("read the audit")
        .await
    }
}
