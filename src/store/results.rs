//! What track says of ended operations.

use uuid::Uuid;

use crate::domain::OperationId;

/// The columns of new rows of `result`.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) ids: Vec<Uuid>,
    pub(super) successes: Vec<Option<String>>,
    pub(super) failures: Vec<Option<String>>,
    pub(super) codes: Vec<Option<String>>,
    pub(super) messages: Vec<Option<String>>,
    pub(super) marked: Vec<bool>,
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
        // A code is Fineract's own word, and Postgres takes no NUL.
        let (code, message) = failed
            .map(|(code, message, _)| (code.replace('\0', "\u{fffd}"), message))
            .unzip();
        self.codes.push(code);
        self.messages.push(message);
    }
}
