//! One reference (UTR) pays a loan only once, even if it is typed differently.

use fineract_gateway::domain::comparable_reference;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    Answer, TestGateway,
    caller::Caller,
    fixtures::{client, disburse, repayment},
    system::System,
};

async fn repay(gateway: &Caller, reference: &str) -> Value {
    let mut data = repayment("L", 10.0);
    data["utr_payment_id"] = json!(reference);
    gateway.run("LOAN_REPAYMENT", data).await
}

#[sqlx::test]
async fn the_same_reference_is_the_same_however_it_is_typed(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    gateway.pay_out("L").await;
    let first = repay(&gateway, "HDFC-00 1").await;
    assert_eq!(first["status"], "success", "{first}");
    let composed = repay(&gateway, "\u{c9}-1").await;
    assert_eq!(composed["status"], "success", "{composed}");
    let number = repay(&gateway, "000-427").await;
    assert_eq!(number["status"], "success", "{number}");

    for (again, used_by) in [
        ("hdfc001", &first),
        ("HDFC\u{2013}001", &first),
        ("ＨＤＦＣ００１", &first),
        ("e\u{301}1", &composed),
        ("000427", &number),
        ("427", &number),
        ("0427", &number),
    ] {
        let end = repay(&gateway, again).await;
        let used_by = used_by["tracking_id"].as_str().unwrap();
        let message = format!("Not sent: this utr_payment_id was used for the loan by {used_by}");
        assert_eq!(end["error_message"], message, "{again}");
    }
    let other = repay(&gateway, "HDFC002").await;
    assert_eq!(other["status"], "success", "{other}");

    // The gateway stores and sends the UTR as the caller wrote it.
    let stored = sqlx::query_scalar!(
        r#"SELECT reference AS "r!" FROM payload WHERE reference LIKE 'HDFC-%'"#
    );
    assert_eq!(stored.fetch_one(&pool).await.unwrap(), "HDFC-00 1");
    let sent =
        sqlx::query_scalar!(r#"SELECT body AS "b!" FROM attempt WHERE body LIKE '%HDFC-00 1%'"#);
    assert_eq!(sent.fetch_all(&pool).await.unwrap().len(), 1);
}

/// If a UTR is ASCII, the SQL function returns the same comparable form as the gateway, so that stored UTRs are found
/// by an index. For any other UTR it returns NULL, and the gateway compares the UTRs itself.
#[sqlx::test]
async fn the_databases_form_is_the_gateways_or_none(pool: PgPool) {
    let ascii: String = (1..=127_u8).map(char::from).collect();
    for reference in [
        "HDFC1",
        "hdfc1",
        " a-B\tc\nd\u{b}e\u{c}f\rg ",
        "A_1/2.3\\x'\"%",
        "---",
        "",
        &ascii,
        "ＨＤＦＣ１",
        "HDFC\u{a0}1",
        "a\u{2010}b\u{2014}c",
        "a\u{200b}b\u{feff}",
        "Stra\u{df}e",
        "\u{130}",
        "\u{131}",
        "\u{212a}1",
        "e\u{301}",
        "\u{fb01}",
        "ΟΣ",
        "ऋण-१",
        "漢字",
        "😀",
        "\u{1e9e}",
    ] {
        let theirs = sqlx::query_scalar!("SELECT plain_reference($1)", reference)
            .fetch_one(&pool)
            .await
            .unwrap();
        let ours = reference
            .is_ascii()
            .then(|| comparable_reference(reference));
        assert_eq!(theirs, ours, "{reference:?}");
    }
}

#[sqlx::test]
async fn names_that_cannot_be_told_apart_are_refused(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let (client, disburse) = (client("C"), disburse("L"));
    for (operation_type, data, key, value, code) in [
        (
            "CLIENT_CREATE",
            &client,
            "externalId",
            "C\u{200b}1",
            "invisible_character",
        ),
        (
            "CLIENT_CREATE",
            &client,
            "externalId",
            "\u{feff}C1",
            "invisible_character",
        ),
        (
            "CLIENT_UPDATE",
            &client,
            "externalId",
            "C\u{ad}1",
            "invisible_character",
        ),
        (
            "LOAN_DISBURSE",
            &disburse,
            "external_loan_id",
            "L\u{202e}1",
            "invisible_character",
        ),
        (
            "LOAN_DELETE",
            &json!({}),
            "external_loan_id",
            "L\u{2060}",
            "invisible_character",
        ),
        (
            "LOAN_DISBURSE",
            &disburse,
            "utr_payment_id",
            "U\u{200d}1",
            "invisible_character",
        ),
        (
            "LOAN_DISBURSE",
            &disburse,
            "utr_payment_id",
            "- \u{2014}-",
            "blank",
        ),
    ] {
        let mut data = data.clone();
        data[key] = json!(value);
        let body = json!({ "status": operation_type, "data": data }).to_string();
        let answer = Answer::of(gateway.post("/fineract/operate", body)).await;
        assert_eq!(
            answer.problem(),
            (422, "invalid_request".to_owned()),
            "{value:?}"
        );
        let errors = answer.json()["errors"].take();
        assert_eq!(errors[0]["pointer"], format!("/data/{key}"), "{errors}");
        assert_eq!(errors[0]["code"], code, "{errors}");
        assert_eq!(errors.as_array().unwrap().len(), 1, "{errors}");
    }
}
