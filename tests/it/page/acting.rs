//! The forms that act: on which operations, in which order, and only as long as the operations are as they were shown.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::visitor::{Form, Page, Visitor};
use crate::{
    operators_repairs::bed::{Bed, progress},
    support::{
        OPS_TOKEN,
        fixtures::{client_create, client_update, done, refused},
        operators::{audit, park, uuid},
    },
};

async fn signed_in(bed: &Bed) -> Visitor {
    let mut visitor = Visitor::new(bed.gateway.address);
    visitor.sign_in("admin", OPS_TOKEN).await;
    visitor
}

/// Previews an action on all operations that match a filter, or on these.
async fn preview(visitor: &mut Visitor, q: &str, action: &str, ids: &[&str]) -> Page {
    let form = visitor.form("/ops/operations?q=", "/repairs/preview").await;
    let ids: Vec<_> = ids.iter().map(|id| uuid(id).to_string()).collect();
    let token = form.value("token");
    let which = if ids.is_empty() { "all" } else { "picked" };
    let mut fields = vec![
        ("token", token),
        ("q", q),
        ("which", which),
        ("action", action),
    ];
    fields.extend(ids.iter().map(|id| ("id", id.as_str())));
    visitor.post("/ops/repairs/preview", &fields).await
}

async fn repairs(bed: &Bed) -> Vec<Value> {
    let listed = bed.operator.get("/repairs").await.json();
    listed["repairs"].as_array().expect("repairs").clone()
}

#[sqlx::test]
async fn a_selection_is_run_in_lane_order_without_what_is_superseded(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let (first, second) = (bed.failed("C-1").await, bed.failed("C-1").await);
    let overtaken = bed.failed("C-2").await;
    bed.gateway.accept(&client_update("C-2")).await;
    bed.gateway.end_next(done()).await;
    let mut visitor = signed_in(&bed).await;
    // The list shows the newest operation first.
    let page = preview(&mut visitor, "", "retry", &[&overtaken, &second, &first]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("2 operations to retry"), "{}", page.text);
    assert!(page.text.contains("<b>1</b> is left out"), "{}", page.text);
    assert!(repairs(&bed).await.is_empty());

    let form = Form::of(&page.text, "/repairs/start");
    let started = visitor.submit(&form, &[("reason", "again")]).await;
    assert_eq!(started.status, StatusCode::SEE_OTHER, "{}", started.text);
    let id = repairs(&bed).await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(started.location, format!("/ops/repairs/{id}"));
    // The same form again, before and after the repair has run.
    for _ in 0..2 {
        let again = visitor.submit(&form, &[("reason", "again")]).await;
        assert_eq!(
            (again.status, again.location),
            (StatusCode::SEE_OTHER, started.location.clone())
        );
        assert_eq!(progress(&bed.run(&id).await), json!(["done", 2, 0, 0, 0]));
    }
    assert_eq!(repairs(&bed).await.len(), 1);
    let retries = [&first, &second].map(async |failed| {
        let retry = bed.operator.inspect(failed).await["retried_by"].clone();
        uuid(retry.as_str().expect("a retry"))
    });
    let [one, other] = retries;
    assert!(one.await < other.await, "they run in their order");
    let inspected = bed.operator.inspect(&overtaken).await;
    assert_eq!(inspected["retried_by"], Value::Null);
    let shown = visitor.get(&started.location).await;
    assert!(shown.text.contains("3 selected"), "{}", shown.text);
}

#[sqlx::test]
async fn a_form_of_an_operation_that_has_changed_does_nothing(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let id = bed.gateway.accept(&client_create("C-1")).await;
    park(&pool, &id).await;
    let path = format!("/ops/operations/{}", uuid(&id));
    let mut visitor = signed_in(&bed).await;
    let retry = visitor.form(&path, "/retry").await;
    let resolve = visitor.form(&path, "/resolve").await;
    // Another operator retries it, and it fails. "Try again" would now run it again as a new operation.
    bed.operator.act(&id, "retry").await;
    bed.gateway.end_next(refused()).await;
    for (form, fields) in [
        (&retry, vec![("reason", "x")]),
        (&resolve, vec![("reason", "x"), ("outcome", "succeeded")]),
    ] {
        let page = visitor.submit(form, &fields).await;
        assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.text);
        assert!(page.text.contains("look again"), "{}", page.text);
    }
    assert_eq!(audit(&pool, &id).await.len(), 1);
    let inspected = bed.operator.inspect(&id).await;
    assert_eq!(inspected["retried_by"], Value::Null);
    // The page as it is now can be acted on.
    let retry = visitor.form(&path, "/retry").await;
    let page = visitor.submit(&retry, &[("reason", "x")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
}

#[sqlx::test]
async fn a_form_of_an_operation_that_parked_again_does_nothing(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let id = bed.gateway.accept(&client_create("C-1")).await;
    park(&pool, &id).await;
    let path = format!("/ops/operations/{}", uuid(&id));
    let mut visitor = signed_in(&bed).await;
    let resolve = visitor.form(&path, "/resolve").await;
    bed.operator.act(&id, "retry").await;
    park(&pool, &id).await;
    let fields = [("reason", "not there"), ("outcome", "failed")];
    let page = visitor.submit(&resolve, &fields).await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.text);
    assert_eq!(bed.operator.inspect(&id).await["state"], "parked");
}

#[sqlx::test]
async fn enter_in_the_reason_says_no_outcome(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let id = bed.gateway.accept(&client_create("C-1")).await;
    park(&pool, &id).await;
    let path = format!("/ops/operations/{}", uuid(&id));
    let mut visitor = signed_in(&bed).await;
    let form = visitor.form(&path, "/resolve").await;
    // Enter sends the form with its first button. The radio buttons are required, so a browser asks for the outcome.
    let buttons = form.text.matches("<button").count();
    assert_eq!((buttons, form.text.contains("<button name")), (1, false));
    assert!(
        !form
            .text
            .split("<button")
            .nth(1)
            .unwrap()
            .starts_with(" name")
    );
    let required = form.text.matches("name=\"outcome\" value=\"").count();
    assert_eq!((required, form.text.contains(" checked")), (2, false));
    let page = visitor.submit(&form, &[("reason", "x")]).await;
    assert_eq!(
        page.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        page.text
    );
    assert!(audit(&pool, &id).await.is_empty());
}

#[sqlx::test]
async fn a_repair_whose_operations_changed_after_the_preview_is_previewed_again(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let (first, second) = (bed.failed("C-1").await, bed.failed("C-2").await);
    let mut visitor = signed_in(&bed).await;
    let page = preview(&mut visitor, "state:failed ended:1h", "retry", &[]).await;
    let form = Form::of(&page.text, "/repairs/start");
    assert!(!form.value("q").contains("1h"), "{}", form.value("q"));
    // As many operations match as before, and one is another.
    bed.operator.act(&first, "retry").await;
    bed.gateway.end_next(refused()).await;
    let refused = visitor.submit(&form, &[("reason", "x")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert!(refused.text.contains("This is a new preview"));
    assert!(repairs(&bed).await.is_empty());
    let form = Form::of(&refused.text, "/repairs/start");
    let started = visitor.submit(&form, &[("reason", "x")]).await;
    assert_eq!(started.status, StatusCode::SEE_OTHER, "{}", started.text);
    assert_eq!(repairs(&bed).await[0]["total"], 2);
    assert!(audit(&pool, &second).await.is_empty());
}

#[sqlx::test]
async fn an_empty_selection_is_not_everything(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let failed = bed.failed("C-1").await;
    let mut visitor = signed_in(&bed).await;
    let page = preview(&mut visitor, "state:failed", "retry", &[&failed]).await;
    let form = Form::of(&page.text, "/repairs/start");
    let fields: Vec<_> = ["token", "repair", "digest", "q", "action"]
        .map(|name| (name, form.value(name)))
        .to_vec();
    for which in ["", "picked"] {
        let mut fields = fields.clone();
        fields.push(("reason", "x"));
        if !which.is_empty() {
            fields.push(("which", which));
        }
        let page = visitor.post("/ops/repairs/start", &fields).await;
        assert!(page.status.is_client_error(), "{which}: {}", page.status);
    }
    assert!(repairs(&bed).await.is_empty());
}
