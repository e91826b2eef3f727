//! A month of the archive is dropped: what is known of its operations afterwards.

use fineract_gateway::domain::CredentialKind;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{ARCHIVES, DROPS, age, age_and_archive, aged, archive_one, retain};
use crate::{
    bulk::Bulk,
    keys::Key,
    support::{
        Answer, TestGateway,
        database::{eventually_true, is_true, is_true_on},
        fixtures::{client_update, done, loan_disburse, refused},
        operators::{Operator, uuid},
    },
};

/// The day, and whatever says that the data was dropped on it.
fn gone(answer: &Answer) -> Value {
    assert_eq!(answer.status, 410, "{}", answer.text);
    answer.json()["dropped_on"].take()
}

#[sqlx::test]
async fn its_owner_is_told_the_day_and_others_nothing(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let token = |owner| {
        Key::create(
            &gateway,
            CredentialKind::InternalToken,
            json!({ "owner": owner }),
        )
    };
    let (owner, other) = (token("acme").await, token("other").await);
    let settings = json!({ "owner": "acme" });
    let reader = Key::create(&gateway, CredentialKind::ApiKey, settings).await;
    let other_reader = Key::create(
        &gateway,
        CredentialKind::ApiKey,
        json!({ "owner": "other" }),
    )
    .await;
    let id = owner.accept(&gateway, &loan_disburse("L")).await;
    gateway.end_next(done()).await;
    age_and_archive(&pool).await;
    let id = aged(&id);
    let track = format!("/fineract/track/{id}");
    assert_eq!(owner.get(&gateway, &track).await.status, 200);
    assert_eq!(other.get(&gateway, &track).await.status, 404);
    assert_eq!(retain(&pool, DROPS).await.dropped, 1);

    let today = sqlx::query_scalar!(
        r#"SELECT (dropped_at AT TIME ZONE 'UTC')::date AS "day!" FROM dropped_month"#
    );
    let today = json!(today.fetch_one(&pool).await.expect("a month"));
    let answer = owner.get(&gateway, &track).await;
    assert_eq!(answer.problem(), (410, "operation_dropped".to_owned()));
    assert_eq!(gone(&answer), today);
    let answer = other.get(&gateway, &track).await;
    assert_eq!(answer.problem(), (404, "unknown_tracking_id".to_owned()));
    let wrong_type = track.replace("LOAN_DISBURSE", "LOAN_REPAYMENT");
    assert_eq!(owner.get(&gateway, &wrong_type).await.status, 404);
    let many = json!({ "tracking_ids": [id, wrong_type["/fineract/track/".len()..]] });
    let answer = owner.post(&gateway, "/fineract/track", &many).await.json();
    assert_eq!(
        answer["dropped"],
        json!([{ "tracking_id": id, "dropped_on": today }])
    );
    assert_eq!(answer["unknown"], json!([many["tracking_ids"][1]]));
    let answer = other.post(&gateway, "/fineract/track", &many).await.json();
    assert_eq!(
        (
            answer["dropped"].is_null(),
            answer["unknown"].as_array().map(Vec::len)
        ),
        (true, Some(2))
    );

    let transaction = format!("/transactions/{}", uuid(&id));
    assert_eq!(reader.get(&gateway, &transaction).await.status, 410);
    assert_eq!(other_reader.get(&gateway, &transaction).await.status, 404);
    for name in [uuid(&id).to_string(), id.clone()] {
        let answer = Answer::of(operator.request(Method::GET, &format!("/{name}"))).await;
        assert_eq!(gone(&answer), today);
        assert_eq!(operator.act(&name, "retry").await.status, 410);
    }
    assert!(is_true(&pool, "SELECT count(*) = 0 FROM known_payload").await);
}

#[sqlx::test]
async fn rows_of_a_batch_are_archived_and_not_failed(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule("b-1", vec![client_update("C"), client_update("D")])
        .await;
    gateway.end_next(done()).await;
    gateway.end_next(refused()).await;
    age_and_archive(&pool).await;
    assert_eq!(retain(&pool, DROPS).await.dropped, 1);
    let status = bulk.status(&json!({ "reference_id": "b-1" })).await;
    assert_eq!(status["batch_status"], "ARCHIVED", "{status}");
    let summary = json!({ "total": 2, "ready": 0, "in_progress": 0, "completed": 0, "failed": 0, "archived": 2 });
    assert_eq!(status["summary"], summary);
    assert_eq!(status["metadata"]["progress_percentage"], 100);
    for record in status["records"].as_array().expect("rows") {
        assert_eq!(
            (&record["status"], &record["error"]),
            (&json!("ARCHIVED"), &Value::Null),
            "{record}"
        );
    }
    let retry = json!({ "reference_id": "b-1", "records": [2] });
    let answer = bulk.send("retry", &retry).await.json();
    assert_eq!(answer["taken"], json!([]), "{answer}");
    assert_eq!(answer["not_taken"][0]["code"], "archived", "{answer}");
}

#[sqlx::test]
async fn a_month_goes_only_when_its_newest_end_is_old_enough(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    for client in ["C", "D"] {
        gateway.accept(&client_update(client)).await;
        gateway.end_next(done()).await;
    }
    age(&pool).await;
    let later = |days: u8| {
        let statements = format!(
            "BEGIN; SET LOCAL session_replication_role = replica;
             UPDATE operation SET ended_at = now() - interval '{days} days' WHERE lane = 'client:d'; COMMIT"
        );
        let pool = pool.clone();
        async move {
            let changed = sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
                .execute(&pool)
                .await;
            changed.expect("the database is there");
        }
    };
    // One operation of the month ended not long ago, and is not archived.
    later(10).await;
    let report = retain(&pool, DROPS).await;
    assert_eq!((report.archived, report.dropped), (1, 0));
    // It is archived, but not old enough to be dropped.
    later(40).await;
    let report = retain(&pool, DROPS).await;
    assert_eq!((report.archived, report.dropped), (1, 0));
    // The last month that is dropped is the one before: nothing is dropped for ever without RETENTION_DAYS.
    assert_eq!(retain(&pool, ARCHIVES).await.dropped, 0);
    assert!(is_true(&pool, "SELECT count(*) = 2 FROM archived_operation").await);
    sqlx::raw_sql("UPDATE archived_operation SET ended_at = now() - interval '70 days'")
        .execute(&pool)
        .await
        .expect("the database is there");
    assert_eq!(retain(&pool, DROPS).await.dropped, 1);
}

#[sqlx::test]
async fn a_reader_of_the_archive_is_not_disturbed(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    for client in ["C", "D", "E"] {
        gateway.accept(&client_update(client)).await;
        gateway.end_next(done()).await;
    }
    age_and_archive(&pool).await;
    let first = operator.get("/operations?limit=2").await.json();
    let cursor = first["next_cursor"].as_str().expect("another page");
    // Somebody reads the archive in a transaction: the drop gives way.
    let mut reader = pool.begin().await.expect("the database is there");
    let count = "SELECT count(*) = 3 FROM archived_operation";
    assert!(is_true_on(&mut reader, count).await);
    let drop_month =
        "SELECT drop_archive_month(month_of_id(id), now()) FROM past_operation LIMIT 1";
    let refusal = sqlx::raw_sql(drop_month)
        .execute(&pool)
        .await
        .expect_err("it is in use");
    let code = refusal
        .as_database_error()
        .and_then(|error| error.code().map(String::from));
    assert_eq!(code.as_deref(), Some("55P03"), "{refusal}");
    assert!(is_true_on(&mut reader, count).await);
    reader.rollback().await.expect("the database is there");
    // The month goes between two pages of a list.
    assert_eq!(retain(&pool, DROPS).await.dropped, 1);
    let next = operator
        .get(&format!("/operations?limit=2&cursor={cursor}"))
        .await;
    assert_eq!(next.status, 200, "{}", next.text);
    assert_eq!(next.json()["operations"], json!([]));
    let feed = Answer::of(gateway.get("/events")).await;
    assert_eq!(feed.status, 200, "{}", feed.text);
}

#[sqlx::test]
async fn a_run_waits_for_a_reader_and_says_that_it_goes_on(pool: PgPool) {
    archive_one(&pool).await;
    let mut reader = pool.begin().await.expect("the database is there");
    assert!(is_true_on(&mut reader, "SELECT count(*) = 1 FROM archived_operation").await);
    let until_it_goes_on = async {
        // A run that has said nothing for a minute is another's.
        let said =
            "SELECT count(*) = 1 FROM retention WHERE run_until > started_at + interval '70 s'";
        eventually_true(&pool, said).await;
        reader.rollback().await.expect("the database is there");
    };
    let (report, ()) = tokio::join!(retain(&pool, DROPS), until_it_goes_on);
    assert_eq!(report.dropped, 1);
}
