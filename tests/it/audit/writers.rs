//! Transactions that write to the audit while it is sealed, and those who try to change it.

use sqlx::{Executor as _, PgPool};

use super::{execute, is_right, sealed};
use crate::support::{
    TestGateway,
    database::{eventually_true, is_true},
};

const ROW: &str =
    "INSERT INTO audit (operator, action, request_id, detail) VALUES ('ann', 'retry', 'r', '{}')";

/// A transaction has drawn an id, and commits after a later id was committed. The later row is not sealed before.
#[sqlx::test]
async fn a_row_that_is_committed_late_is_sealed_too(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let mut late = pool.begin().await.expect("a transaction");
    late.execute(ROW).await.expect("a row");
    // An id of a transaction that is rolled back.
    let mut lost = pool.begin().await.expect("a transaction");
    lost.execute(ROW).await.expect("a row");
    lost.rollback().await.expect("a rollback");
    execute(&pool, ROW).await;
    // The sealer has seen the committed row, and waits, or has sealed the row.
    let looked = "SELECT EXISTS (SELECT FROM audit_seal)
                      OR EXISTS (SELECT FROM pg_stat_activity
                                  WHERE datname = current_database() AND pid <> pg_backend_pid()
                                    AND query LIKE '%DISTINCT virtual' || 'transaction%')";
    eventually_true(&pool, looked).await;
    assert!(is_true(&pool, "SELECT NOT EXISTS (SELECT FROM audit_seal)").await);
    late.commit().await.expect("a commit");
    sealed(&pool).await;
    drop(gateway);
    is_right(&pool, 2, &[]).await;
}

/// Writers do not wait for each other, and gateways do not disturb each other.
#[sqlx::test]
async fn many_write_while_two_gateways_seal(pool: PgPool) {
    let gateways = [
        TestGateway::start(pool.clone()).await,
        TestGateway::start(pool.clone()).await,
    ];
    let write = async |writer: usize| {
        for number in 0..50 {
            let mut transaction = pool.begin().await.expect("a transaction");
            transaction.execute(ROW).await.expect("a row");
            if number % 5 == writer {
                transaction.rollback().await.expect("a rollback");
            } else {
                transaction.commit().await.expect("a commit");
            }
        }
    };
    tokio::join!(write(0), write(1), write(2), write(3));
    // Two transactions that are open at once: neither waits for the other.
    let mut first = pool.begin().await.expect("a transaction");
    first.execute(ROW).await.expect("a row");
    execute(&pool, ROW).await;
    first.commit().await.expect("a commit");
    sealed(&pool).await;
    drop(gateways);
    is_right(&pool, 4 * 40 + 2, &[]).await;
}

/// Not even a superuser, unless it disables the trigger.
#[sqlx::test]
async fn changes_are_refused(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    execute(&pool, ROW).await;
    sealed(&pool).await;
    drop(gateway);
    for statement in [
        "UPDATE audit SET operator = 'x'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "SET LOCAL session_replication_role = replica; DELETE FROM audit",
        "UPDATE audit_seal SET hash = repeat('0', 64)",
        "DELETE FROM audit_seal",
        "TRUNCATE audit_seal",
        "INSERT INTO audit_seal SELECT * FROM audit_seal ON CONFLICT (number) DO UPDATE SET hash = repeat('0', 64)",
    ] {
        let refused = sqlx::raw_sql(statement).execute(&pool).await;
        let refused = refused.expect_err(statement);
        let refused = refused.as_database_error().expect("an error of Postgres");
        assert_eq!(
            refused.code().as_deref(),
            Some("23000"),
            "{statement}: {}",
            refused.message()
        );
    }
    is_right(&pool, 1, &[]).await;
}
