//! Every page for everybody: with a screen reader, on a small screen, in the dark, and without what the page forbids.

use sqlx::PgPool;

use super::{
    browser::{Browser, LAPTOP, PHONE, Window},
    stage::{self, Stage},
};
use crate::support::operators::uuid;

/// A window of 360 pixels at 200 % zoom.
const ZOOMED: Window = Window {
    size: (180, 370),
    scale: 4,
    is_dark: false,
};
const DARK: Window = Window {
    is_dark: true,
    ..LAPTOP
};

/// Every page, with the name of its picture.
async fn pages(stage: &Stage, pool: &PgPool) -> Vec<(&'static str, String)> {
    let batch = sqlx::query_scalar!("SELECT id FROM batch")
        .fetch_one(pool)
        .await
        .expect("a batch");
    let webhook =
        sqlx::query_scalar!("SELECT id FROM webhook_endpoint WHERE failing_since IS NOT NULL")
            .fetch_one(pool)
            .await
            .expect("a failing endpoint");
    let key = sqlx::query_scalar!("SELECT id FROM credential")
        .fetch_one(pool)
        .await
        .expect("a key");
    vec![
        ("start", "/ops".to_owned()),
        ("list", "/ops/operations".to_owned()),
        (
            "operation",
            format!("/ops/operations/{}", uuid(&stage.parked)),
        ),
        ("lane", "/ops/lanes/client:inc-1".to_owned()),
        ("batches", "/ops/batches".to_owned()),
        ("batch", format!("/ops/batches/{batch}")),
        ("repairs", "/ops/repairs".to_owned()),
        ("webhooks", "/ops/webhooks".to_owned()),
        ("webhook", format!("/ops/webhooks/{webhook}")),
        ("keys", "/ops/keys".to_owned()),
        ("key", format!("/ops/keys/{key}")),
        ("audit", "/ops/audit".to_owned()),
        ("system", "/ops/system".to_owned()),
        ("error", "/ops/lanes/no-lane".to_owned()),
    ]
}

#[sqlx::test]
async fn every_page_suits_everybody(pool: PgPool) {
    let stage = stage::start(&pool).await;
    stage.fill().await;
    let browser = Browser::start(stage.gateway.address).await;
    browser.open("/ops/sign-in").await;
    let mut faults = look(&browser, "sign-in").await;
    browser.sign_in().await;
    for (name, path) in pages(&stage, &pool).await {
        browser.open(&path).await;
        faults.extend(look(&browser, name).await);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Looks at a page in each window, and returns what is wrong.
pub(super) async fn look(browser: &Browser, name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (window, suffix) in [
        (LAPTOP, ""),
        (DARK, "-dark"),
        (PHONE, "-phone"),
        (ZOOMED, "-zoomed"),
    ] {
        browser.show_in(window).await;
        let faults = browser.faults().await;
        wrong.extend(
            faults
                .into_iter()
                .map(|fault| format!("{name}{suffix}: {fault}")),
        );
        let overflow = browser.overflow().await;
        if overflow > 0 {
            wrong.push(format!(
                "{name}{suffix}: {overflow} pixels wider than the window"
            ));
        }
        browser.picture(&format!("{name}{suffix}")).await;
    }
    browser.show_in(LAPTOP).await;
    wrong
}
