//! The deliveries whose next try begins now.

use uuid::Uuid;

use crate::{
    domain::TraceParent,
    store::{Event, Store, StoreError, events::Row, names, patience::WithTimeout},
};

/// A delivery whose next try begins now.
#[derive(Clone, Debug)]
pub struct DueDelivery {
    /// The id.
    pub id: i64,
    /// What is told.
    pub what: What,
    /// How many tries have failed.
    pub tries: i32,
    /// The place of the operation's caller in its trace.
    pub trace_parent: Option<TraceParent>,
}

/// What a delivery tells.
#[derive(Clone, Debug)]
pub enum What {
    /// An event.
    Event(Event),
    /// A message that is about no event: its body.
    Message(String),
    /// An event that has been deleted because of its age.
    Deleted,
}

impl Store {
    /// Reads the deliveries of an endpoint that are due, the longest waiting first, except those that are under way. If the
    /// endpoint is ordered, a delivery that has to wait for another one of its lane is not due.
    pub async fn due_webhooks(
        &self,
        endpoint: Uuid,
        ordered: bool,
        under_way: &[i64],
        limit: i64,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        let rows = sqlx::query!(
            r#"WITH RECURSIVE head (id, lane, due_at) AS (
                   -- The first delivery that waits in each lane. The recursion jumps from lane to lane in the index.
                   (SELECT id, lane, due_at FROM webhook_delivery
                     WHERE $2 AND endpoint_id = $1 AND due_at IS NOT NULL
                     ORDER BY lane, number LIMIT 1)
                    UNION ALL
                   SELECT next.* FROM head
                    CROSS JOIN LATERAL (SELECT id, lane, due_at FROM webhook_delivery
                                         WHERE endpoint_id = $1 AND due_at IS NOT NULL AND lane > head.lane
                                         ORDER BY lane, number LIMIT 1) next
               ), chosen AS (
                   (SELECT id, due_at FROM webhook_delivery
                     WHERE endpoint_id = $1 AND due_at <= now() AND id <> ALL ($3) AND NOT $2
                     ORDER BY due_at, id
                     LIMIT $4)
                    UNION ALL
                   SELECT id, due_at FROM head WHERE due_at <= now() AND id <> ALL ($3)
                    ORDER BY due_at, id
                    LIMIT $4
               ), told AS (
                   SELECT d.id, d.tries, d.body, d.due_at, e.number, e.type, e.owner, e.at, e.operation_id, e.batch_id
                     FROM chosen
                     JOIN webhook_delivery d USING (id)
                     LEFT JOIN event e ON e.number = d.number
               )
               SELECT e.id AS "id!", e.tries AS "tries!", e.body, e.number AS "number?", e.type AS "type?", e.owner AS "owner?", e.at AS "at?",
                      e.operation_id, COALESCE(o.type, past.type) AS operation_type,
                      COALESCE(o.lane, past.lane) AS lane, e.batch_id,
                      b.reference_id AS "reference_id?", COALESCE(p.traceparent, past.traceparent) AS traceparent
                 FROM told e
                 LEFT JOIN operation o ON o.id = e.operation_id
                 LEFT JOIN past_names(ARRAY(SELECT operation_id FROM told)) past ON past.id = e.operation_id
                 LEFT JOIN payload p ON p.operation_id = e.operation_id
                 LEFT JOIN batch b ON b.id = e.batch_id
                ORDER BY e.due_at, e.id"#,
            endpoint,
            ordered,
            under_way,
            limit
        )
        .fetch_all(&self.pool)
        .or_fail_to("read the deliveries of webhooks that are due")
        .await?;
        let due = rows.into_iter().map(|row| {
            let event = Row {
                last: 0,
                deleted: 0,
                number: row.number,
                r#type: row.r#type,
                owner: row.owner,
                at: row.at,
                operation_id: row.operation_id,
                operation_type: row.operation_type,
                lane: row.lane,
                batch_id: row.batch_id,
                reference_id: row.reference_id,
            };
            let event = event.into_event()?.map_or(What::Deleted, What::Event);
            Ok(DueDelivery {
                id: row.id,
                what: row.body.map_or(event, What::Message),
                tries: row.tries,
                trace_parent: names::trace_parent(row.traceparent),
            })
        });
        due.collect()
    }
}
