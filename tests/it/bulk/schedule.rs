//! `POST /bulk/schedule`.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Bulk, error_of, errors_of};
use crate::support::{
    Answer, TestGateway,
    fixtures::{client_create, loan_approve, loan_create, loan_disburse},
};

async fn counts(pool: &PgPool) -> (i64, i64) {
    let batches = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM batch"#).fetch_one(pool);
    let operations =
        sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM operation"#).fetch_one(pool);
    (batches.await.unwrap(), operations.await.unwrap())
}

#[sqlx::test]
async fn a_batch_is_durable_and_in_the_order_of_the_file(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    // The stored payload must be exactly the text that was sent.
    let data = r#"{ "external_loan_id":"L", "transactionAmount": 100000.10, "actualDisbursementDate":"11 January 2026" }"#;
    let body = format!(
        r#"{{"operations": [{}, {}, {}, {{"data": {data}, "status": "LOAN_DISBURSE", "consent_id": "c-4"}}],
            "reference_id": "batch-1", "file_name": "loans.json",
            "global_config": {{"configId": "7", "fiDataRangeTo": null}}}}"#,
        client_create("C"),
        loan_create("L", "C"),
        loan_approve("L")
    );

    let answer = Answer::of(bulk.post("schedule", "application/json", body)).await;

    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let batch_id = answer.json()["batch_id"].as_str().unwrap().to_owned();
    assert_eq!(
        answer.text,
        format!(
            r#"{{"reference_id":"batch-1","batch_id":"{batch_id}","batch_status":"READY","summary":{{"total":4,"ready":4,"in_progress":0,"completed":0,"failed":0}}}}"#
        )
    );
    let rows = sqlx::query!(
        r#"SELECT o.type, o.state, o.lane, o.position, p.caller, p.data::text AS "data!"
             FROM batch_row r JOIN operation o ON o.id = r.operation_id JOIN payload p USING (operation_id)
            ORDER BY r.number"#
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let entered: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.r#type.as_str(),
                row.state.as_str(),
                row.lane.as_str(),
                row.position,
            )
        })
        .collect();
    assert_eq!(
        entered,
        [
            ("CLIENT_CREATE", "ready", "client:c", 1),
            ("LOAN_CREATE", "waiting", "loan:l", 1),
            ("LOAN_APPROVE", "waiting", "loan:l", 2),
            ("LOAN_DISBURSE", "waiting", "loan:l", 3),
        ]
    );
    assert_eq!(rows[3].data, data);
    assert_eq!(rows[3].caller, "lender");
}

#[sqlx::test]
async fn the_four_headers_must_all_be_of_one_client(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for path in ["schedule", "status", "retry", "cancel"] {
        for wrong in [
            "client_id",
            "client_secret",
            "appIdentifier",
            "organisationId",
        ] {
            let mut request = gateway
                .request(Method::POST, &format!("/api/bulk/{path}"))
                .header("Content-Type", "text/plain")
                .body("not json");
            for (name, value) in [
                ("client_id", "lender-id"),
                ("client_secret", "lender-secret"),
                ("appIdentifier", "lender-app"),
                ("organisationId", "lender-org"),
            ] {
                let value = if name == wrong { "other-x" } else { value };
                request = request.header(name, value);
            }
            let answer = Answer::of(request).await;
            let (status, code, message) = error_of(&answer);
            assert_eq!(
                (status, code.as_str()),
                (401, "Unauthorized"),
                "{path} {wrong}"
            );
            assert!(!message.contains("Internal"), "{message}");
            assert_eq!(
                answer.header("www-authenticate"),
                "ApiKey header=\"client_secret\""
            );
        }
    }
}

#[sqlx::test]
async fn every_problem_of_every_row_is_told_and_nothing_is_accepted(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let mut late = loan_create("L", "C");
    late["data"]["submittedOnDate"] = json!("30 February 2026");
    late["data"]["principal"] = json!("100000");
    let body = json!({
        "reference_id": " ", "global_config": {"other": 1}, "accept": "some", "extra": 1,
        "operations": [client_create("C"), late, {"status": "LOAN_PAY", "data": {}, "consent_id": 7}, 5]
    });
    let answer = bulk.send("schedule", &body).await;
    let expected = [
        (None, "/reference_id", "blank"),
        (None, "/global_config", "wrong_type"),
        (None, "/accept", "unknown_value"),
        (None, "/extra", "unknown_field"),
        (Some(2), "/data/principal", "wrong_type"),
        (Some(2), "/data/submittedOnDate", "invalid_date"),
        (Some(3), "/status", "unknown_value"),
        (Some(3), "/consent_id", "wrong_type"),
        (Some(4), "", "wrong_type"),
    ];
    let expected = expected.map(|(row, pointer, code)| (row, pointer.to_owned(), code.to_owned()));
    assert_eq!(errors_of(&answer), expected);
    assert_eq!(answer.json().get("errorsNotListed"), None);

    let many: Vec<Value> = (0..1400)
        .map(|_| json!({ "status": "CLIENT_CREATE" }))
        .collect();
    let body = json!({ "reference_id": "r", "operations": many });
    let answer = bulk.send("schedule", &body).await;
    assert_eq!(errors_of(&answer).len(), 1_000);
    assert_eq!(answer.json()["errorsNotListed"], 400);

    for (body, errors) in [
        (json!({}), vec!["/reference_id", "/operations"]),
        (
            json!({ "reference_id": "r", "operations": [] }),
            vec!["/operations"],
        ),
        (json!({ "reference_id": "r", "operations": 7 }), vec![""]),
        (json!([]), vec![""]),
    ] {
        let answer = bulk.send("schedule", &body).await;
        let pointers: Vec<_> = errors_of(&answer)
            .into_iter()
            .map(|(_, pointer, _)| pointer)
            .collect();
        assert_eq!(pointers, errors, "{body}");
    }
    assert_eq!(counts(&pool).await, (0, 0));
}

#[sqlx::test]
async fn what_cannot_be_read_is_refused_in_the_documents_envelope(pool: PgPool) {
    let gateway = TestGateway::start_with(pool.clone(), |state| {
        state.bulk = fineract_gateway::http::Bulk::new(
            fineract_gateway::http::BulkClients::new(&super::clients()),
            2,
            None,
        );
    })
    .await;
    let bulk = Bulk::new(gateway.address);
    let three = ["A", "B", "C"].map(client_create);
    let three = json!({ "reference_id": "r", "operations": three });
    let large = format!("{}{}", " ".repeat(32 * 1024 * 1024), three);
    for (media_type, body, expected) in [
        ("application/json", "{".to_owned(), (400, "BrokenJson")),
        ("application/json", "{} {}".to_owned(), (400, "BrokenJson")),
        (
            "text/plain",
            three.to_string(),
            (415, "UnsupportedMediaType"),
        ),
        ("application/json", three.to_string(), (413, "TooManyRows")),
        ("application/json", large, (413, "BodyTooLarge")),
    ] {
        let answer = Answer::of(bulk.post("schedule", media_type, body)).await;
        let (status, code, _) = error_of(&answer);
        assert_eq!((status, code.as_str()), expected, "{media_type}");
    }
    let get = bulk.http.get(format!("{}/schedule", bulk.base));
    let (status, code, _) = error_of(&Answer::of(get).await);
    assert_eq!((status, code.as_str()), (405, "MethodNotAllowed"));
    assert_eq!(counts(&pool).await, (0, 0));
}

#[sqlx::test]
async fn with_accept_valid_the_good_rows_run_and_those_behind_a_bad_one_do_not(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let mut bad_client = client_create("B");
    bad_client["data"]["firstname"] = json!("");
    let mut bad_loan = loan_create("L", "C");
    bad_loan["data"]["principal"] = json!(-1);
    let body = json!({
        "reference_id": "r", "accept": "valid",
        "operations": [
            client_create("C"), bad_loan, loan_approve("L"), loan_disburse("L"), loan_create("L2", "C"),
            // The next two rows depend on this client.
            bad_client, loan_create("BL", "b"), loan_approve("bl"),
            {"status": "NOTHING", "data": {}},
        ]
    });
    let answer = bulk.send("schedule", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(
        answer.json()["summary"],
        json!({"total": 9, "ready": 2, "in_progress": 0, "completed": 0, "failed": 7})
    );
    assert_eq!(counts(&pool).await, (1, 2));

    let status = bulk.status(&json!({ "reference_id": "r" })).await;
    let records = status["records"].as_array().unwrap().iter();
    let told: Vec<_> = records
        .map(|record| {
            (
                record["status"].as_str().unwrap(),
                record["retry_eligible"].as_str(),
                record["error"]["code"].as_str(),
            )
        })
        .collect();
    let ready = ("READY", None, None);
    let invalid = ("FAILED", Some("YesWithModifications"), Some("invalid_row"));
    let behind = ("FAILED", Some("Yes"), Some("behind_failed"));
    assert_eq!(
        told,
        [
            ready, invalid, behind, behind, ready, invalid, behind, behind, invalid
        ]
    );
    let messages = [1, 2, 7].map(|row: usize| status["records"][row]["error"]["message"].clone());
    assert_eq!(
        messages,
        [
            "Not accepted: /data/principal must not be negative",
            "Not sent: record 2, on which it depends, failed",
            "Not sent: record 7, on which it depends, failed",
        ]
    );
}

#[sqlx::test]
async fn the_same_batch_twice_is_one_and_another_under_its_name_is_refused(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let beside = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let other_door = Bulk::new(beside.address);
    let operations = ["A", "B"].map(client_create);
    let body = json!({ "reference_id": "r", "operations": operations }).to_string();
    let send = |bulk: &Bulk| Answer::of(bulk.post("schedule", "application/json", body.clone()));

    let (first, second, third) = tokio::join!(send(&bulk), send(&other_door), send(&bulk));
    let mut statuses = [&first, &second, &third].map(|answer| answer.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 202]);
    assert_eq!(first.text, second.text);
    assert_eq!(first.text, third.text);
    assert_eq!(counts(&pool).await, (1, 2));
    let again = send(&bulk).await;
    assert_eq!(again.header("idempotency-replayed"), "true");

    let another = json!({ "reference_id": "r", "operations": [client_create("A")] });
    let (status, code, _) = error_of(&bulk.send("schedule", &another).await);
    assert_eq!((status, code.as_str()), (409, "ReferenceIdReused"));
    // Each client has reference ids of its own.
    let theirs = bulk.other().send("schedule", &another).await;
    assert_eq!(theirs.status, 202, "{}", theirs.text);
    assert_ne!(theirs.json()["batch_id"], first.json()["batch_id"]);
    assert_eq!(counts(&pool).await, (2, 3));
}

#[sqlx::test]
async fn too_much_waiting_is_told_with_a_time_to_come_back(pool: PgPool) {
    let gateway = TestGateway::start_with(pool, |state| state.max_waiting = 0).await;
    let bulk = Bulk::new(gateway.address);
    let body = json!({ "reference_id": "r", "operations": [client_create("A")] });
    let answer = bulk.send("schedule", &body).await;
    let (status, code, _) = error_of(&answer);
    assert_eq!((status, code.as_str()), (429, "TooMuchWaiting"));
    assert_eq!(answer.header("retry-after"), "10");
}
