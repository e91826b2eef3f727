//! Erases one client.

use serde_json::json;

use super::{
    ACTION, CHUNK, EraseError, Erased,
    subject::{Subject, lanes_of, open_operations},
    texts::{Texts, erase_beside},
};
use crate::{
    domain::Lane,
    store::{Operator, Pool, connect, lanes, operators::Action, patience::WithTimeout},
};

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
