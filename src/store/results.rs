//! What track says of ended operations.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::OperationId;

/// The columns of new rows of `result`.
#[derive(Default)]
pub(super) struct Results {
    ids: Vec<Uuid>,
    successes: Vec<Option<String>>,
    failures: Vec<Option<String>>,
    codes: Vec<Option<String>>,
    messages: Vec<Option<String>>,
    marked: Vec<bool>,
}

impl Results {
    /// Adds a row: the success or the failure body, and of a failure code, sentence, and whether a lane is
    /// marked with it.
    pub(super) fn push(
        &mut self,
        id: OperationId,
        success: Option<String>,
        failure: Option<String>,
        failed: Option<(String, String, bool)>,
    ) {
        self.ids.push(id.0);
        self.successes.push(success);
        self.failures.push(failure);
        self.marked
            .push(failed.as_ref().is_some_and(|(_, _, marked)| *marked));
        let (code, message) = failed.map(|(code, message, _)| (code, message)).unzip();
        self.codes.push(code);
        self.messages.push(message);
    }

    /// Inserts them.
    pub(super) async fn insert(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "INSERT INTO result (operation_id, success, failure, code, message, marked)
             SELECT *
               FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bool[])",
            &self.ids,
            &self.successes as &[Option<String>],
            &self.failures as &[Option<String>],
            &self.codes as &[Option<String>],
            &self.messages as &[Option<String>],
            &self.marked,
        )
        .execute(connection)
        .await
        .map(drop)
    }
}
