//! Webhooks on the page: what an operator sees and sends again.

use reqwest::StatusCode;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};

use super::visitor::Visitor;
use crate::support::{Answer, OPS_TOKEN, TestGateway};

#[sqlx::test]
async fn an_operator_sends_deliveries_again_for_a_reason(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let body = json!({ "url": "https://example.org/hooks?key=secret-in-the-url", "headers": { "X-Key": "secret" } });
    let created = gateway.post("/webhooks/endpoints", body.to_string());
    let endpoint = Answer::of(created).await.json();
    let id = endpoint["id"].as_str().unwrap();
    // Two that are over, and one of another endpoint.
    sqlx::raw_sql(
        "INSERT INTO webhook_delivery (endpoint_id, type, body, tries, delivered_at)
         SELECT w.id, 'webhook.test', '{}', 1, now() FROM webhook_endpoint w, generate_series(1, 2);
         INSERT INTO webhook_delivery (endpoint_id, type, body) VALUES (gen_random_uuid(), 'webhook.test', '{}')",
    )
    .execute(&pool)
    .await
    .unwrap();
    let mut visitor = Visitor::new(gateway.address);
    visitor.sign_in("admin", OPS_TOKEN).await;
    let path = format!("/ops/webhooks/{id}");
    let form = visitor.form(&path, "/resend").await;
    let token = form.value("token").to_owned();
    let send = async |visitor: &mut Visitor, ids: &[&str], reason: &str| {
        let mut fields = vec![("token", token.as_str()), ("reason", reason)];
        fields.extend(ids.iter().map(|id| ("id", *id)));
        visitor
            .post(&format!("{path}/resend"), &fields)
            .await
            .status
    };
    assert_eq!(
        send(&mut visitor, &[], "r").await,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(
        send(&mut visitor, &["1"], " ").await,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(send(&mut visitor, &["3"], "r").await, StatusCode::NOT_FOUND);
    let due = async || {
        let due = sqlx::query_scalar!(
            "SELECT id FROM webhook_delivery WHERE due_at IS NOT NULL ORDER BY id"
        );
        due.fetch_all(&pool).await.unwrap()
    };
    assert_eq!(due().await, Vec::<i64>::new());
    let sent = send(&mut visitor, &["2", "3"], "the receiver had lost it").await;
    assert_eq!(sent, StatusCode::SEE_OTHER);
    assert_eq!(due().await, [2]);
    let audit = visitor.get("/ops/audit").await.text;
    assert!(
        audit.contains("sent webhooks again") && audit.contains("the receiver had lost it"),
        "{audit}"
    );
    let trouble = "A webhook of token:los gets nothing";
    assert!(!visitor.get("/ops").await.text.contains(trouble));
    for failing in [
        "failing_since = now()",
        "disabled_because = 'gone', enabled = false, failing_since = NULL",
    ] {
        let statement = format!("UPDATE webhook_endpoint SET {failing}");
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&pool)
            .await
            .unwrap();
        assert!(
            visitor.get("/ops").await.text.contains(trouble),
            "{failing}"
        );
    }
    for page in ["/ops/webhooks", path.as_str()] {
        let page = visitor.get(page).await.text;
        assert!(page.contains("https://example.org"), "{page}");
        assert!(!page.contains("secret"), "{page}");
    }
}
