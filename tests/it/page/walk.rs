//! What an operator does on the page, in a real browser.

use serde_json::json;
use sqlx::PgPool;

use super::{
    accessibility::look,
    browser::{Browser, PHONE},
    stage,
};
use crate::support::fixtures::approve;

const WHY: &str = "#why";

#[sqlx::test]
async fn an_operator_finds_a_parked_operation_and_resolves_it(pool: PgPool) {
    let stage = stage::start(&pool).await;
    let browser = Browser::start(stage.gateway.address).await;
    browser.sign_in().await;
    browser.shows("#needs", "Parked").await;
    browser.click(".need .go").await;
    browser.shows("#rows", "CLIENT_UPDATE").await;
    browser.click("#rows td a").await;
    browser.shows(WHY, "person has to decide").await;
    browser.shows(WHY, "What you can do").await;
    let resolve = "form[action$='/resolve']";
    browser
        .fill(
            &format!("{resolve} input[name=reason]"),
            "looked in Fineract: not there",
        )
        .await;
    browser
        .click(&format!("{resolve} input[value=failed]"))
        .await;
    browser.click(&format!("{resolve} button")).await;
    browser.shows(".notice", "Recorded").await;
    // The worker ends the operation, and the page shows the end by itself.
    browser.shows(WHY, "failed").await;
    browser
        .shows("#audit", "looked in Fineract: not there")
        .await;
    let inspected = stage.operator.inspect(&stage.parked).await;
    let last = inspected["audit"].as_array().and_then(|all| all.last());
    let last = last.expect("an action");
    assert_eq!(last["operator"], "admin");
    assert_eq!(last["reason"], "looked in Fineract: not there");
}

#[sqlx::test]
async fn an_operator_repairs_five_hundred_operations_after_a_preview(pool: PgPool) {
    let stage = stage::start(&pool).await;
    for number in 0..500 {
        stage
            .gateway
            .send("LOAN_APPROVE", approve(&format!("LOAN-{number}")))
            .await;
    }
    let browser = Browser::start(stage.gateway.address).await;
    browser.sign_in().await;
    browser.open("/ops/operations?q=state:failed").await;
    browser.shows("#chips", "500 failed").await;
    browser.click("select[name=which] option[value=all]").await;
    browser.click("#actions button").await;
    browser.shows("h1", "500 operations to retry").await;
    let mut faults = look(&browser, "preview").await;
    browser
        .fill("input[name=reason]", "the loans are there now")
        .await;
    browser.click("#actions button.primary").await;
    browser.shows("#progress", "done").await;
    browser.shows("#progress .facts", "500").await;
    let repairs = stage.operator.get("/repairs").await.json();
    assert_eq!(repairs["repairs"][0]["done"], 500, "{repairs}");
    faults.extend(look(&browser, "repair").await);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[sqlx::test]
async fn an_operator_selects_rows_with_the_keyboard(pool: PgPool) {
    let stage = stage::start(&pool).await;
    for number in 0..3 {
        let id = stage
            .gateway
            .send("LOAN_APPROVE", approve(&format!("LOAN-{number}")))
            .await;
        stage.operator.in_state(&id, "failed").await;
    }
    let browser = Browser::start(stage.gateway.address).await;
    browser.sign_in().await;
    browser.open("/ops/operations?q=state:failed").await;
    browser.shows("#live", "live").await;
    for key in ["j", "x", "j", "x"] {
        browser.press(key).await;
    }
    browser.shows("[data-count]", "2 rows selected").await;
    browser.shows("#live", "updates paused").await;
    browser.press("r").await;
    browser.click("#actions button").await;
    browser.shows("h1", "2 operations to retry").await;
    browser.fill("input[name=reason]", "again").await;
    browser.click("#actions button.primary").await;
    browser.shows("#progress", "done").await;
    browser.shows("#progress .facts", "2").await;
}

#[sqlx::test]
async fn the_page_works_without_javascript_on_a_phone(pool: PgPool) {
    let stage = stage::start(&pool).await;
    let browser = Browser::start(stage.gateway.address).await;
    browser
        .tell(
            "Emulation.setScriptExecutionDisabled",
            json!({ "value": true }),
        )
        .await;
    browser.show_in(PHONE).await;
    browser.sign_in().await;
    browser.open("/ops/operations").await;
    browser.fill("#filter", "state:parked").await;
    browser.click("form[aria-label=Filter] button").await;
    browser.click("#rows td a").await;
    browser.shows(WHY, "person has to decide").await;
    browser.shows("footer", "Times are in UTC").await;
    let retry = "form[action$='/retry']";
    browser
        .fill(
            &format!("{retry} input[name=reason]"),
            "Fineract is repaired",
        )
        .await;
    browser.click(&format!("{retry} button")).await;
    browser
        .shows(".notice", "runs as soon as its turn comes")
        .await;
}
