//! A lane as operators see it: the whole story of a client or a loan.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::list::Listed;
use crate::store::{Store, StoreError, patience::WithTimeout};

const ACTION: &str = "read a lane";

/// The largest number of operations in the story of a lane.
const STORY: usize = 500;

/// A lane, and its operations.
#[derive(Debug, JsonSchema, Serialize)]
pub struct LaneStory {
    /// The lane.
    pub lane: String,
    /// The number of the client or loan in Fineract, as the gateway learned it.
    pub fineract_number: Option<i64>,
    /// Whether the number belongs to an earlier epoch of Fineract's books, so that the gateway does not use it.
    pub is_of_earlier_books: bool,
    /// How many operations in the lane have not ended.
    pub open: i32,
    /// The operation whose failure also fails operations that are accepted now; `None` if there is none.
    pub failed_by: Option<Uuid>,
    /// The operations in the order of the lane, at most the newest 500.
    pub operations: Vec<LaneOperation>,
    /// Whether the lane has older operations, which the story leaves out.
    pub has_older: bool,
}

/// An operation in a lane.
#[derive(Debug, JsonSchema, Serialize)]
pub struct LaneOperation {
    /// The operation.
    #[serde(flatten)]
    pub operation: Listed,
    /// The position in this lane.
    pub lane_position: i64,
    /// Whether the operation writes this lane. If not, it reads the lane.
    pub writes: bool,
}

impl Store {
    /// Reads a lane. `None` if the gateway has never accepted an operation in it.
    pub async fn lane_story(&self, lane: &str) -> Result<Option<LaneStory>, StoreError> {
        let row = sqlx::query!(
            r#"SELECT l.resource_id, l.members, l.resource_epoch <> b.epoch AS "is_of_earlier_books!",
                      CASE WHEN NOT l.failure_read AND l.failed_at > now() - interval '60 s' THEN l.failed_by END AS failed_by
                 FROM lane l CROSS JOIN books b
                WHERE l.key = $1"#,
            lane
        )
        .fetch_optional(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let mut ids = self.lane_ids(lane).await?;
        let has_older = ids.len() > STORY;
        ids.truncate(STORY);
        let operations = self.read_listed(&ids).await?;
        let mut operations: Vec<LaneOperation> = operations
            .into_iter()
            .filter_map(|listed| LaneOperation::of(listed, lane))
            .collect();
        operations.sort_by_key(|operation| operation.lane_position);
        Ok(Some(LaneStory {
            lane: lane.to_owned(),
            fineract_number: row.resource_id,
            is_of_earlier_books: row.is_of_earlier_books && row.resource_id.is_some(),
            open: row.members,
            failed_by: row.failed_by,
            operations,
            has_older,
        }))
    }

    /// The newest operations that write or read a lane, and one more than the story may have.
    async fn lane_ids(&self, lane: &str) -> Result<Vec<Uuid>, StoreError> {
        let count = i64::try_from(STORY + 1).unwrap_or(i64::MAX);
        sqlx::query_scalar!(
            r#"SELECT id AS "id!" FROM (
                   (SELECT operation_id AS id FROM known_payload WHERE lane = $1 ORDER BY operation_id DESC LIMIT $2)
                    UNION ALL
                   (SELECT id FROM known_operation
                     WHERE read_lane = $1 AND ended_at IS NOT NULL ORDER BY id DESC LIMIT $2)
                    UNION ALL
                   (SELECT operation_id FROM lane_entry
                     WHERE lane = $1 AND NOT writes ORDER BY position DESC LIMIT $2)) o
                ORDER BY id DESC
                LIMIT $2"#,
            lane,
            count
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
    }
}

impl LaneOperation {
    /// The operation as part of this lane. `None` if it neither writes nor reads the lane.
    fn of(operation: Listed, lane: &str) -> Option<Self> {
        let writes = operation.lane == lane;
        let read = operation
            .read_position
            .filter(|_| operation.read_lane.as_deref() == Some(lane));
        let lane_position = if writes {
            Some(operation.position)
        } else {
            read
        }?;
        Some(Self {
            operation,
            lane_position,
            writes,
        })
    }
}
