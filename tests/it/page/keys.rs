//! Keys on the page: an administrator creates, rotates and revokes them.

use fineract_gateway::domain::CredentialKind;
use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::PgPool;

use super::visitor::{Form, Page, Visitor};
use crate::{
    keys::Key,
    support::{Answer, OPS_TOKEN, TestGateway},
};

/// The new secret on a page.
fn secret(page: &Page) -> String {
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let (_, after) = page
        .text
        .split_once(r#"<code id="secret">"#)
        .expect("a secret");
    after.split('<').next().expect("text").to_owned()
}

async fn status(gateway: &TestGateway, secret: &str) -> u16 {
    let request = gateway.request(Method::GET, "/events");
    Answer::of(request.header("X-Internal-Token", secret))
        .await
        .status
        .as_u16()
}

/// The form that creates a key, with these fields.
async fn create(visitor: &mut Visitor, form: &Form, given: &[(&str, &str)]) -> Page {
    let names = [
        "owner",
        "lenders",
        "addresses",
        "rate",
        "expires_after_days",
    ];
    let is_given = |name: &str| given.iter().any(|(given, _)| *given == name);
    let empty = names
        .into_iter()
        .filter(|name| !is_given(name))
        .map(|name| (name, ""));
    let fields: Vec<_> = empty.chain(given.iter().copied()).collect();
    visitor.submit(form, &fields).await
}

#[sqlx::test]
async fn an_administrator_creates_rotates_and_revokes_a_key(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut visitor = Visitor::new(gateway.address);
    visitor.sign_in("admin", OPS_TOKEN).await;
    let form = visitor.form("/ops/keys", "/create").await;
    let given = [
        ("name", "acme-los"),
        ("kind", "internal_token"),
        ("owner", "acme"),
        ("scope", "track"),
        ("scope", "operate"),
        ("operation_type", "LOAN_CREATE"),
        ("lenders", "Lender, Ltd\r\nOther\r\n"),
        ("addresses", "127.0.0.0/8, ::1"),
        ("rate", "1000"),
        ("expires_after_days", "30"),
        ("reason", "a new system"),
    ];
    let created = create(&mut visitor, &form, &given).await;
    let first = secret(&created);
    assert_eq!(status(&gateway, &first).await, 200);

    let list = visitor.get("/ops/keys").await.text;
    let (_, after) = list.split_once(r#"<a href="/ops/keys/"#).expect("a key");
    let path = format!("/ops/keys/{}", after.split('"').next().expect("text"));
    let shown = visitor.get(&path).await.text;
    for expected in [
        "owner:acme",
        "operate, track",
        "LOAN_CREATE",
        "Lender, Ltd, Other",
        "127.0.0.0/8",
        "1000",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    assert!(!shown.contains(&first) && !list.contains(&first));

    let rotate = Form::of(&shown, "/rotate");
    let fields = [("overlap_hours", "1"), ("reason", "as every year")];
    let second = secret(&visitor.submit(&rotate, &fields).await);
    assert_ne!(first, second);
    assert_eq!(
        (
            status(&gateway, &first).await,
            status(&gateway, &second).await
        ),
        (200, 200)
    );

    let revoke = Form::of(&shown, "/revoke");
    let revoked = visitor.submit(&revoke, &[("reason", "it leaked")]).await;
    assert_eq!(
        (revoked.status, revoked.location.as_str()),
        (StatusCode::SEE_OTHER, path.as_str())
    );
    assert_eq!(
        (
            status(&gateway, &first).await,
            status(&gateway, &second).await
        ),
        (401, 401)
    );
    let shown = visitor.get(&path).await.text;
    assert!(
        shown.contains("revoked") && !shown.contains("/rotate"),
        "{shown}"
    );

    let audit = visitor.get("/ops/audit").await.text;
    for expected in [
        "created a key",
        "a new system",
        "rotated a key",
        "as every year",
        "revoked a key",
        "it leaked",
    ] {
        assert!(audit.contains(expected), "{expected}: {audit}");
    }
}

#[sqlx::test]
async fn every_wrong_field_is_named_and_no_key_is_created(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut visitor = Visitor::new(gateway.address);
    visitor.sign_in("admin", OPS_TOKEN).await;
    let form = visitor.form("/ops/keys", "/create").await;
    let usual = [("name", "a"), ("kind", "ops"), ("reason", "r")];
    let with = |more: &[(&'static str, &'static str)]| [usual.as_slice(), more].concat();
    for (given, named) in [
        (
            vec![
                ("name", "a b"),
                ("kind", "ops"),
                ("reason", "r"),
                ("scope", "bulk"),
                ("addresses", "here"),
            ],
            ["“name”", "“scopes”", "“addresses”"].as_slice(),
        ),
        (with(&[("rate", "many")]), &["“rate”"]),
        (
            with(&[("expires_after_days", "soon")]),
            &["“expires after days”"],
        ),
        (with(&[("expires_after_days", "-1")]), &["expires_at"]),
        (
            vec![("name", "a"), ("kind", "ops"), ("reason", " ")],
            &["why you do this"],
        ),
    ] {
        let refused = create(&mut visitor, &form, &given).await;
        assert!(
            refused.status.is_client_error(),
            "{given:?}: {}",
            refused.text
        );
        for name in named {
            assert!(refused.text.contains(name), "{name}: {}", refused.text);
        }
    }
    assert!(
        visitor
            .get("/ops/keys")
            .await
            .text
            .contains("There are no keys")
    );
}

#[sqlx::test]
async fn an_operator_who_is_no_administrator_sees_no_keys(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let settings = json!({ "name": "ann", "scopes": ["ops.read", "ops", "ops.pii"] });
    let ann = Key::create(&gateway, CredentialKind::Ops, settings).await;
    let mut administrator = Visitor::new(gateway.address);
    administrator.sign_in("admin", OPS_TOKEN).await;
    let form = administrator.form("/ops/keys", "/create").await;
    let list = administrator.get("/ops/keys").await.text;
    let (_, after) = list.split_once(r#"<a href="/ops/keys/"#).expect("a key");
    let path = format!("/ops/keys/{}", after.split('"').next().expect("text"));

    let mut visitor = Visitor::new(gateway.address);
    visitor.sign_in("ann", &ann.secret).await;
    assert!(!visitor.get("/ops").await.text.contains("/ops/keys"));
    for page in ["/ops/keys", path.as_str()] {
        assert_eq!(visitor.get(page).await.status, StatusCode::FORBIDDEN);
    }
    let token = visitor.form("/ops", "/sign-out").await;
    let token = token.value("token");
    let fields = [
        ("token", token),
        ("reason", "r"),
        ("overlap_hours", "0"),
        ("name", "a"),
        ("kind", "ops"),
        ("owner", ""),
        ("lenders", ""),
        ("addresses", ""),
        ("rate", ""),
        ("expires_after_days", ""),
    ];
    for action in [
        "/ops/keys/create".to_owned(),
        format!("{path}/rotate"),
        format!("{path}/revoke"),
    ] {
        let refused = visitor.post(&action, &fields).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{action}");
    }
    let created = create(
        &mut administrator,
        &form,
        &[("name", "b"), ("kind", "ops"), ("reason", "r")],
    )
    .await;
    assert_eq!(created.status, StatusCode::OK, "{}", created.text);
}
