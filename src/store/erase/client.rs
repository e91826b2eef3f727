//! Erases one client.

use serde_json::json;

use super::{
    ACTION, CHUNK, EraseError, Erased,
    beside::{clear_responses, erase_refused_rows},
    open::Unended,
    subject::{Subject, lanes_of},
    texts::Texts,
};
use crate::{
    domain::Lane,
    store::{
        Operator, Pool, StoreError, connect, lanes, operators::Action, patience::WithTimeout,
        pool::Transaction,
    },
};

/// Erases people's data of the client with this external id and of its loans, in one transaction. Ids, amounts, dates and
/// codes stay. Operations that are accepted later are not touched.
pub async fn erase(
    pool: &Pool,
    external_id: &str,
    operator: &Operator,
) -> Result<Erased, EraseError> {
    let client = Lane::client(external_id).to_string();
    let (mut transaction, lanes) = lock_lanes(pool, &client).await?;
    if is_older_gateway_running(&mut transaction).await? {
        return Err(EraseError::OlderGateway);
    }
    if !keep_from_exporting(&mut transaction).await? {
        return Err(EraseError::Exporting);
    }
    let is_known = lanes.contains(&client);
    let subject = Subject::read(&mut transaction, client, lanes).await?;
    let unended = Unended::read(&mut transaction, &subject).await?;
    if !unended.open.is_empty() {
        return Err(EraseError::Open(unended.open));
    }
    for ids in subject.operations.chunks(CHUNK) {
        let texts = Texts::read(&mut transaction, ids, &unended.sent_again).await?;
        texts.erase(&mut transaction).await?;
    }
    let rows = erase_refused_rows(&mut transaction, &subject, external_id).await?;
    if !is_known && rows == 0 {
        return Err(EraseError::UnknownClient);
    }
    clear_responses(&mut transaction, &subject).await?;
    let erased = Erased {
        operations: subject.operations.len(),
        loans: subject.loans.len(),
        rows,
        commands_kept: unended.sent_again.into_values().collect(),
    };
    let detail =
        json!({ "lane": subject.client, "operations": erased.operations, "loans": erased.loans });
    operator
        .record_for_all(&mut transaction, Action::Erase, detail)
        .await?;
    transaction.commit().or_fail_to(ACTION).await?;
    Ok(erased)
}

/// Whether a gateway runs that would send again what was erased, because it does not know `erased_at`.
async fn is_older_gateway_running(transaction: &mut Transaction) -> Result<bool, StoreError> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM gateway_process WHERE NOT reads_archive) AS "is_running!""#
    )
    .fetch_one(&mut **transaction)
    .or_fail_to(ACTION)
    .await
}

/// Keeps months of the archive from being exported until the end of the transaction. Returns whether none is being exported.
async fn keep_from_exporting(transaction: &mut Transaction) -> Result<bool, StoreError> {
    sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock_shared(x'6578706f7274'::bigint) AS "is_locked!""#
    )
    .fetch_one(&mut **transaction)
    .or_fail_to(ACTION)
    .await
}

/// Locks the lane of the client and those of its loans: while they are locked, nothing is accepted in them. Returns the lanes.
async fn lock_lanes(pool: &Pool, client: &str) -> Result<(Transaction, Vec<String>), StoreError> {
    let mut transaction = connect::begin(pool).or_fail_to(ACTION).await?;
    let mut lanes = lanes_of(&mut transaction, client).await?;
    loop {
        lanes::lock(&mut transaction, &lanes)
            .or_fail_to(ACTION)
            .await?;
        let now = lanes_of(&mut transaction, client).await?;
        if now == lanes {
            return Ok((transaction, lanes));
        }
        // A loan was accepted meanwhile. Start over, because lanes are locked in the order of their keys.
        transaction.rollback().or_fail_to(ACTION).await?;
        transaction = connect::begin(pool).or_fail_to(ACTION).await?;
        lanes = now;
    }
}
