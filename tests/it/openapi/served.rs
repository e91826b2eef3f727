//! `/openapi.json` and `/docs`, over TCP.

use reqwest::Method;
use sqlx::PgPool;

use crate::support::{Answer, TestGateway};

async fn read(gateway: &TestGateway, path: &str) -> Answer {
    Answer::of(gateway.request(Method::GET, path)).await
}

#[sqlx::test]
async fn the_document_needs_no_credential_and_names_the_lenders(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for prefix in ["", "/api", "/api/v1"] {
        let answer = read(&gateway, &format!("{prefix}/openapi.json")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/json");
        let document = answer.json();
        assert_eq!(document["openapi"], "3.1.0");
        let fields = &document["components"]["schemas"]["LoanCreateData"]["properties"];
        assert_eq!(fields["lenderConfig"]["enum"], serde_json::json!(["UGRO"]));
    }
}

#[sqlx::test]
async fn a_process_without_callers_has_neither_document_nor_page(pool: PgPool) {
    let gateway = TestGateway::start_with(pool, |state| state.has_callers = false).await;
    for path in ["/openapi.json", "/docs", "/docs/index.html"] {
        assert_eq!(
            read(&gateway, path).await.problem(),
            (404, "unknown_route".to_owned())
        );
    }
}

/// The page loads everything from the gateway itself: its policy permits the browser nothing else.
#[sqlx::test]
async fn the_page_and_its_files_come_from_the_gateway(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for prefix in ["", "/api/v1"] {
        for path in ["/docs", "/docs/", "/docs/index.html"] {
            // The client follows the redirection to the page.
            let page = read(&gateway, &format!("{prefix}{path}")).await.text;
            assert!(page.contains("swagger-initializer.js"), "{path}: {page}");
        }
        let page = read(&gateway, &format!("{prefix}/docs/index.html")).await;
        assert!(
            page.header("content-security-policy")
                .starts_with("default-src 'self';")
        );
        assert!(!page.text.contains("://"), "{}", page.text);
        let script = read(&gateway, &format!("{prefix}/docs/swagger-initializer.js")).await;
        assert!(
            script.text.contains("\"../openapi.json\""),
            "{}",
            script.text
        );
        let bundle = read(&gateway, &format!("{prefix}/docs/swagger-ui-bundle.js")).await;
        assert_eq!(bundle.header("content-type"), "text/javascript");
    }
    let unknown = read(&gateway, "/docs/nothing.js").await;
    assert_eq!(unknown.problem(), (404, "unknown_route".to_owned()));
}
