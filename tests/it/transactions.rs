//! `GET /transactions/{id}` (document 003), over TCP.

use fineract_gateway::domain::End;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    API_KEY, Answer, TestGateway,
    fixtures::{client_create, disburse, repayment},
    system::System,
};

const HEADERS: [&str; 5] = [
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "ratelimit-policy",
    "ratelimit",
];

/// Reads a transaction with the key of `lender`.
async fn read(gateway: &TestGateway, id: &str) -> Answer {
    let path = format!("/transactions/{id}/");
    let request = gateway.request(Method::GET, &path);
    Answer::of(request.header("Authorization", format!("Token {API_KEY}"))).await
}

/// Sends a disbursement, which must be accepted. Returns its tracking id.
async fn accept_payout(gateway: &TestGateway, loan_id: &str) -> String {
    let mut data = disburse(loan_id);
    data["utr_payment_id"] = json!(format!("UTR-{loan_id}"));
    gateway
        .accept(&json!({ "status": "LOAN_DISBURSE", "data": data }))
        .await
}

fn uuid(tracking_id: &str) -> &str {
    tracking_id.split_once('|').unwrap().1
}

#[sqlx::test]
async fn it_is_found_by_uuid_and_tracking_id_with_and_without_the_slash(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let tracking_id = accept_payout(&gateway, "LOAN-123").await;
    let id = uuid(&tracking_id);
    for base_path in ["", "/api", "/api/v1"] {
        for name in [id.to_owned(), tracking_id.replace('|', "%7C")] {
            for slash in ["", "/"] {
                let path = format!("{base_path}/transactions/{name}{slash}");
                let request = gateway.request(Method::GET, &path);
                let request = request.header("Authorization", format!("token {API_KEY}"));
                let answer = Answer::of(request).await;
                assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
                assert_eq!(answer.json()["id"], id);
            }
        }
    }
}

#[sqlx::test]
async fn one_that_waits_has_the_documents_keys_and_no_completion(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let tracking_id = accept_payout(&gateway, "LOAN-123").await;
    let answer = read(&gateway, &tracking_id).await;
    let mut body = answer.json();
    for key in ["created_at", "updated_at"] {
        let time = body[key].as_str().unwrap();
        assert!(time.ends_with('Z') && time.len() == 27, "{time}");
        body[key] = json!("T");
    }
    assert_eq!(
        body.to_string(),
        json!({
            "id": uuid(&tracking_id), "operation_type": "withdrawal", "status": "pending",
            "amount": null, "currency": "INR", "merchant_reference": "UTR-LOAN-123",
            "created_at": "T", "updated_at": "T",
            "transfer_details": { "transfer_method": null, "beneficiary_account": "****-123",
                                  "estimated_completion": null }
        })
        .to_string()
    );

    // The amount has exactly the digits that the caller sent.
    let raw = r#"{"status":"LOAN_REPAYMENT","data":{"external_loan_id":"LOAN-9",
        "transactionDate":"12 February 2026","transactionAmount":8700.10}}"#;
    let accepted = Answer::of(gateway.post("/fineract/operate", raw)).await;
    let tracking_id = accepted.json()["tracking_id"].as_str().unwrap().to_owned();
    let answer = read(&gateway, &tracking_id).await;
    assert!(
        answer.text.contains(r#""amount":8700.10,"#),
        "{}",
        answer.text
    );
    let body = answer.json();
    assert_eq!(body["operation_type"], "payment");
    assert_eq!(body["merchant_reference"], "LOAN-9");
    assert_eq!(body.get("transfer_details"), None);
}

#[sqlx::test]
async fn errors_are_the_documents_and_every_answer_says_what_is_left(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let other = gateway.accept(&client_create("INC-1")).await;
    let payout = accept_payout(&gateway, "LOAN-123").await;
    let of_another_type = payout.replace("LOAN_DISBURSE", "LOAN_REPAYMENT");
    let absent = "550e8400-e29b-41d4-a716-446655440000";
    let token = format!("Token {API_KEY}");
    let (token, get) = (token.as_str(), Method::GET);
    for (method, id, authorization, status, code, kind) in [
        (
            &get,
            absent,
            token,
            404,
            "transaction_not_found",
            "not_found_error",
        ),
        (
            &get,
            uuid(&other),
            token,
            404,
            "transaction_not_found",
            "not_found_error",
        ),
        (
            &get,
            &of_another_type,
            token,
            404,
            "transaction_not_found",
            "not_found_error",
        ),
        (
            &get,
            "42",
            token,
            400,
            "invalid_transaction_id",
            "invalid_request_error",
        ),
        (
            &get,
            "%FF",
            token,
            400,
            "invalid_transaction_id",
            "invalid_request_error",
        ),
        (
            &get,
            absent,
            "",
            401,
            "authentication_failed",
            "authentication_error",
        ),
        (
            &get,
            absent,
            "Token x",
            401,
            "authentication_failed",
            "authentication_error",
        ),
        (
            &get,
            absent,
            API_KEY,
            401,
            "authentication_failed",
            "authentication_error",
        ),
        (
            &Method::POST,
            absent,
            token,
            405,
            "method_not_allowed",
            "invalid_request_error",
        ),
    ] {
        let request = gateway.request(method.clone(), &format!("/transactions/{id}"));
        let request = request
            .header("Authorization", authorization)
            .header("X-Request-Id", "req_abc123");
        let answer = Answer::of(request).await;
        let body = answer.json();
        assert_eq!(answer.status.as_u16(), status, "{body}");
        assert_eq!(answer.header("content-type"), "application/json");
        let message = &body["error"]["message"];
        assert_eq!(
            body.to_string(),
            json!({ "error": { "code": code, "message": message, "type": kind },
                    "request_id": "req_abc123" })
            .to_string()
        );
        assert!(
            HEADERS.iter().all(|name| !answer.header(name).is_empty()),
            "{id}"
        );
    }
    let answer = read(&gateway, absent).await;
    let message = &answer.json()["error"]["message"];
    assert_eq!(*message, format!("Transaction with ID {absent} not found"));
}

#[sqlx::test]
async fn how_it_ended_is_told_in_the_documents_words(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for (number, (body, code, status)) in [
        (Some(r#"{"errors":[]}"#), "error.msg.loan.x", "declined"),
        (None, "reference_used", "rejected"),
        (None, "cancelled", "canceled"),
        (None, "expired", "expired"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = accept_payout(&gateway, &format!("LOAN-{number}")).await;
        let end = End::Failed {
            body: body.map(str::to_owned),
            message: "Said reason_code".to_owned(),
            code: code.to_owned(),
            fails_dependents: false,
        };
        gateway.end_next(end).await;
        let body = read(&gateway, &id).await.json();
        assert_eq!(body["status"], status);
        assert_eq!(body.get("completion_details"), None);
        assert_eq!(
            body["transfer_details"]["estimated_completion"],
            Value::Null
        );
    }
}

#[sqlx::test]
async fn a_payout_and_repayments_end_with_their_details(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("API_KEYS", &format!("lender={API_KEY}"));
    system.set("FINERACT_PAYMENT_TYPE", "Bank transfer");
    let gateway = system.gateway().await;
    gateway.file("LOAN-123").await;
    let approval = crate::support::fixtures::approve("LOAN-123");
    gateway.succeeds("LOAN_APPROVE", approval).await;
    let mut data = disburse("LOAN-123");
    data["utr_payment_id"] = json!("UTR-1");
    let id = gateway.send("LOAN_DISBURSE", data).await;
    let end = gateway.end_of(&id).await;
    let paid = gateway.transaction(&id, API_KEY).await;
    let number = end["success_response"]["subResourceId"].to_string();
    assert_eq!(paid["status"], "success", "{paid}");
    assert_eq!(paid["amount"].to_string(), "100000.0");
    assert_eq!(paid["currency"], "INR");
    let at = end["processed_at"].as_str().unwrap();
    assert_eq!(
        paid["completion_details"],
        json!({ "completed_at": format!("{at}Z"), "authorization_code": number,
                "reference_number": "UTR-1" })
    );
    assert_eq!(
        paid["transfer_details"],
        json!({ "transfer_method": "Bank transfer", "beneficiary_account": "****-123",
                "estimated_completion": null })
    );

    for (amount, status) in [(100.0, "success"), (500_000.0, "paid_full")] {
        let id = gateway
            .send("LOAN_REPAYMENT", repayment("LOAN-123", amount))
            .await;
        let end = gateway.end_of(&id).await;
        let repaid = gateway.transaction(&id, API_KEY).await;
        assert_eq!(repaid["status"], status, "{repaid}");
        let details = &repaid["completion_details"];
        let number = end["success_response"]["resourceId"].to_string();
        assert_eq!(details["authorization_code"], number);
        assert_eq!(details["reference_number"], uuid(&id));
    }
    assert!(gateway.shut_down().await);
}
