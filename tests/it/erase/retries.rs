//! What was erased is not what was sent, so it is never sent again.

use fineract_gateway::domain::End;
use serde_json::json;
use sqlx::PgPool;

use super::{erase, tables_with};
use crate::{
    bulk::Bulk,
    operators_repairs::bed::{Bed, retry_of_failed},
    support::{
        TestGateway,
        database::eventually_waits_for_lock,
        fixtures::{client_create, client_update, done, loan_create, repayment},
        operators::uuid,
    },
};

/// A failure after which the same may be sent again.
fn failed_inside() -> End {
    End::Failed {
        body: None,
        message: "Fineract failed".to_owned(),
        code: "status_500".to_owned(),
        fails_dependents: false,
    }
}

#[sqlx::test]
async fn nobody_runs_again_what_was_erased(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let bulk = Bulk::new(bed.gateway.address);
    let failed = bed.gateway.accept(&client_update("C")).await;
    bed.gateway.end_next(failed_inside()).await;
    bulk.schedule("b-1", vec![client_update("C")]).await;
    bed.gateway.end_next(failed_inside()).await;
    let erased = erase(&pool, "C").await;
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);

    let answer = bed.operator.act(&failed, "retry").await;
    assert_eq!(answer.problem(), (409, "erased".to_owned()));
    let inspected = bed.operator.inspect(&failed).await;
    let retry = &inspected["actions"][0];
    assert_eq!(
        (&retry["action"], &retry["code"]),
        (&json!("retry"), &json!("erased"))
    );
    assert!(!inspected["erased_at"].is_null(), "{inspected}");
    let mut of_failed = retry_of_failed();
    of_failed["named"] = json!([uuid(&failed)]);
    let preview = bed.preview(of_failed).await;
    assert_eq!(preview["left_out"][0]["code"], "erased", "{preview}");

    let retry = bulk.send("retry", &json!({ "reference_id": "b-1" })).await;
    assert_eq!(
        retry.json()["not_taken"][0]["code"],
        "erased",
        "{}",
        retry.text
    );
    let data = client_update("C")["data"].take();
    let modified = json!({ "reference_id": "b-1", "modifications": [{ "id": 1, "data": data }] });
    let retry = bulk.send("retry", &modified).await;
    assert_eq!(retry.json()["taken"], json!([1]), "{}", retry.text);
}

/// The payload is read before the lane is locked, and erased meanwhile.
#[sqlx::test]
async fn what_is_erased_while_it_is_being_run_again_is_not_accepted(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let bulk = Bulk::new(bed.gateway.address);
    let failed = bed.gateway.accept(&client_update("C")).await;
    bed.gateway.end_next(failed_inside()).await;
    bulk.schedule("b-1", vec![client_update("C")]).await;
    bed.gateway.end_next(failed_inside()).await;
    let erase_behind = async || {
        let mut erasing = pool.begin().await.expect("the database is there");
        let statements = "SELECT FROM lane FOR UPDATE; UPDATE payload SET erased_at = now()";
        let held = sqlx::raw_sql(statements).execute(&mut *erasing).await;
        held.expect("the database is there");
        erasing
    };
    let commit = async |erasing: sqlx::Transaction<'_, sqlx::Postgres>| {
        eventually_waits_for_lock(&pool).await;
        erasing.commit().await.expect("it commits");
    };
    let erasing = erase_behind().await;
    let (answer, ()) = tokio::join!(bed.operator.act(&failed, "retry"), commit(erasing));
    assert_eq!(answer.problem(), (409, "erased".to_owned()));

    let restored = sqlx::raw_sql("UPDATE payload SET erased_at = NULL").execute(&pool);
    restored.await.expect("the database is there");
    let erasing = erase_behind().await;
    let request = json!({ "reference_id": "b-1" });
    let (answer, ()) = tokio::join!(bulk.send("retry", &request), commit(erasing));
    assert_eq!(answer.json()["taken"], json!([]), "{}", answer.text);
}

/// A loan is accepted and ends while the command waits for the lane of the client.
#[sqlx::test]
async fn a_loan_that_comes_meanwhile_is_erased_too(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let mut repaid = json!({ "status": "LOAN_REPAYMENT", "data": repayment("L", 10.0) });
    repaid["data"]["note"] = json!("from Jalila");
    for body in [client_create("C"), loan_create("L", "C"), repaid] {
        gateway.accept(&body).await;
        gateway.end_next(done()).await;
    }
    assert_eq!(tables_with(&pool, "jalila").await, ["payload"]);
    let hide = "BEGIN; SET LOCAL session_replication_role = replica;
         UPDATE operation SET read_lane = NULL, read_position = NULL; COMMIT";
    sqlx::raw_sql(hide)
        .execute(&pool)
        .await
        .expect("the database is there");
    let mut accepting = pool.begin().await.expect("the database is there");
    let accept = "SET LOCAL session_replication_role = replica;
         SELECT FROM lane WHERE key = 'client:c' FOR UPDATE;
         UPDATE operation SET read_lane = 'client:c', read_position = 2 WHERE type = 'LOAN_CREATE'";
    sqlx::raw_sql(accept)
        .execute(&mut *accepting)
        .await
        .expect("the database is there");
    let commit = async {
        eventually_waits_for_lock(&pool).await;
        accepting.commit().await.expect("it commits");
    };
    let (erased, ()) = tokio::join!(erase(&pool, "C"), commit);
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    assert_eq!(tables_with(&pool, "jalila").await, [""; 0]);
}
