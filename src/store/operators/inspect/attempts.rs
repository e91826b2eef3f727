//! The attempts of an operation, for operators.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::PgConnection;

use crate::{
    domain::{IdempotencyKey, OperationId, masked, untouched},
    store::{StoreError, patience::WithTimeout},
};

/// An attempt with its command and its answer, unchanged.
#[derive(Debug, JsonSchema, Serialize)]
pub struct InspectedAttempt {
    /// The number of the attempt.
    pub number: i32,
    /// The key under which the command was sent.
    pub idempotency_key: String,
    /// The HTTP method of the command.
    pub method: String,
    /// The path of the command, with its query.
    pub path: String,
    /// The body of the command.
    pub body: Option<Box<RawValue>>,
    /// Whether the effect existed before the operation's first attempt.
    pub effect_preexisted: bool,
    /// When the attempt was committed, immediately before it was sent.
    pub sent_at: DateTime<Utc>,
    /// `null` if the attempt is in progress, or if its process ended before an answer was stored.
    pub answered_at: Option<DateTime<Utc>>,
    /// The HTTP status of the answer.
    pub status: Option<i16>,
    /// Whether Fineract returned an answer that it had stored for the key.
    pub cached: Option<bool>,
    /// The body of the answer.
    pub answer: Option<Box<RawValue>>,
    /// Why there is no answer, as a stable code.
    pub error: Option<String>,
}

impl InspectedAttempt {
    /// Whether Fineract may have received the command.
    pub(super) fn was_sent(&self) -> bool {
        self.error.as_deref() != Some("not_sent")
    }

    /// Masks the personal data in the command and in the answer.
    pub(super) fn mask(&mut self) {
        for body in [&mut self.body, &mut self.answer] {
            *body = body.as_deref().map(masked);
        }
    }
}

pub(super) async fn read_attempts(
    connection: &mut PgConnection,
    id: OperationId,
) -> Result<Vec<InspectedAttempt>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT number AS "number!", key_number AS "key_number!", method AS "method!", path AS "path!", body,
                  effect_preexisted AS "effect_preexisted!", sent_at AS "sent_at!", answered_at, status, cached, answer,
                  error
             FROM known_attempts(ARRAY[$1::uuid])
            ORDER BY number"#,
        id.0
    )
    .fetch_all(connection)
    .or_fail_to("inspect attempts")
    .await?;
    let attempts = rows.into_iter().map(|row| {
        let number = row.key_number;
        InspectedAttempt {
            number: row.number,
            idempotency_key: IdempotencyKey { id, number }.to_string(),
            method: row.method,
            path: row.path,
            body: row.body.and_then(untouched),
            effect_preexisted: row.effect_preexisted,
            sent_at: row.sent_at,
            answered_at: row.answered_at,
            status: row.status,
            cached: row.cached,
            answer: row.answer.and_then(untouched),
            error: row.error,
        }
    });
    Ok(attempts.collect())
}
