//! Erases people's data of a client and its loans: in payloads, commands, answers and results of ended operations.

mod subject;
mod texts;

use serde_json::json;

use self::{
    subject::{Subject, lanes_of, open_operations},
    texts::{Texts, erase_beside},
};
use super::{
    Operator, Pool, StoreError, TrackingName, connect, lanes, operators::Action,
    patience::WithTimeout,
};
use crate::domain::Lane;

const ACTION: &str = "erase people's data";

/// How many operations are read and written together.
const CHUNK: usize = 100;

/// What was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// How many operations the client and its loans have.
    pub operations: usize,
    /// How many loans the client has, as far as the gateway knows.
    pub loans: usize,
}

/// Why nothing was erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The gateway knows no client with this external id.
    #[error("there is no such client")]
    UnknownClient,
    /// Operations have not ended, or have a command that Fineract may still execute, so that their texts are needed.
    #[error("these operations are open, or Fineract may still execute a command of them: {}", names(.0))]
    Open(Vec<TrackingName>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn names(operations: &[TrackingName]) -> String {
    let names: Vec<_> = operations.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// Erases people's data of the client with this external id and of its loans, in one transaction. Ids, amounts, dates and
/// codes stay. Operations that are accepted later are not touched.
pub async fn erase(
    pool: &Pool,
    external_id: &str,
    operator: &Operator,
) -> Result<Erased, EraseError> {
    let client = Lane::client(external_id).to_string();
    let lanes = lanes_of(pool, &client).await?;
    let mut transaction = connect::begin(pool).or_fail_to(ACTION).await?;
    // While the lanes are locked, nothing is accepted in them.
    lanes::lock(&mut transaction, &lanes)
        .or_fail_to(ACTION)
        .await?;
    let subject = Subject::read(&mut transaction, lanes).await?;
    let open = open_operations(&mut transaction, &subject).await?;
    if !open.is_empty() {
        return Err(EraseError::Open(open));
    }
    for ids in subject.operations.chunks(CHUNK) {
        let texts = Texts::read(&mut transaction, ids).await?;
        texts.erase(&mut transaction).await?;
    }
    erase_beside(&mut transaction, &subject).await?;
    let erased = Erased {
        operations: subject.operations.len(),
        loans: subject.lanes.len() - 1,
    };
    let detail = json!({ "lane": client, "operations": erased.operations, "loans": erased.loans });
    operator
        .record_for_all(&mut transaction, Action::Erase, detail)
        .await?;
    transaction.commit().or_fail_to(ACTION).await?;
    Ok(erased)
}
