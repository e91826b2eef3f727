//! The texts in requests of operators: Postgres has none with NUL, so each is refused, and not an error of the
//! database.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{TestGateway, fixtures::client_create, operators::Operator};

#[sqlx::test]
async fn a_text_with_nul_is_refused(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let operator = Operator::of(gateway.address);
    let id = gateway
        .accept(&client_create("C-1"))
        .await
        .replace('|', "%7C");
    let number = |external_id: &str, reason: &str| json!({ "number": 1, "external_id": external_id, "reason": reason });
    let hold = |key: &str| json!({ key: "a\0b", "reason": "looked at" });
    for (path, body, pointer) in [
        (
            "/lanes/client:c-1/number".to_owned(),
            number("a\0b", "r"),
            "/external_id",
        ),
        (
            "/lanes/client:c-1/number".to_owned(),
            number("a", "r\0"),
            "/reason",
        ),
        (
            format!("/operations/{id}/hold"),
            json!({ "reason": "a\0b" }),
            "/reason",
        ),
        (
            format!("/operations/{id}/resolve"),
            json!({ "outcome": "failed", "reason": "r", "note": "a\0b" }),
            "/note",
        ),
        ("/hold/release".to_owned(), hold("lender"), "/lender"),
        ("/hold/release".to_owned(), hold("lane"), "/lane"),
        (
            "/hold/end".to_owned(),
            json!({ "reason": "a\0b" }),
            "/reason",
        ),
        (
            "/books/epochs".to_owned(),
            json!({ "epoch": 1, "reason": "a\0b" }),
            "/reason",
        ),
    ] {
        let answer = operator.post(&path, &body).await;
        assert_eq!(answer.status, 422, "{path}: {}", answer.text);
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{path}");
    }
    let lane = operator
        .post("/lanes/a%00b/number", &number("a", "r"))
        .await;
    assert_eq!(lane.problem(), (404, "unknown_lane".to_owned()));
    let inspected = operator.request(Method::GET, &format!("/{id}"));
    assert_eq!(inspected.send().await.unwrap().status(), 200);
}

#[sqlx::test]
async fn the_filter_of_a_repair_has_texts_and_the_two_words_that_a_repair_shows(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let operator = Operator::of(gateway.address);
    let preview = async |filter: Value| {
        let body = json!({ "action": "hold", "filter": filter, "reason": "r", "dry_run": true });
        operator.post("/repairs", &body).await
    };
    for filter in [
        json!({ "state": "ready", "sent": false, "retried": false }),
        json!({ "state": "ready", "sent": "false" }),
    ] {
        assert_eq!(preview(filter.clone()).await.status, 200, "{filter}");
    }
    for (key, value) in [
        ("lender", json!(null)),
        ("lender", json!(7)),
        ("lender", json!(true)),
        ("type", json!(["LOAN_CREATE"])),
        ("sent", json!(0)),
    ] {
        let answer = preview(json!({ "state": "ready", key: value })).await;
        assert_eq!(answer.status, 422, "{key} {value}: {}", answer.text);
        assert_eq!(
            answer.json()["errors"][0]["pointer"],
            format!("/filter/{key}")
        );
    }
}
