//! `POST /bulk/retry`.

use fineract_gateway::domain::End;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Bulk, errors_of};
use crate::support::{
    Answer, OPS_TOKEN, TestGateway,
    fixtures::{client_create, loan_approve, loan_create, loan_disburse},
    operators::REASON,
    system::System,
};

pub(super) fn failed(code: &str, fails_dependents: bool) -> End {
    End::Failed {
        body: Some("{}".to_owned()),
        message: "Fineract returned 403".to_owned(),
        code: code.to_owned(),
        fails_dependents,
    }
}

pub(super) fn codes(answer: &Value) -> Vec<(i64, &str)> {
    let rows = answer["not_taken"].as_array().unwrap().iter();
    rows.map(|row| (row["id"].as_i64().unwrap(), row["code"].as_str().unwrap()))
        .collect()
}

#[sqlx::test]
async fn a_failed_chain_is_sent_again_with_what_was_wrong_corrected(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    let bulk = Bulk::new(gateway.address);
    let mut early = loan_create("L", "C");
    early["data"]["submittedOnDate"] = json!("11 January 2020");
    bulk.schedule(
        "r",
        vec![
            client_create("C"),
            early,
            loan_approve("L"),
            loan_disburse("L"),
        ],
    )
    .await;
    let ended = bulk.end_of("r").await;
    assert_eq!(ended["batch_status"], "FAILED", "{ended}");
    let told: Vec<_> = ended["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["retry_eligible"].as_str())
        .collect();
    assert_eq!(
        told,
        [None, Some("YesWithModifications"), Some("Yes"), Some("Yes")]
    );
    let old_id = ended["records"][1]["consent_id"]
        .as_str()
        .unwrap()
        .to_owned();

    let bare = bulk
        .send(
            "retry",
            &json!({ "reference_id": "r", "records": [1, 2.0, 9] }),
        )
        .await;
    assert_eq!(bare.status, 200, "{}", bare.text);
    assert_eq!(bare.json()["taken"], json!([]));
    assert_eq!(
        codes(&bare.json()),
        [
            (1, "not_failed"),
            (2, "needs_modification"),
            (9, "unknown_record")
        ]
    );
    let still_wrong = json!({ "reference_id": "r", "records": [], "modifications": [{"id": 2, "data": {"externalId": "L"}}] });
    let answer = bulk.send("retry", &still_wrong).await.json();
    assert_eq!(codes(&answer), [(2, "invalid_data")]);
    assert_eq!(
        answer["not_taken"][0]["errors"][0]["pointer"],
        "/data/lenderConfig"
    );

    let retry = json!({ "reference_id": "r", "modifications": [{"id": 2, "data": loan_create("L", "C")["data"]}] });
    let answer = bulk.send("retry", &retry).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["taken"], json!([2, 3, 4]));
    assert_eq!(body["not_taken"], json!([]));
    assert_eq!(body["batch_status"], "IN_PROGRESS");

    let ended = bulk.end_of("r").await;
    assert_eq!(ended["batch_status"], "COMPLETED", "{ended}");
    assert_ne!(ended["records"][1]["consent_id"], old_id.as_str());
    assert_eq!(ended["pagination"]["total"], 4);
    let actions: Vec<_> = system
        .ledger()
        .await
        .iter()
        .map(|effect| effect["action"].clone())
        .collect();
    assert_eq!(actions, ["CREATE", "CREATE", "APPROVE", "DISBURSE"]);
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn of_two_retries_at_once_a_row_is_one_s(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let rows = 20;
    bulk.schedule(
        "r",
        (0..rows)
            .map(|n| client_create(&format!("C-{n}")))
            .collect(),
    )
    .await;
    for _ in 0..rows {
        gateway.end_next(failed("status_500", false)).await;
    }
    let request = json!({ "reference_id": "r" });
    let retry = || bulk.send("retry", &request);
    let answers = tokio::join!(retry(), retry(), retry(), retry());
    let mut taken = 0;
    for answer in [answers.0, answers.1, answers.2, answers.3] {
        assert!(answer.status.is_success(), "{}", answer.text);
        taken += answer.json()["taken"].as_array().unwrap().len();
        assert!(
            codes(&answer.json())
                .iter()
                .all(|(_, code)| *code == "retried_already")
        );
    }
    assert_eq!(taken, rows);
    let operations =
        sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM operation"#).fetch_one(&pool);
    assert_eq!(operations.await.unwrap(), 2 * i64::try_from(rows).unwrap());
    let status = bulk.status(&request).await;
    assert_eq!(status["summary"]["ready"], rows);
    assert_eq!(
        status["batch_status"], "IN_PROGRESS",
        "the batch had begun before the retry"
    );
}

#[sqlx::test]
async fn what_cannot_be_sent_again_is_told_why(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule(
        "r",
        vec![
            client_create("A"),
            client_create("B"),
            client_create("C"),
            client_create("D"),
        ],
    )
    .await;
    gateway.end_next(failed("done_by_another", false)).await;
    gateway
        .end_next(failed("error.msg.client.duplicate.externalId", false))
        .await;
    gateway.end_next(failed("status_500", false)).await;
    let data = client_create("X")["data"].clone();
    let request = json!({
        "reference_id": "r",
        "modifications": [
            {"id": 1, "data": data}, {"id": 2, "data": data, "status": "CLIENT_UPDATE"}, {"id": 4, "data": data},
        ]
    });
    let answer = bulk.send("retry", &request).await.json();
    assert_eq!(answer["taken"], json!([3]));
    assert_eq!(
        codes(&answer),
        [
            (1, "not_eligible"),
            (2, "status_changed"),
            (4, "unknown_record")
        ]
    );
    for (request, pointers) in [
        (json!({}), vec!["/reference_id"]),
        (
            json!({"reference_id": "r", "records": "all", "modifications": [{"id": 1}]}),
            vec!["/records", "/modifications"],
        ),
        (
            json!({"reference_id": "r", "modifications": [{"id": 1, "data": {}}, {"id": 1, "data": {}}], "x": 1}),
            vec!["/modifications", "/x"],
        ),
    ] {
        let found = errors_of(&bulk.send("retry", &request).await);
        let found: Vec<_> = found
            .iter()
            .map(|(_, pointer, _)| pointer.as_str())
            .collect();
        assert_eq!(found, pointers, "{request}");
    }
}

#[sqlx::test]
async fn a_row_shows_the_operation_that_an_operator_runs_in_its_place(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule("r", vec![client_create("A")]).await;
    gateway.end_next(failed("done_by_another", false)).await;
    let query = json!({ "reference_id": "r" });
    let before = bulk.status(&query).await;
    let id = before["records"][0]["consent_id"].as_str().unwrap();
    let request = gateway
        .request(Method::POST, &format!("/fineract/operations/{id}/retry"))
        .json(&json!({ "reason": REASON }))
        .header("X-Internal-Token", OPS_TOKEN);
    let retried = Answer::of(request).await;
    assert!(retried.status.is_success(), "{}", retried.text);
    let after = bulk.status(&query).await;
    assert_eq!(after["batch_status"], "IN_PROGRESS");
    assert_eq!(after["summary"]["ready"], 1);
    assert_ne!(after["records"][0]["consent_id"], id);
}

#[sqlx::test]
async fn rows_refused_at_the_door_are_corrected_in_a_table(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    let bulk = Bulk::new(gateway.address);
    let table = "status,externalId,firstname,lastname,activationDate,lenderConfig,principal,submittedOnDate,loanTermFrequency,numberOfRepayments,interestRatePerPeriod,clientId,external_loan_id,approvedOnDate\n\
        CLIENT_CREATE,C,Jayesh,Badgujar,01 January 2026,,,,,,,,,\n\
        LOAN_CREATE,L,,,,UGRO,lots,11 January 2026,12,12,8,C,,\n\
        LOAN_APPROVE,,,,,,,,,,,,L,11 January 2026\n";
    let answer =
        Answer::of(bulk.post("schedule?reference_id=r&accept=valid", "text/csv", table)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.json()["summary"]["failed"], 2);

    // The table of failed rows with one cell corrected. The row that depends on the corrected row is unchanged.
    let corrected = "id,status,externalId,lenderConfig,principal,submittedOnDate,loanTermFrequency,numberOfRepayments,interestRatePerPeriod,clientId,external_loan_id,approvedOnDate,error_code,error_message,retry_eligible\n\
        2,LOAN_CREATE,L,UGRO,100000.10,11 January 2026,12,12,8,C,,,invalid_row,\"Not accepted: x, y\",YesWithModifications\n\
        3,LOAN_APPROVE,,,,,,,,,L,11 January 2026,behind_failed,z,Yes\n";
    let answer = Answer::of(bulk.post("retry?reference_id=r", "text/csv", corrected)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.json()["taken"], json!([2, 3]));
    let ended = bulk.end_of("r").await;
    assert_eq!(ended["batch_status"], "COMPLETED", "{ended}");
    let principal = sqlx::query_scalar!(
        r#"SELECT (data -> 'principal')::text AS "n!" FROM payload WHERE lane = 'loan:l' AND data -> 'principal' IS NOT NULL"#
    );
    assert_eq!(principal.fetch_one(&pool).await.unwrap(), "100000.10");

    for (table, expected) in [
        ("status\nx\n", vec![(None, "/id")]),
        (
            "id,status\nx,\n2,\n2,\n3\n",
            vec![(Some(1), "/id"), (Some(3), "/id"), (Some(4), "")],
        ),
    ] {
        let answer = Answer::of(bulk.post("retry?reference_id=r", "text/csv", table)).await;
        let found = errors_of(&answer);
        let found: Vec<_> = found
            .iter()
            .map(|(row, pointer, _)| (*row, pointer.as_str()))
            .collect();
        assert_eq!(found, expected, "{table}");
    }
    assert!(gateway.shut_down().await);
}
