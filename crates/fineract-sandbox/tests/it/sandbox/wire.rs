//! Tests of the ledger, and of the exact bytes that the sandbox sends.

use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{API, Bench, client};

fn application(client_id: &Value) -> Value {
    json!({"clientId": client_id, "productId": 2, "loanType": "individual", "principal": 100_000,
        "submittedOnDate": "10 January 2024", "expectedDisbursementDate": "10 January 2024",
        "loanTermFrequency": 12, "loanTermFrequencyType": 2, "numberOfRepayments": 12, "repaymentEvery": 1,
        "repaymentFrequencyType": 2, "interestRatePerPeriod": 8, "interestType": 0,
        "interestCalculationPeriodType": 1, "amortizationType": 1, "externalId": "L-1",
        "transactionProcessingStrategyCode": "mifos-standard-strategy", "locale": "en",
        "dateFormat": "dd MMMM yyyy"})
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_stop_its_command() {
    let bench = Bench::start().await;
    bench
        .admin("faults", &json!([{"fault": "slow", "delay_ms": 60_000}]))
        .await;
    let body = client("C-1").to_string();
    let request = format!(
        "POST {API}/clients HTTP/1.1\r\nHost: sandbox\r\nFineract-Platform-TenantId: default\r\n\
         Authorization: Basic bWlmb3M6cGFzc3dvcmQ=\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(&bench.address)
        .await
        .expect("a connection");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the request is sent");
    drop(stream);
    assert!(bench.effects(1).await, "the command did not run to its end");
}

#[tokio::test]
async fn the_ledger_has_each_effect_in_order() {
    let bench = Bench::start().await;
    let created = bench.create("k1").await.1;
    let send = async |path: &str, key: &str, body: Value| {
        let call = bench.post(path, &body).header("Idempotency-Key", key);
        call.send().await.expect("an answer").status().as_u16()
    };
    let on =
        |name: &str| json!({name: "10 January 2024", "locale": "en", "dateFormat": "dd MMMM yyyy"});
    let mut payment = on("actualDisbursementDate");
    payment["transactionAmount"] = json!("99,999.50");
    payment["externalId"] = json!("T-1");
    assert_eq!(
        send("/loans", "k2", application(&created["clientId"])).await,
        200
    );
    assert_eq!(
        send("/loans", "k3", application(&created["clientId"])).await,
        403
    );
    assert_eq!(
        send(
            "/loans/external-id/L-1?command=approve",
            "k4",
            on("approvedOnDate")
        )
        .await,
        200
    );
    assert_eq!(
        send("/loans/external-id/L-1?command=disburse", "k5", payment).await,
        200
    );
    assert_eq!(
        Value::from(bench.list("ledger").await),
        json!([
            {"seq": 1, "action": "CREATE", "entity": "CLIENT", "externalId": "C-1", "idempotencyKey": "k1"},
            {"seq": 2, "action": "CREATE", "entity": "LOAN", "externalId": "L-1", "idempotencyKey": "k2"},
            {"seq": 3, "action": "APPROVE", "entity": "LOAN", "externalId": "L-1", "idempotencyKey": "k4"},
            {"seq": 4, "action": "DISBURSE", "entity": "LOAN", "externalId": "L-1",
             "transactionExternalId": "T-1", "amount": 99999.50, "idempotencyKey": "k5"},
        ])
    );
}

#[tokio::test]
async fn a_replay_of_a_request_without_a_type_has_every_key() {
    let bench = Bench::start().await;
    let mut bodies = Vec::new();
    for _ in 0..2 {
        let mut call = bench
            .post("/clients", &client("C-1"))
            .header("Idempotency-Key", "k")
            .build()
            .expect("a request");
        call.headers_mut().remove("Content-Type");
        let answer = bench.http.execute(call).await.expect("an answer");
        bodies.push(answer.text().await.expect("a body"));
    }
    assert_eq!(
        bodies,
        [
            r#"{"officeId":1,"clientId":1,"resourceId":1,"resourceExternalId":"C-1"}"#,
            r#"{"commandId":null,"officeId":1,"groupId":null,"clientId":1,"loanId":null,"savingsId":null,"resourceId":1,"subResourceId":null,"transactionId":null,"changes":null,"creditBureauReportData":null,"resourceIdentifier":null,"productId":null,"gsimId":null,"glimId":null,"rollbackTransaction":false,"resourceExternalId":"C-1","subResourceExternalId":null}"#,
        ]
    );
}

#[tokio::test]
async fn refusals_are_laid_out_as_fineract_does_and_end_the_connection() {
    let bench = Bench::start().await;
    let mut body = client("C-1");
    body["legalFormId"] = Value::Null;
    let answer = bench
        .post("/clients", &body)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 400);
    assert_eq!(
        answer
            .headers()
            .get("Connection")
            .map(HeaderValue::as_bytes),
        Some(&b"close"[..])
    );
    let expected = r#"{
  "developerMessage" : "Sandbox: validation errors exist.",
  "httpStatusCode" : "400",
  "defaultUserMessage" : "Sandbox: validation errors exist.",
  "userMessageGlobalisationCode" : "validation.msg.validation.errors.exist",
  "errors" : [ {
    "defaultUserMessage" : "Sandbox: client legalFormId cannot be blank.",
    "parameterName" : "legalFormId",
    "developerMessage" : "Sandbox: client legalFormId cannot be blank.",
    "userMessageGlobalisationCode" : "validation.msg.client.legalFormId.cannot.be.blank",
    "args" : [ { } ]
  } ]
}"#;
    assert_eq!(answer.text().await.expect("a body"), expected);
}

#[tokio::test]
async fn the_hundredth_answer_of_a_connection_is_its_last() {
    let bench = Bench::start().await;
    for number in 1..=101 {
        let answer = bench
            .post("/clients", &client(&format!("C-{number}")))
            .send()
            .await;
        let answer = answer.expect("an answer");
        assert_eq!(
            answer.headers().contains_key("Connection"),
            number == 100,
            "{number}"
        );
        assert_eq!(
            answer.text().await.map(|body| body.is_empty()).ok(),
            Some(false)
        );
    }
}
