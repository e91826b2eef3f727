//! What a page that is only looked at changes and shows.

use reqwest::StatusCode;
use sqlx::PgPool;

use super::visitor::Visitor;
use crate::support::{
    OPS_TOKEN, TestGateway,
    database::is_true,
    fixtures::{client_create, refused},
    operators::{Operator, uuid},
};

#[sqlx::test]
async fn an_open_page_does_not_read_a_failure(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let id = gateway.accept(&client_create("C-1")).await;
    gateway.end_next(refused()).await;
    let mut visitor = Visitor::new(&gateway);
    visitor.sign_in("admin", OPS_TOKEN).await;
    let is_unread =
        "SELECT EXISTS (SELECT FROM lane WHERE failed_at IS NOT NULL AND NOT failure_read)";
    let page = visitor.get(&format!("/ops/operations/{}", uuid(&id))).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(is_true(&pool, is_unread).await);
    Operator::of(gateway.address).inspect(&id).await;
    assert!(!is_true(&pool, is_unread).await);
}

#[sqlx::test]
async fn an_address_puts_no_words_into_a_page(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut visitor = Visitor::new(&gateway);
    visitor.sign_in("admin", OPS_TOKEN).await;
    let page = visitor.get("/ops/operations?done=Call+0800").await;
    assert!(!page.text.contains("Call 0800"), "{}", page.text);
    let page = visitor.get("/ops/operations?done=saved").await;
    assert!(page.text.contains("The view is saved"), "{}", page.text);
}

/// Postgres has no text with a NUL character.
#[sqlx::test]
async fn a_nul_character_is_refused(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut visitor = Visitor::new(&gateway);
    visitor.sign_in("admin", OPS_TOKEN).await;
    for (path, expected) in [
        ("/ops/audit?operator=%00", StatusCode::BAD_REQUEST),
        ("/ops/audit?action=x%00", StatusCode::BAD_REQUEST),
        ("/ops/lanes/loan:%00", StatusCode::NOT_FOUND),
    ] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, expected, "{path}: {}", page.text);
    }
    let token = visitor.token("/ops").await;
    for path in ["/ops/views/save", "/ops/views/remove"] {
        let fields = [
            ("token", &*token),
            ("name", "x\0"),
            ("filter", "state:parked"),
        ];
        let page = visitor.post(path, &fields).await;
        assert!(page.status.is_client_error(), "{path}: {}", page.text);
    }
}

#[sqlx::test]
async fn a_word_that_is_given_twice_is_refused(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut visitor = Visitor::new(&gateway);
    visitor.sign_in("admin", OPS_TOKEN).await;
    let page = visitor
        .get("/ops/operations?q=state:parked+state:failed")
        .await;
    assert!(
        page.text.contains("state must be given once"),
        "{}",
        page.text
    );
}

#[sqlx::test]
async fn a_saved_view_is_not_replaced(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut visitor = Visitor::new(&gateway);
    visitor.sign_in("admin", OPS_TOKEN).await;
    let token = visitor.token("/ops").await;
    for (filter, expected) in [
        ("state:parked", StatusCode::SEE_OTHER),
        ("state:failed", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let fields = [("token", &*token), ("name", "mine"), ("filter", filter)];
        let page = visitor.post("/ops/views/save", &fields).await;
        assert_eq!(page.status, expected, "{}", page.text);
    }
    let page = visitor.get("/ops/operations").await;
    assert!(
        !page.text.contains("q=state%3Afailed\">mine"),
        "{}",
        page.text
    );
}
