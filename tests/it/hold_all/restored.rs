//! The purpose of hold-all: a restored database may know less than Fineract.

use fineract_gateway::store::{self, Pool};
use serde_json::json;
use sqlx::PgPool;

use super::{REASON, hold_all};
use crate::support::{
    API_KEY, OPS_TOKEN, TestGateway,
    fixtures::{FUTURE, client_create, envelope, expiring, repayment},
    operators::{Operator, on_hold, uuid},
    system::System,
};

/// The process that put everything on hold died between two steps. A gateway that is started with `--on-hold` completes
/// the hold.
#[sqlx::test]
async fn a_hold_that_was_left_half_done_is_completed(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let id = gateway.accept(&client_create("C")).await;
    sqlx::query!(
        "INSERT INTO hold_all (reason, held_by) VALUES ($1, 'admin')",
        REASON
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(on_hold(&pool, &id).await, (false, false));
    for operations in [1, 0] {
        let covered = store::keep_on_hold(&Pool::from(pool.clone()), "another", "serve")
            .await
            .unwrap();
        assert_eq!(covered.operations, operations);
    }
    assert_eq!(on_hold(&pool, &id).await, (true, true));
    let hold = gateway.store.active_hold().await.unwrap().unwrap();
    assert_eq!(hold.reason, REASON);
    assert!(hold.covers_all_since.is_some());

    // Operations that operators have released since then stay released.
    let operator = Operator::of(gateway.address);
    assert_eq!(operator.release(json!({ "all": true })).await, 1);
    let covered = store::keep_on_hold(&Pool::from(pool.clone()), "another", "serve").await;
    assert_eq!(covered.unwrap().operations, 0);
    assert_eq!(on_hold(&pool, &id).await, (false, false));
}

/// More may have happened to an operation than a restored database knows. So the gateway reads Fineract before it ends
/// the operation as not sent in time.
#[sqlx::test]
async fn what_was_there_does_not_expire_unread(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    system.set("API_KEYS", &format!("lender={API_KEY}"));
    let gateway = system.gateway().await;
    let operator = Operator::of(gateway.address);
    gateway.pay_out("L").await;
    let repay = async |amount: f64| {
        let body = envelope("LOAN_REPAYMENT", repayment("L", amount));
        gateway.submit(&expiring(body, FUTURE)).await
    };
    let booked = repay(10.0).await;
    assert_eq!(gateway.end_of(&booked).await["status"], "success");
    // As in a restored database: the first operation is as it was before it was sent.
    hold_all(&pool).await;
    let unsent = repay(20.0).await;
    forget(&pool, &booked).await;
    sqlx::query!(
        "UPDATE operation SET read_first = true, expires_at = now() - interval '1 h' WHERE on_hold"
    )
    .execute(&pool)
    .await
    .unwrap();
    // An operation that was accepted during the hold was never sent. It expires at once.
    let mut late = client_create("C-2");
    late["expires_at"] = json!("2020-01-01T00:00:00Z");
    let late = gateway.submit(&late).await;
    assert_eq!(gateway.end_of(&late).await["status"], "failed");
    for id in [&booked, &unsent] {
        assert_eq!(gateway.transaction(id, API_KEY).await["status"], "on_hold");
    }

    assert_eq!(operator.release(json!({ "all": true })).await, 2);
    assert_eq!(gateway.end_of(&booked).await["status"], "success");
    assert_eq!(gateway.end_of(&unsent).await["status"], "failed");
    assert_eq!(
        gateway.transaction(&unsent, API_KEY).await["status"],
        "expired"
    );
    let repaid = system.ledger().await;
    assert_eq!(repaid.len(), 5, "{repaid:?}");
    assert!(gateway.shut_down().await);
}

/// Sets an ended operation back to its state before it was claimed, and puts it on hold by the hold-all.
async fn forget(pool: &PgPool, id: &str) {
    let statements = format!(
        "ALTER TABLE operation DISABLE TRIGGER operation_end_is_final;
         UPDATE operation
            SET state = 'ready', ended_at = NULL, due_at = now(), attempt = 0, on_hold = true,
                hold_all = (SELECT id FROM hold_all)
          WHERE id = '{id}';
         ALTER TABLE operation ENABLE TRIGGER operation_end_is_final;
         DELETE FROM attempt WHERE operation_id = '{id}';
         DELETE FROM result WHERE operation_id = '{id}';
         UPDATE lane SET members = members + 1, writers = writers + 1 WHERE key = 'loan:l';
         INSERT INTO lane_entry (lane, position, operation_id, writes, admitted)
         SELECT lane, position, id, true, true FROM operation WHERE id = '{id}'",
        id = uuid(id)
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(pool)
        .await
        .expect("the operation is as before");
}
