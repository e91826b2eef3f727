//! Fineract's replies to attempts, as they are stored.

use super::{Completion, Pool, StoreError, patience::WithTimeout};
use crate::domain::Reply;

/// Fineract's replies, as columns.
#[derive(Default)]
pub(super) struct ReplyColumns {
    /// Whether there is a reply at all.
    pub(super) replied: Vec<bool>,
    pub(super) statuses: Vec<Option<i16>>,
    pub(super) cached: Vec<Option<bool>>,
    pub(super) answers: Vec<Option<String>>,
    pub(super) errors: Vec<Option<String>>,
}

impl ReplyColumns {
    pub(super) fn of(rows: &[&Completion]) -> Self {
        let mut columns = Self::default();
        for row in rows {
            let (answer, failure) = match &row.reply {
                Some(Reply::Answer(answer)) => (Some(answer), None),
                Some(Reply::Failure(failure)) => (None, Some(failure)),
                None => (None, None),
            };
            let status = answer.and_then(|answer| i16::try_from(answer.status).ok());
            columns.replied.push(row.reply.is_some());
            columns.statuses.push(status);
            columns.cached.push(answer.map(|answer| answer.cached));
            columns
                .answers
                .push(answer.map(|answer| answer.body.clone()));
            columns
                .errors
                .push(failure.map(|failure| failure.as_str().to_owned()));
        }
        columns
    }
}

/// Stores the reply of an attempt alone, even if another worker has leased the operation in the meantime.
pub(super) async fn store_reply(pool: &Pool, completion: &Completion) -> Result<(), StoreError> {
    let columns = ReplyColumns::of(&[completion]);
    sqlx::query!(
        "UPDATE attempt a
            SET answered_at = now(), status = r.status, cached = r.cached, answer = r.answer, error = r.error
           FROM unnest($3::smallint[], $4::bool[], $5::text[], $6::text[]) AS r (status, cached, answer, error)
          WHERE a.operation_id = $1 AND a.number = $2 AND a.answered_at IS NULL",
        completion.id.0,
        completion.attempt,
        &columns.statuses as &[Option<i16>],
        &columns.cached as &[Option<bool>],
        &columns.answers as &[Option<String>],
        &columns.errors as &[Option<String>],
    )
    .execute(pool)
    .or_fail_to("store Fineract's reply")
    .await
    .map(drop)
}
