//! What a page that is only looked at changes and shows.

use reqwest::StatusCode;
use sqlx::PgPool;

use super::visitor::Visitor;
use crate::support::{
    OPS_TOKEN, TestGateway,
    database::is_true,
    fixtures::{client_create, refused},
    operators::{Operator, park, uuid},
};

#[sqlx::test]
async fn an_open_page_does_not_read_a_failure(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let id = gateway.accept(&client_create("C-1")).await;
    gateway.end_next(refused()).await;
    let mut visitor = Visitor::new(gateway.address);
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
    let mut visitor = Visitor::new(gateway.address);
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
    let mut visitor = Visitor::new(gateway.address);
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
    let mut visitor = Visitor::new(gateway.address);
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
    let mut visitor = Visitor::new(gateway.address);
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

#[sqlx::test]
async fn a_failure_that_runs_again_needs_nobody(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let operator = Operator::of(gateway.address);
    let id = gateway.accept(&client_create("C-1")).await;
    gateway.end_next(refused()).await;
    let mut visitor = Visitor::new(gateway.address);
    visitor.sign_in("admin", OPS_TOKEN).await;
    let needs = "class=\"go\" href=\"/ops/operations?q=state%3Afailed";
    let page = visitor.get("/ops").await;
    assert!(page.text.contains(needs), "{}", page.text);
    operator.act(&id, "retry").await;
    let page = visitor.get("/ops").await;
    assert!(!page.text.contains(needs), "{}", page.text);
}

#[sqlx::test]
async fn a_list_can_be_downloaded(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let id = gateway.accept(&client_create("C-1")).await;
    gateway.accept(&client_create("C-2")).await;
    let mut visitor = Visitor::new(gateway.address);
    visitor.sign_in("admin", OPS_TOKEN).await;
    let page = visitor.get("/ops/operations?q=client:c-1").await;
    let (_, link) = page.text.split_once("/ops/operations.csv").unwrap();
    let (query, _) = link.split_once('"').unwrap();
    let file = visitor.get(&format!("/ops/operations.csv{query}")).await;
    assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<_> = file.text.lines().collect();
    assert!(lines[0].starts_with("tracking_id,"), "{}", file.text);
    assert!(lines[1].starts_with(&id), "{}", file.text);
    assert_eq!(lines.len(), 2, "{}", file.text);
}

#[sqlx::test]
async fn a_resolution_asks_for_the_checkers_only_where_a_worker_does_and_is_told(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let id = gateway.accept(&client_create("C-1")).await;
    park(&pool, &id).await;
    let path = format!("/ops/operations/{}", uuid(&id));
    let mut visitor = Visitor::new(gateway.address);
    visitor.sign_in("admin", OPS_TOKEN).await;
    let form = visitor.form(&path, "/resolve").await;
    assert!(!form.text.contains("nothing_waits"), "{}", form.text);
    sqlx::query!("UPDATE operation SET reason_code = 'awaiting_checker_unseen'")
        .execute(&pool)
        .await
        .unwrap();
    let form = visitor.form(&path, "/resolve").await;
    assert!(form.text.contains("nothing_waits"), "{}", form.text);
    let fields = [("reason", "looked"), ("outcome", "failed")];
    visitor.submit(&form, &fields).await;
    let told = "resolved it: it had no effect";
    for path in [&path, "/ops/audit"] {
        let page = visitor.get(path).await;
        assert!(page.text.contains(told), "{}", page.text);
    }
}
