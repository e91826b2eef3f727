//! `GET /fineract/track/{tracking_id}`, over TCP.

use fineract_gateway::domain::{End, TrackingId};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use crate::support::{
    Answer, TOKEN, TestGateway,
    database::eventually_waits_for_lock,
    fixtures::{client_create, loan_create},
};

/// The `ended_at` of an operation in the database, in the format of `processed_at`.
async fn ended_at(pool: &PgPool, tracking_id: &str) -> String {
    let tracking_id: TrackingId = tracking_id.parse().expect("a tracking id");
    sqlx::query_scalar!(
        r#"SELECT to_char(ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') AS "at!"
             FROM operation WHERE id = $1"#,
        tracking_id.id.0
    )
    .fetch_one(pool)
    .await
    .expect("the operation is there")
}

#[sqlx::test]
async fn success_has_the_documents_keys_and_fineracts_own_words(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let id = gateway.accept(&client_create("INC-1")).await;
    let body = r#"{"resourceId":42, "officeId":1,"amount":100000.10,"rate":1e5}"#;
    gateway
        .end_next(End::Succeeded {
            body: body.to_owned(),
            resource_id: fineract_gateway::domain::ResourceId::Unchanged,
        })
        .await;

    let answer = Answer::of(gateway.get(&format!("/fineract/track/{id}"))).await;

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let at = ended_at(&pool, &id).await;
    assert_eq!(
        answer.text,
        format!(
            r#"{{"tracking_id":"{id}","operation_type":"CLIENT_CREATE","status":"success","success_response":{body},"failure_response":null,"error_message":null,"processed_at":"{at}"}}"#
        )
    );
}

#[sqlx::test]
async fn failure_has_the_documents_keys_and_fineracts_own_words(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    for (number, (stored, shown)) in [
        (
            Some(r#"{"httpStatusCode":"403","errors":[]}"#),
            r#"{"httpStatusCode":"403","errors":[]}"#,
        ),
        (
            Some("<h1>Bad \"Gateway\"</h1>"),
            r#""<h1>Bad \"Gateway\"</h1>""#,
        ),
        (None, "null"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = gateway
            .accept(&client_create(&format!("INC-{number}")))
            .await;
        let end = End::Failed {
            body: stored.map(str::to_owned),
            message: "Fineract returned 403".to_owned(),
            code: "refused".to_owned(),
            fails_dependents: false,
        };
        gateway.end_next(end).await;
        let answer = Answer::of(gateway.get(&format!("/fineract/track/{id}"))).await;
        let at = ended_at(&pool, &id).await;
        assert_eq!(
            answer.text,
            format!(
                r#"{{"tracking_id":"{id}","operation_type":"CLIENT_CREATE","status":"failed","success_response":null,"failure_response":{shown},"error_message":"Fineract returned 403","processed_at":"{at}"}}"#
            )
        );
    }
}

#[sqlx::test]
async fn the_bar_comes_raw_or_encoded_under_every_base_path(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let id = gateway.accept(&client_create("INC-1")).await;
    let expected = json!({"tracking_id": id, "status": "processing"}).to_string();
    for base_path in ["", "/api", "/api/v1"] {
        for bar in ["|", "%7C", "%7c"] {
            let path = format!("{base_path}/fineract/track/{}", id.replace('|', bar));
            let answer = gateway
                .raw(&format!(
                    "GET {path} HTTP/1.1\r\nHost: gateway\r\nX-Internal-Token: {TOKEN}\r\nConnection: close\r\n\r\n"
                ))
                .await;
            assert!(
                answer.starts_with("HTTP/1.1 200 OK\r\n"),
                "{path}: {answer}"
            );
            assert!(answer.ends_with(&expected), "{path}: {answer}");
        }
    }
}

#[sqlx::test]
async fn what_is_no_tracking_id_is_told_from_one_that_is_not_known(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let id = gateway.accept(&client_create("INC-1")).await;
    let of_another_type = id.replace("CLIENT_CREATE", "LOAN_DELETE");
    for (id, status, code) in [
        (
            "CLIENT_CREATE|406362bf-f3da-4bc6-a506-d67e0878b7b6",
            404,
            "unknown_tracking_id",
        ),
        (of_another_type.as_str(), 404, "unknown_tracking_id"),
        (
            "406362bf-f3da-4bc6-a506-d67e0878b7b6",
            400,
            "malformed_tracking_id",
        ),
        ("CLIENT_CREATE|406362bf", 400, "malformed_tracking_id"),
        (
            "CLIENT_BUY|406362bf-f3da-4bc6-a506-d67e0878b7b6",
            400,
            "malformed_tracking_id",
        ),
        ("%FF", 400, "malformed_tracking_id"),
        ("%00", 400, "malformed_tracking_id"),
    ] {
        let answer = Answer::of(gateway.get(&format!("/fineract/track/{id}"))).await;
        assert_eq!(answer.problem(), (status, code.to_owned()), "{id}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let request = gateway.request(reqwest::Method::GET, &format!("/fineract/track/{id}"));
    assert_eq!(
        Answer::of(request).await.problem(),
        (401, "unauthorized".to_owned())
    );
}

#[sqlx::test]
async fn a_failure_that_is_read_is_noted_on_its_lanes_in_their_order(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let id = gateway.accept(&loan_create("L", "C")).await;
    gateway
        .end_next(End::Failed {
            body: None,
            message: "Fineract returned 403".to_owned(),
            code: "test".to_owned(),
            fails_dependents: true,
        })
        .await;
    // The lane of the client gets the same failure, as if the create had failed as a dependent of its client.
    sqlx::query!(
        "UPDATE lane l SET failed_by = r.failed_by, failed_at = r.failed_at
           FROM lane r WHERE l.key = 'client:c' AND r.key = 'loan:l'"
    )
    .execute(&pool)
    .await
    .unwrap();
    let mut other = pool.begin().await.unwrap();
    sqlx::query!("SELECT key FROM lane WHERE key = 'client:c' FOR NO KEY UPDATE")
        .fetch_one(&mut *other)
        .await
        .unwrap();

    let reading = Answer::of(gateway.get(&format!("/fineract/track/{id}")));
    let locking = async {
        eventually_waits_for_lock(&pool).await;
        // The reader waits for the lock of the first lane, and has not locked the second one.
        sqlx::query!("SELECT key FROM lane WHERE key = 'loan:l' FOR NO KEY UPDATE NOWAIT")
            .fetch_one(&mut *other)
            .await
            .expect("nobody has it");
        other.rollback().await.unwrap();
    };
    let (answer, ()) = tokio::join!(reading, locking);

    assert_eq!(answer.json()["status"], "failed");
    let unread = sqlx::query_scalar!("SELECT count(*) FROM lane WHERE NOT failure_read")
        .fetch_one(&pool)
        .await;
    assert_eq!(unread.unwrap(), Some(0));
}

#[sqlx::test]
async fn a_reading_that_hangs_is_an_error_and_does_not_hang_the_next_one(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let id = gateway.accept(&client_create("INC-1")).await;
    let path = format!("/fineract/track/{id}");
    let mut lock = pool.begin().await.expect("a transaction");
    sqlx::query!("LOCK TABLE result IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .expect("the lock");

    let hung = Answer::of(gateway.get(&path)).await;
    assert_eq!(hung.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        hung.json(),
        json!({ "tracking_id": id, "status": "processing" })
    );

    lock.rollback().await.expect("the end of the transaction");
    let next = Answer::of(gateway.get(&path)).await;
    assert_eq!(next.status, StatusCode::OK);
}
