//! What must be unique stays so: UTRs in a loan, callers' keys, and runs of failed operations, after the archive and after
//! the drop.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{ARCHIVES, DROPS, age, age_and_archive, aged, retain};
use crate::{
    bulk::Bulk,
    support::{
        Answer, TestGateway,
        caller::Caller,
        database::eventually_true,
        fixtures::{client_create, client_update, done, refused, repayment},
        operators::{Operator, on_hold},
        system::System,
    },
};

async fn repay(gateway: &Caller, reference: &str) -> Value {
    let mut data = repayment("L", 10.0);
    data["utr_payment_id"] = json!(reference);
    gateway.run("LOAN_REPAYMENT", data).await
}

#[sqlx::test]
async fn a_utr_pays_a_loan_once_also_when_its_payment_was_archived_or_dropped(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    gateway.pay_out("L").await;
    let mut used = Vec::new();
    for reference in ["HDFC-00 1", "\u{c9}-1", "000-427"] {
        let paid = repay(&gateway, reference).await;
        assert_eq!(paid["status"], "success", "{paid}");
        used.push(aged(paid["tracking_id"].as_str().expect("an id")));
    }
    age(&pool).await;
    let archived = retain(&pool, ARCHIVES).await.archived;
    assert!(archived >= 5, "{archived}");
    for drops in [false, true] {
        if drops {
            assert_eq!(retain(&pool, DROPS).await.dropped, 1);
        }
        for (again, used_by) in [
            ("hdfc001", &used[0]),
            ("e\u{301}1", &used[1]),
            ("427", &used[2]),
            ("0427", &used[2]),
        ] {
            let end = repay(&gateway, again).await;
            let message =
                format!("Not sent: this utr_payment_id was used for the loan by {used_by}");
            assert_eq!(end["error_message"], message, "{again} {drops}");
        }
    }
    let other = repay(&gateway, "HDFC002").await;
    assert_eq!(other["status"], "success", "{other}");
}

#[sqlx::test]
async fn a_callers_key_is_never_used_anew(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let send = async |body: Value| {
        let request = gateway.post("/fineract/operate", body.to_string());
        Answer::of(request.header("Idempotency-Key", "order-1")).await
    };
    let first = send(client_create("C")).await.json();
    let first = aged(first["tracking_id"].as_str().expect("an id"));
    gateway.end_next(done()).await;
    age_and_archive(&pool).await;
    for drops in [false, true] {
        if drops {
            assert_eq!(retain(&pool, DROPS).await.dropped, 1);
        }
        let again = send(client_create("C")).await;
        assert_eq!(again.status, StatusCode::OK, "{drops}: {}", again.text);
        assert_eq!(again.json()["tracking_id"], json!(first));
        assert_eq!(again.header("idempotency-replayed"), "true");
        let other = send(client_create("D")).await;
        assert_eq!(other.problem(), (422, "idempotency_key_reused".to_owned()));
    }
    let request = gateway.post("/fineract/operate", client_create("C").to_string());
    let request = request.header("Idempotency-Key", "order-1");
    let waited = Answer::of(request.header("Prefer", "wait=1")).await;
    assert_eq!(waited.problem(), (410, "operation_dropped".to_owned()));
}

#[sqlx::test]
async fn an_archived_failure_is_run_again_once(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let failed = gateway.accept(&client_update("C")).await;
    gateway.end_next(refused()).await;
    assert_eq!(age_and_archive(&pool).await, 1);
    let failed = aged(&failed);
    for action in ["cancel", "hold", "release"] {
        let answer = operator.act(&failed, action).await;
        assert_eq!(
            answer.problem(),
            (409, "operation_ended".to_owned()),
            "{action}"
        );
    }
    let again = operator.act(&failed, "retry").await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{}", again.text);
    let again = again.json()["tracking_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(operator.inspect(&again).await["retry_of"], json!(failed));
    let twice = operator.act(&failed, "retry").await;
    assert_eq!(twice.problem(), (409, "operation_retried".to_owned()));

    // Whoever does not look, such as an older gateway, is stopped by the database, also when the run itself was archived.
    gateway.end_next(done()).await;
    age_of_runs(&pool).await;
    assert_eq!(retain(&pool, ARCHIVES).await.archived, 1);
    let twice = operator.act(&failed, "retry").await;
    assert_eq!(twice.problem(), (409, "operation_retried".to_owned()));
    let forced = sqlx::query!(
        "INSERT INTO operation (id, type, state, lane, position, blocked_by, due_at, retry_of)
         SELECT gen_random_uuid(), type, 'ready', lane, 99, 0, now(), id FROM archived_operation WHERE state = 'failed'"
    );
    let refusal = forced
        .execute(&pool)
        .await
        .expect_err("it has been run again");
    let code = refusal
        .as_database_error()
        .and_then(|error| error.code().map(String::from));
    assert_eq!(code.as_deref(), Some("23505"), "{refusal}");
}

/// Makes the end of what is still in the hot tables older, and leaves its id.
async fn age_of_runs(pool: &PgPool) {
    let older = "BEGIN;
         SET LOCAL session_replication_role = replica;
         UPDATE operation SET ended_at = ended_at - interval '100 days';
         COMMIT";
    eventually_true(pool, "SELECT NOT EXISTS (SELECT FROM new_event)").await;
    sqlx::raw_sql(older)
        .execute(pool)
        .await
        .expect("the database is there");
}

#[sqlx::test]
async fn what_was_on_hold_when_it_failed_is_on_hold_again(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let failed = gateway.accept(&client_update("C")).await;
    assert_eq!(operator.act(&failed, "hold").await.status, StatusCode::OK);
    assert_eq!(operator.act(&failed, "cancel").await.status, StatusCode::OK);
    age_and_archive(&pool).await;
    let again = operator.act(&aged(&failed), "retry").await.json();
    let again = again["tracking_id"].as_str().expect("an id");
    assert_eq!(on_hold(&pool, again).await, (true, false));
}

#[sqlx::test]
async fn an_archived_row_of_a_batch_is_sent_again(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule("b-1", vec![client_update("C"), client_update("D")])
        .await;
    gateway.end_next(refused()).await;
    gateway.end_next(done()).await;
    assert_eq!(age_and_archive(&pool).await, 2);
    let data = client_update("C")["data"].take();
    let retry = json!({ "reference_id": "b-1", "modifications": [{ "id": 1, "data": data }] });
    let answer = bulk.send("retry", &retry).await;
    assert_eq!(answer.json()["taken"], json!([1]), "{}", answer.text);
    gateway.end_next(done()).await;
    let status = bulk.status(&json!({ "reference_id": "b-1" })).await;
    assert_eq!(status["batch_status"], "COMPLETED", "{status}");
    let events = "SELECT count(*) = 1 FROM event WHERE type = 'batch.completed'";
    eventually_true(&pool, events).await;
}
