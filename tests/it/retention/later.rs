//! What came later in a lane counts also when its month is gone, and a repair whose operations are gone comes to its end.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::age_and_archive;
use crate::{
    operators_repairs::bed::{Bed, progress, retry_of_failed},
    retention::aged,
    support::fixtures::{client_update, done, loan_disburse, refused},
};

/// Drops the rows of the archived operations that are not the first of their lanes, as if they were of an older month.
async fn drop_later(pool: &PgPool) {
    let rows = "
        DELETE FROM archived_payload p USING past_operation o WHERE o.id = p.operation_id AND o.position > 1;
        DELETE FROM archived_operation WHERE position > 1";
    let dropped = sqlx::raw_sql(rows).execute(pool).await;
    dropped.expect("the database is there");
}

/// The code and the operations that a preview leaves out.
async fn left_out(bed: &Bed, operation_type: &str) -> Value {
    let filter = json!({ "state": "failed", "type": operation_type });
    let preview = bed
        .preview(json!({ "action": "retry", "filter": filter }))
        .await;
    let left_out = &preview["left_out"][0];
    json!([left_out["code"], left_out["sample"]])
}

#[sqlx::test]
async fn a_failure_stays_overtaken_when_the_month_of_the_later_operation_is_gone(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let overtaken = bed.failed("C-1").await;
    bed.gateway.accept(&client_update("C-1")).await;
    bed.gateway.end_next(done()).await;
    let mut payments = Vec::new();
    for _ in 0..2 {
        payments.push(bed.gateway.accept(&loan_disburse("L-1")).await);
        bed.gateway.end_next(refused()).await;
        bed.operator.inspect(&payments[0]).await;
    }
    assert_eq!(age_and_archive(&pool).await, 4);
    drop_later(&pool).await;
    assert_eq!(
        left_out(&bed, "CLIENT_UPDATE").await,
        json!(["superseded", [aged(&overtaken)]])
    );
    assert_eq!(
        left_out(&bed, "LOAN_DISBURSE").await,
        json!(["possible_duplicate", [aged(&payments[0])]])
    );
}

#[sqlx::test]
async fn a_repair_whose_operation_was_dropped_ends(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    bed.failed("C-1").await;
    let kept = bed.failed("C-2").await;
    let id = bed.start(retry_of_failed(), 2).await;
    // As if its month had been dropped while the repair was being started.
    let dropped = sqlx::raw_sql(
        "BEGIN;
         SET LOCAL session_replication_role = replica;
         INSERT INTO past_operation (id, type, state, caller, lane, position)
         SELECT id, type, state, 'token:los', lane, position FROM operation WHERE lane = 'client:c-1';
         DELETE FROM payload WHERE lane = 'client:c-1';
         DELETE FROM operation WHERE lane = 'client:c-1';
         COMMIT",
    );
    dropped.execute(&pool).await.expect("the database is there");
    let ended = bed.run(&id).await;
    assert_eq!(progress(&ended), json!(["done", 1, 1, 0, 0]));
    assert!(!bed.operator.inspect(&kept).await["retried_by"].is_null());
}
