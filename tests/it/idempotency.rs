//! The gateway recognizes a request that is sent again by its content, even if other things have changed since.

use reqwest::{RequestBuilder, StatusCode};
use sqlx::PgPool;

use crate::support::{
    Answer, TestGateway,
    fixtures::{client_create, envelope, loan_from},
};

fn keyed(gateway: &TestGateway, key: &'static str, body: &str) -> RequestBuilder {
    let request = gateway.post("/fineract/operate", body.to_owned());
    request.header("Idempotency-Key", key)
}

fn reused() -> (u16, String) {
    (422, "idempotency_key_reused".to_owned())
}

async fn assert_replayed(request: RequestBuilder, first: &Answer) {
    let again = Answer::of(request).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json()["tracking_id"], first.json()["tracking_id"]);
}

/// The body of a `LOAN_CREATE` for a lender.
fn loan(lender: &str, external_id: &str) -> String {
    envelope("LOAN_CREATE", loan_from(lender, external_id, "C")).to_string()
}

#[sqlx::test]
async fn a_key_is_looked_up_before_a_request_is_refused(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let first = Answer::of(keyed(&gateway, "k", &loan("UGRO", "L"))).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);

    // One gateway no longer knows the lender. Another one accepts nothing, because too much waits.
    let changed = TestGateway::start_with(pool.clone(), |state| {
        let mut deployment = (*state.deployment).clone();
        deployment.lenders = vec![("DMI".to_owned(), "DMI".to_owned())];
        state.deployment = deployment.into();
    })
    .await;
    let full = TestGateway::start_with(pool.clone(), |state| state.max_waiting = 0).await;
    for gateway in [&changed, &full] {
        assert_replayed(keyed(gateway, "k", &loan("UGRO", "L")), &first).await;
        for other in [
            loan("UGRO", "M"),
            loan("DMI", "L"),
            "{}".to_owned(),
            "[]".to_owned(),
        ] {
            let answer = Answer::of(keyed(gateway, "k", &other)).await;
            assert_eq!(answer.problem(), reused(), "{other}");
        }
        // A body that is not JSON has no value to compare.
        let answer = Answer::of(keyed(gateway, "k", "{")).await;
        assert_eq!(answer.problem(), (400, "broken_json".to_owned()));
    }
    // A request that is refused does not use up its key.
    let refused = Answer::of(keyed(&changed, "new", &loan("UGRO", "N"))).await;
    assert_eq!(refused.problem(), (422, "invalid_request".to_owned()));
    let refused = Answer::of(keyed(&full, "new", &loan("UGRO", "N"))).await;
    assert_eq!(refused.problem(), (429, "too_much_waiting".to_owned()));
    let taken = Answer::of(keyed(&gateway, "new", &loan("UGRO", "O"))).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.text);
}

#[sqlx::test]
async fn the_same_value_is_the_same_body(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let body = r#"{"status":"LOAN_DISBURSE","data":{"external_loan_id":"L\u00e9","note":null,"transactionAmount":100000.10,"actualDisbursementDate":"11 January 2026"}}"#;
    let same = r#" { "data": { "actualDisbursementDate": "11 January 2026", "transactionAmount": 1.000001e5,
        "external_loan_id": "Lé", "note": null }, "status": "LOAN\u005fDISBURSE" } "#;
    let first = Answer::of(keyed(&gateway, "k", body)).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    assert_replayed(keyed(&gateway, "k", same), &first).await;
    for other in [
        body.replace("100000.10", "100000.11"),
        body.replace("100000.10", "100000.10000000000000000000000000001"),
        body.replace("100000.10", "\"100000.10\""),
        body.replace("100000.10", "1e400"),
        body.replace(r#""note":null,"#, ""),
        body.replace(r"\u00e9", r"e\u0301"),
        body.replace(r"\u00e9", r"\u00c9"),
        // A repeated field has no defined value.
        body.replace(r#""note":null,"#, r#""note":null,"note":null,"#),
    ] {
        assert_eq!(
            Answer::of(keyed(&gateway, "k", &other)).await.problem(),
            reused(),
            "{other}"
        );
    }

    // An older gateway stored no `value_digest`.
    sqlx::query!("UPDATE idempotency SET value_digest = NULL")
        .execute(&pool)
        .await
        .unwrap();
    assert_replayed(keyed(&gateway, "k", body), &first).await;
    assert_eq!(
        Answer::of(keyed(&gateway, "k", same)).await.problem(),
        reused()
    );
}

/// The digest of the bytes is stored too. With it, an older gateway on the same database recognizes the same bytes.
#[sqlx::test]
async fn the_digest_of_the_bytes_is_kept(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let body = client_create("C").to_string();
    Answer::of(keyed(&gateway, "k", &body)).await;
    let kept = sqlx::query_scalar!(
        r#"SELECT digest = sha256(convert_to($1, 'UTF8')) AS "is_kept!" FROM idempotency"#,
        body
    );
    assert!(kept.fetch_one(&pool).await.unwrap());
}
