//! `/docs` in a real browser: it shows every route, and needs nothing but the gateway.

use serde_json::json;
use sqlx::PgPool;

use super::browser::Browser;
use crate::support::TestGateway;

#[sqlx::test]
async fn the_page_at_docs_shows_the_document_and_loads_nothing_from_elsewhere(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let browser = Browser::start(gateway.address).await;
    for path in ["/docs", "/api/v1/docs/"] {
        browser.open(path).await;
        browser
            .shows(
                "#operations-Operations-submitOperation",
                "Send an operation",
            )
            .await;
        browser
            .shows("#operations-Health-readApiDocument", "/openapi.json")
            .await;
        browser
            .click("#operations-Operations-submitOperation button.opblock-summary-control")
            .await;
        browser
            .shows(
                "#operations-Operations-submitOperation",
                "idempotency_key_reused",
            )
            .await;
        // Without a token, the request is refused, but it has reached its route under this prefix.
        browser
            .click("#operations-Operations-submitOperation button.execute")
            .await;
        browser.shows(".live-responses-table", "unauthorized").await;
        assert_eq!(
            browser.run("return window.forbidden").await,
            json!([]),
            "{path}"
        );
        let elsewhere = "return performance.getEntriesByType('resource').map((one) => one.name)
            .filter((name) => !name.startsWith(location.origin) && !name.startsWith('data:'))";
        assert_eq!(browser.run(elsewhere).await, json!([]), "{path}");
    }
    browser.picture("docs").await;
}
