//! The texts of operations.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::ACTION;
use crate::{
    domain::erased,
    store::{StoreError, TrackingName, patience::WithTimeout},
};

/// The texts of some operations.
pub(super) struct Texts {
    payloads: Vec<Payload>,
    attempts: Vec<Attempt>,
    results: Vec<Outcome>,
}

struct Payload {
    id: Uuid,
    data: String,
}

struct Attempt {
    id: Uuid,
    number: i32,
    body: Option<String>,
    answer: Option<String>,
}

struct Outcome {
    id: Uuid,
    success: Option<String>,
    failure: Option<String>,
    message: Option<String>,
}

fn all<T, V>(rows: &[T], value: impl Fn(&T) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

fn erased_if_any(text: Option<&str>) -> Option<String> {
    text.map(erased)
}

impl Texts {
    /// The texts of these operations, without the commands that may be sent again.
    pub(super) async fn read(
        connection: &mut PgConnection,
        ids: &[Uuid],
        sent_again: &HashMap<Uuid, TrackingName>,
    ) -> Result<Self, StoreError> {
        let payloads = sqlx::query_as!(
            Payload,
            r#"SELECT operation_id AS "id!", data::text AS "data!" FROM known_payloads($1)"#,
            ids
        );
        let payloads = payloads.fetch_all(&mut *connection).or_fail_to(ACTION);
        let payloads = payloads.await?;
        let attempts = sqlx::query_as!(
            Attempt,
            r#"SELECT operation_id AS "id!", number AS "number!", body, answer
                 FROM known_attempts($1)"#,
            ids
        );
        let attempts = attempts.fetch_all(&mut *connection).or_fail_to(ACTION);
        let mut attempts = attempts.await?;
        attempts.retain(|attempt| !sent_again.contains_key(&attempt.id));
        let results = sqlx::query_as!(
            Outcome,
            r#"SELECT operation_id AS "id!", success, failure, message
                 FROM known_results($1)"#,
            ids
        );
        let results = results.fetch_all(connection).or_fail_to(ACTION).await?;
        Ok(Self {
            payloads,
            attempts,
            results,
        })
    }

    /// Erases the texts. Each in the hot table and then in the archive: whatever is moved meanwhile is found in one of them.
    pub(super) async fn erase(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        self.erase_payloads(connection).await?;
        self.erase_attempts(connection).await?;
        self.erase_results(connection).await
    }

    async fn erase_payloads(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let ids = all(&self.payloads, |row| row.id);
        let data = all(&self.payloads, |row| erased(&row.data));
        sqlx::query!(
            "UPDATE payload p SET data = e.data::json, erased_at = COALESCE(p.erased_at, now())
               FROM unnest($1::uuid[], $2::text[]) AS e (id, data) WHERE p.operation_id = e.id",
            &ids,
            &data
        )
        .execute(&mut *connection)
        .or_fail_to(ACTION)
        .await?;
        sqlx::query!(
            "UPDATE archived_payload p SET data = e.data::json, erased_at = COALESCE(p.erased_at, now())
               FROM unnest($1::uuid[], $2::text[]) AS e (id, data) WHERE p.operation_id = e.id",
            &ids,
            &data
        )
        .execute(connection)
        .or_fail_to(ACTION)
        .await
        .map(drop)
    }

    async fn erase_attempts(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let ids = all(&self.attempts, |row| row.id);
        let numbers = all(&self.attempts, |row| row.number);
        let bodies = all(&self.attempts, |row| erased_if_any(row.body.as_deref()));
        let answers = all(&self.attempts, |row| erased_if_any(row.answer.as_deref()));
        sqlx::query!(
            "UPDATE attempt a SET body = e.body, answer = e.answer
               FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[]) AS e (id, number, body, answer)
              WHERE a.operation_id = e.id AND a.number = e.number",
            &ids,
            &numbers,
            &bodies as &[Option<String>],
            &answers as &[Option<String>]
        )
        .execute(&mut *connection)
        .or_fail_to(ACTION)
        .await?;
        sqlx::query!(
            "UPDATE archived_attempt a SET body = e.body, answer = e.answer
               FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[]) AS e (id, number, body, answer)
              WHERE a.operation_id = e.id AND a.number = e.number",
            &ids,
            &numbers,
            &bodies as &[Option<String>],
            &answers as &[Option<String>]
        )
        .execute(connection)
        .or_fail_to(ACTION)
        .await
        .map(drop)
    }

    async fn erase_results(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let ids = all(&self.results, |row| row.id);
        let successes = all(&self.results, |row| erased_if_any(row.success.as_deref()));
        let failures = all(&self.results, |row| erased_if_any(row.failure.as_deref()));
        // A sentence may quote what was sent.
        let messages = all(&self.results, |row| erased_if_any(row.message.as_deref()));
        sqlx::query!(
            "UPDATE result r SET success = e.success, failure = e.failure, message = e.message
               FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS e (id, success, failure, message)
              WHERE r.operation_id = e.id",
            &ids,
            &successes as &[Option<String>],
            &failures as &[Option<String>],
            &messages as &[Option<String>]
        )
        .execute(&mut *connection)
        .or_fail_to(ACTION)
        .await?;
        sqlx::query!(
            "UPDATE archived_result r SET success = e.success, failure = e.failure, message = e.message
               FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS e (id, success, failure, message)
              WHERE r.operation_id = e.id",
            &ids,
            &successes as &[Option<String>],
            &failures as &[Option<String>],
            &messages as &[Option<String>]
        )
        .execute(connection)
        .or_fail_to(ACTION)
        .await
        .map(drop)
    }
}
