//! Signing in to the page, and what protects its forms.

use fineract_gateway::domain::CredentialKind;
use reqwest::{Method, StatusCode, header};
use sqlx::PgPool;

use super::visitor::Visitor;
use crate::{
    keys::{Key, refusals, revoke},
    support::{
        Answer, OPS_TOKEN, TOKEN, TestGateway,
        fixtures::client_create,
        operators::{audit, looks, park},
    },
};

#[sqlx::test]
async fn an_operator_signs_in_and_out(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let mut visitor = Visitor::new(gateway.address);
    let before = visitor.get("/ops/system").await;
    assert_eq!(before.status, StatusCode::SEE_OTHER);
    assert_eq!(before.location, "/ops/sign-in?next=%2Fops%2Fsystem");
    let first = visitor.cookie.clone();
    let signed_in = visitor.sign_in("admin", OPS_TOKEN).await;
    assert_eq!(
        (signed_in.status, &*signed_in.location),
        (StatusCode::SEE_OTHER, "/ops")
    );
    assert_ne!(visitor.cookie, first, "the secret is replaced");
    let page = visitor.get("/ops").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert_eq!(page.headers["cache-control"], "no-store");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("unsafe"), "{policy}");
    // Only a digest of the secret is stored.
    let secret = visitor.cookie.split_once('=').unwrap().1.to_owned();
    let stored =
        sqlx::query_scalar!("SELECT encode(digest, 'hex') AS \"digest!\" FROM ops_session");
    assert_ne!(stored.fetch_one(&pool).await.unwrap(), secret);

    let token = visitor.token("/ops").await;
    let out = visitor.post("/ops/sign-out", &[("token", &token)]).await;
    assert_eq!(out.location, "/ops/sign-in");
    assert_eq!(visitor.cookie, "ops=", "the browser forgets the secret");
    assert_eq!(visitor.get("/ops").await.status, StatusCode::SEE_OTHER);
}

#[sqlx::test]
async fn a_session_ends_after_eight_hours_everywhere_or_with_its_token(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let mut one = Visitor::new(gateway.address);
    let mut other = Visitor::new(gateway.address);
    for visitor in [&mut one, &mut other] {
        visitor.sign_in("admin", OPS_TOKEN).await;
        assert_eq!(visitor.get("/ops").await.status, StatusCode::OK);
    }
    let token = one.token("/ops").await;
    one.post("/ops/sign-out-everywhere", &[("token", &token)])
        .await;
    assert_eq!(other.get("/ops").await.status, StatusCode::SEE_OTHER);

    one.sign_in("admin", OPS_TOKEN).await;
    let left = sqlx::query_scalar!(
        "SELECT expires_at - started_at = interval '8 h' AS \"is_right!\" FROM ops_session"
    );
    assert!(left.fetch_one(&pool).await.unwrap());
    let expire = sqlx::query!("UPDATE ops_session SET expires_at = now()");
    expire.execute(&pool).await.unwrap();
    assert_eq!(one.get("/ops").await.status, StatusCode::SEE_OTHER);

    // A session that began with a token that is gone.
    one.sign_in("admin", OPS_TOKEN).await;
    let change = sqlx::query!("UPDATE ops_session SET proof = sha256('another token')");
    change.execute(&pool).await.unwrap();
    assert_eq!(one.get("/ops").await.status, StatusCode::SEE_OTHER);
}

#[sqlx::test]
async fn wrong_secrets_close_the_sign_in_and_the_api_together(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut early = Visitor::new(gateway.address);
    early.sign_in("admin", OPS_TOKEN).await;
    let mut visitor = Visitor::new(gateway.address);
    // A session that nobody knows is no guess: in an office, many have ended.
    for _ in 0..30 {
        visitor.cookie = format!("ops={}", "0".repeat(64));
        assert_eq!(visitor.get("/ops").await.status, StatusCode::SEE_OTHER);
    }
    let before = refusals(&gateway, "wrong_secret").await;
    // The secret of a caller who is no operator does not sign in.
    for secret in ["wrong", TOKEN, "", "admin"].repeat(3) {
        let page = visitor.sign_in("admin", secret).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(
            page.text.contains("No operator has this name and secret"),
            "{}",
            page.text
        );
        assert!(!page.text.contains(TOKEN));
    }
    let token = visitor.token("/ops/sign-in").await;
    let link = format!("/ops/sign-in/{}", "0".repeat(64));
    for _ in 0..4 {
        let page = visitor.post(&link, &[("token", &token)]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
    }
    assert!(refusals(&gateway, "wrong_secret").await >= before + 16);
    let api = |secret: &str| {
        let request = gateway.request(Method::GET, "/fineract/operations");
        Answer::of(request.header("X-Internal-Token", secret))
    };
    for _ in 0..4 {
        assert_eq!(api("wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    let limited = visitor.sign_in("admin", "wrong").await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    let wait = limited.headers["retry-after"].to_str().unwrap();
    assert!(
        wait.parse().is_ok_and(|wait: u64| (1..=60).contains(&wait)),
        "{wait}"
    );
    // A right secret is not looked at either, and nobody learns whether it is right.
    for page in [
        visitor.sign_in("admin", OPS_TOKEN).await,
        visitor.post(&link, &[("token", &token)]).await,
    ] {
        assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS, "{}", page.text);
    }
    assert_eq!(api(OPS_TOKEN).await.status, StatusCode::TOO_MANY_REQUESTS);
    // Who is signed in stays so.
    assert_eq!(early.get("/ops").await.status, StatusCode::OK);
}

#[sqlx::test]
async fn the_rate_of_a_key_counts_on_the_page(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let settings = serde_json::json!({ "name": "ann", "scopes": ["ops.read"], "rate": 3 });
    let key = Key::create(&gateway, CredentialKind::Ops, settings).await;
    let mut visitor = Visitor::new(gateway.address);
    let signed_in = visitor.sign_in("ann", &key.secret).await;
    assert_eq!(signed_in.status, StatusCode::SEE_OTHER);
    for _ in 0..2 {
        assert_eq!(visitor.get("/ops").await.status, StatusCode::OK);
    }
    let refused = visitor.get("/ops").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(
        refused.text.contains("has used up its requests"),
        "{}",
        refused.text
    );
    assert!(refused.headers.contains_key("retry-after"));
}

#[sqlx::test]
async fn a_visitor_s_form_is_small(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut visitor = Visitor::new(gateway.address);
    for (length, status) in [
        (3_900, StatusCode::FORBIDDEN),
        (4_096, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let page = visitor.sign_in("admin", &"x".repeat(length)).await;
        assert_eq!(page.status, status, "{}", page.text);
    }
}

#[sqlx::test]
async fn a_form_of_another_page_is_refused(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let id = gateway.accept(&client_create("INC-1")).await;
    park(&pool, &id).await;
    let mut visitor = Visitor::new(gateway.address);
    visitor.sign_in("admin", OPS_TOKEN).await;
    let path = format!("/ops/operations/{id}").replace('|', "%7C");
    let retry = format!("{path}/retry");
    let form = visitor.form(&path, "/retry").await;
    let token = form.value("token").to_owned();
    let wrong = visitor
        .post(&retry, &[("token", "0"), ("reason", "x")])
        .await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    assert_eq!(
        visitor.post(&retry, &[("reason", "x")]).await.status,
        StatusCode::FORBIDDEN
    );
    // On loopback, the origin also tells that the cookie of loopback does not count.
    for (name, value, status) in [
        ("sec-fetch-site", "cross-site", StatusCode::FORBIDDEN),
        ("origin", "https://evil.example", StatusCode::SEE_OTHER),
        ("origin", "http://127.0.0.1:1", StatusCode::FORBIDDEN),
    ] {
        let url = format!("http://{}{retry}", gateway.address);
        let request = visitor.client.post(url).header(name, value);
        let request = request
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("token={token}&reason=x&seen=x"));
        assert_eq!(
            visitor.send(request).await.status,
            status,
            "{name}: {value}"
        );
    }
    assert!(audit(&pool, &id).await.is_empty());
    for reason in [" ", &"x".repeat(10_000)] {
        let refused = visitor.submit(&form, &[("reason", reason)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let done = visitor.submit(&form, &[("reason", "x")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    assert_eq!(audit(&pool, &id).await.len(), 1);
}

#[sqlx::test]
async fn a_link_signs_in_once(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let ask = |token: &'static str| {
        let request = gateway.request(Method::POST, "/ops/sign-in-links");
        request.header("X-Internal-Token", token).send()
    };
    assert_eq!(ask(TOKEN).await.unwrap().status(), StatusCode::FORBIDDEN);
    let link: serde_json::Value = ask(OPS_TOKEN).await.unwrap().json().await.unwrap();
    let path = link["path"].as_str().unwrap().to_owned();
    let mut visitor = Visitor::new(gateway.address);
    // A program that only opens the link does not use it.
    visitor.get(&path).await;
    let token = visitor.token(&path).await;
    let used = visitor.post(&path, &[("token", &token)]).await;
    assert_eq!(
        (used.status, &*used.location),
        (StatusCode::SEE_OTHER, "/ops"),
        "{}",
        used.text
    );
    assert_eq!(visitor.get("/ops").await.status, StatusCode::OK);
    let mut other = Visitor::new(gateway.address);
    let token = other.token(&path).await;
    let again = other.post(&path, &[("token", &token)]).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[sqlx::test]
async fn people_s_data_is_masked_until_it_is_asked_for(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let id = gateway.accept(&client_create("INC-1")).await;
    let mut visitor = Visitor::new(gateway.address);
    visitor.sign_in("admin", OPS_TOKEN).await;
    let path = format!("/ops/operations/{id}").replace('|', "%7C");
    let page = visitor.get(&path).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(!page.text.contains("Badgujar"), "{}", page.text);
    assert!(looks(&pool, &id).await.is_empty());
    let token = visitor.token(&path).await;
    let shown = visitor
        .post(&format!("{path}/reveal"), &[("token", &token)])
        .await;
    assert!(shown.text.contains("Badgujar"), "{}", shown.text);
    assert_eq!(looks(&pool, &id).await, ["admin"]);
}

#[sqlx::test]
async fn an_operator_signs_in_with_a_key_and_has_its_scopes(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let id = gateway.accept(&client_create("C-1")).await;
    let settings = serde_json::json!({ "name": "ann", "scopes": ["ops.read"] });
    let key = Key::create(&gateway, CredentialKind::Ops, settings).await;
    let mut visitor = Visitor::new(gateway.address);
    let refused = visitor.sign_in("admin", &key.secret).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "the name is another");
    let signed_in = visitor.sign_in("ann", &key.secret).await;
    assert_eq!(signed_in.status, StatusCode::SEE_OTHER);
    let page = format!("/ops/operations/{}", id.replace('|', "%7C"));
    assert_eq!(visitor.get(&page).await.status, StatusCode::OK);
    let token = visitor.token("/ops").await;
    let fields = [
        ("token", &*token),
        ("name", "parked"),
        ("filter", "state:parked"),
    ];
    let acted = visitor.post("/ops/views/save", &fields).await;
    assert_eq!(acted.status, StatusCode::FORBIDDEN, "{}", acted.text);
    revoke(&gateway, &key).await;
    assert_eq!(visitor.get("/ops").await.status, StatusCode::SEE_OTHER);
}
