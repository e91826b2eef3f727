//! The results of ended operations, which track reports.

use uuid::Uuid;

use crate::domain::OperationId;

/// The columns of new rows of the table `result`.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) ids: Vec<Uuid>,
    pub(super) successes: Vec<Option<String>>,
    pub(super) failures: Vec<Option<String>>,
    pub(super) codes: Vec<Option<String>>,
    pub(super) messages: Vec<Option<String>>,
    pub(super) marked: Vec<bool>,
    pub(super) failed_with: Vec<Option<Uuid>>,
}

/// The columns of a failure, without Fineract's body.
#[derive(Debug)]
pub(super) struct FailureRow {
    pub(super) code: String,
    pub(super) message: String,
    /// Whether the gateway records on the lanes that a caller has read this failure. This is true if the failure fails
    /// its dependents, or if the operation itself failed as a dependent.
    pub(super) marked: bool,
    /// The failed operation on which this operation depended; `None` if this operation did not fail as a dependent.
    pub(super) failed_with: Option<Uuid>,
}

impl Results {
    /// Adds a row. `success` and `failure` are Fineract's bodies, and `failed` has the other columns of a failure.
    pub(super) fn push(
        &mut self,
        id: OperationId,
        success: Option<String>,
        failure: Option<String>,
        failed: Option<FailureRow>,
    ) {
        self.ids.push(id.0);
        self.successes.push(success);
        self.failures.push(failure);
        self.marked
            .push(failed.as_ref().is_some_and(|failed| failed.marked));
        self.failed_with
            .push(failed.as_ref().and_then(|failed| failed.failed_with));
        // The code may come from Fineract and contain a NUL character, which Postgres cannot store.
        let (code, message) = failed
            .map(|failed| (failed.code.replace('\0', "\u{fffd}"), failed.message))
            .unzip();
        self.codes.push(code);
        self.messages.push(message);
    }
}
