//! What is erased besides operations that are over, and what is not.

use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};

use super::{erase, tables_with};
use crate::support::{
    TestGateway,
    database::is_true,
    fixtures::{client_create, client_update, done, loan_approve, loan_create, refused},
    operators::uuid,
};

/// Changes the database, past its triggers.
async fn change(pool: &PgPool, statements: &str) {
    let statements =
        format!("BEGIN; SET LOCAL session_replication_role = replica; {statements}; COMMIT");
    let changed = sqlx::raw_sql(AssertSqlSafe(statements)).execute(pool).await;
    changed.expect("the database is there");
}

/// Nobody can decide about an operation that has ended, so it must not be refused for ever.
#[sqlx::test]
async fn an_ended_operation_whose_command_timed_out_is_erased_after_a_day(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let mut body = client_update("C");
    body["data"]["firstname"] = json!("Jayesh");
    let id = gateway.accept(&body).await;
    gateway.end_next(done()).await;
    let attempt = format!(
        "DELETE FROM attempt;
         INSERT INTO attempt (operation_id, number, key_number, method, path, body, sent_at, answered_at, error)
         SELECT '{}', n, n, 'PUT', '/clients/7', '{{\"firstname\":\"Jayesh\"}}', now() - interval '2 days', now(), 'timed_out'",
        uuid(&id)
    );
    change(&pool, &format!("{attempt} FROM generate_series(1, 1) n")).await;
    change(
        &pool,
        "UPDATE attempt SET sent_at = now() - interval '23 h'",
    )
    .await;
    let refused = erase(&pool, "C").await;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains(&id), "{}", refused.stderr);

    change(
        &pool,
        "UPDATE attempt SET sent_at = now() - interval '25 h'",
    )
    .await;
    let erased = erase(&pool, "C").await;
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    assert_eq!(tables_with(&pool, "jayesh").await, [""; 0]);

    // A worker may send the first of two keys again, word for word.
    change(
        &pool,
        &format!("{attempt} FROM generate_series(1, 2) n; UPDATE operation SET key_number = 2"),
    )
    .await;
    let erased = erase(&pool, "C").await;
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    let kept = format!("the commands of {id} stay, because they may have to be sent again\n");
    assert!(erased.stdout.ends_with(&kept), "{}", erased.stdout);
    assert_eq!(tables_with(&pool, "jayesh").await, ["attempt"]);
}

#[sqlx::test]
async fn refused_rows_and_answers_of_receivers_are_erased_too(pool: PgPool) {
    TestGateway::start(pool.clone()).await;
    let unknown = erase(&pool, "C").await;
    assert!(
        unknown.stderr.contains("no such client"),
        "{}",
        unknown.stderr
    );
    change(
        &pool,
        r#"INSERT INTO batch (id, client, reference_id, digest, total) VALUES (gen_random_uuid(), 'lender', 'b-1', sha256(''), 6);
         INSERT INTO batch_row (batch_id, number, type, lane, data, names, code, message)
         SELECT b.id, r.number, r.type, r.lane, r.data::json, r.names::json, 'behind_failed', 'refused'
           FROM batch b, (VALUES (1, 'CLIENT_UPDATE', 'client:c', '{"externalId":"C","firstname":"Jayesh"}', NULL),
                                 (2, 'LOAN_CREATE', 'loan:l', '{"externalId":"L","clientId":"c","note":"Jayesh"}', NULL),
                                 (3, 'LOAN_APPROVE', 'loan:l', '{"external_loan_id":"L","note":"Jayesh"}', NULL),
                                 (4, 'LOAN_APPROVE', 'loan:m', '{"external_loan_id":"M","note":"Jalila"}', NULL),
                                 -- Invalid ones, of which only names are kept.
                                 (5, 'CLIENT_CREATE', 'client:c', NULL, '{"externalId":"C","mobileNo":"9966"}'),
                                 (6, 'LOAN_CREATE', NULL, NULL, '{"clientId":"C"}')) r (number, type, lane, data, names);
         INSERT INTO webhook_endpoint (id, owner, url, description, headers, ordered, thin, enabled, position)
         VALUES (gen_random_uuid(), 'x', 'x', 'x', '{}', false, false, false, 0);
         INSERT INTO webhook_delivery (endpoint_id, type, number, lane, response)
         SELECT id, 'operation.succeeded', 1, 'client:c', 'thank you, Jayesh' FROM webhook_endpoint"#,
    )
    .await;
    let erased = erase(&pool, "C").await;
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    assert!(
        erased.stdout.contains(" 4 refused rows"),
        "{}",
        erased.stdout
    );
    assert_eq!(tables_with(&pool, "9966").await, [""; 0]);
    let kept =
        "SELECT names ->> 'externalId' = 'C' AND erased_at IS NULL FROM batch_row WHERE number = 5";
    assert!(is_true(&pool, kept).await);
    assert_eq!(tables_with(&pool, "jayesh").await, [""; 0]);
    assert_eq!(tables_with(&pool, "jalila").await, ["batch_row"]);
}

/// The loan could not be created for one client, and was then created for another.
#[sqlx::test]
async fn the_loan_of_another_client_stays(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    for (body, end) in [
        (client_create("A"), done()),
        (client_create("B"), done()),
        (loan_create("L", "A"), refused()),
        (loan_create("L", "B"), done()),
        (loan_approve("L"), done()),
        (loan_create("M", "A"), refused()),
    ] {
        let id = gateway.accept(&body).await;
        gateway.end_next(end).await;
        gateway.track(&id).await;
    }
    let erased = erase(&pool, "A").await;
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    let of_others = "SELECT array_agg(o.lane || ' ' || o.type ORDER BY o.lane, o.position)
                            = '{client:b CLIENT_CREATE,loan:l LOAN_CREATE,loan:l LOAN_APPROVE}'
                       FROM operation o JOIN payload p ON p.operation_id = o.id WHERE p.erased_at IS NULL";
    assert!(is_true(&pool, of_others).await, "{}", erased.stdout);
}

/// The operation that created the loan for the other client was dropped because of its age.
#[sqlx::test]
async fn the_loan_of_another_client_stays_when_its_creation_is_gone(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    for (body, end) in [
        (client_create("A"), done()),
        (loan_create("L", "A"), refused()),
        (loan_approve("L"), done()),
    ] {
        let id = gateway.accept(&body).await;
        gateway.end_next(end).await;
        gateway.track(&id).await;
    }
    change(
        &pool,
        "INSERT INTO past_read (read_lane, lane) VALUES ('client:b', 'loan:l')",
    )
    .await;
    let erased = erase(&pool, "A").await;
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    let stays = "SELECT array_agg(o.type) = '{LOAN_APPROVE}'
                   FROM operation o JOIN payload p ON p.operation_id = o.id WHERE p.erased_at IS NULL";
    assert!(is_true(&pool, stays).await, "{}", erased.stdout);
}

#[sqlx::test]
async fn nothing_is_erased_while_a_gateway_runs_that_would_send_it_again(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_create("A")).await;
    gateway.end_next(done()).await;
    let older = "INSERT INTO gateway_process (id, version, role, settings) VALUES (gen_random_uuid(), '0.1', 'all', '{}')";
    change(&pool, older).await;
    let refused = erase(&pool, "A").await;
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("older version"),
        "{}",
        refused.stderr
    );
    assert!(
        is_true(
            &pool,
            "SELECT count(*) = 0 FROM payload WHERE erased_at IS NOT NULL"
        )
        .await
    );
    change(&pool, "DELETE FROM gateway_process").await;
    assert_eq!(erase(&pool, "A").await.code, Some(0));
}
