//! What can be wrong with Fineract.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::PgPool;
use tokio::net::TcpListener;

use super::{OTHERS, add_user, doctor, healthy, make_healthy, permissions};
use crate::{
    fake_fineract::{FakeFineract, NOW},
    support::system::System,
};

#[sqlx::test]
async fn settings_that_do_not_fit(pool: PgPool) {
    let mut system = healthy(&pool).await;
    let url = system.setting("FINERACT_URL").expect("a URL");
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let silent = format!("http://{}/api/v1", silent.local_addr().expect("an address"));
    for (name, value, wrong, said) in [
        (
            "FINERACT_URL",
            "http://127.0.0.1:9/api/v1",
            "fineract.reachable",
            "nobody accepts a connection",
        ),
        (
            "FINERACT_URL",
            &silent,
            "fineract.reachable",
            "no answer within",
        ),
        (
            "FINERACT_URL",
            &url.replace("/v1", "/v2"),
            "fineract.reachable",
            "end in /api/v1",
        ),
        (
            "FINERACT_URL",
            &url.replace("http:", "https:"),
            "fineract.tls",
            "FINERACT_CA_FILE",
        ),
        ("FINERACT_PASSWORD", "hush", "fineract.login", "401"),
        ("FINERACT_USER", "nobody", "fineract.login", "401"),
        (
            "FINERACT_TENANT",
            "other",
            "fineract.tenant",
            "does not know the tenant other",
        ),
        ("FINERACT_USER", "mifos", "fineract.rights", "ALL_FUNCTIONS"),
        (
            "FINERACT_PAYMENT_TYPE",
            "Cheque",
            "fineract.payment_type",
            "no payment type Cheque",
        ),
        (
            "FINERACT_PAYMENT_TYPE",
            "",
            "fineract.payment_type",
            "is not set",
        ),
        ("FINERACT_OFFICE_ID", "7", "fineract.office", "number 7"),
        (
            "LENDERS",
            "UGRO=Ugro Capital,DMI",
            "fineract.products.UGRO",
            "no product with the name Ugro Capital",
        ),
        (
            "LENDERS",
            "UGRO=CLOSED,DMI",
            "fineract.products.UGRO",
            "is closed",
        ),
    ] {
        let before = system.setting(name).unwrap_or_default();
        let password = system.setting("FINERACT_PASSWORD").expect("a password");
        system.set(name, value);
        if value == "mifos" {
            system.set("FINERACT_PASSWORD", "password");
        }
        let started = Instant::now();
        let findings = doctor(&[], &system).await;
        findings.assert_wrong(&[wrong], said);
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{name}={value}"
        );
        assert!(findings.all("fine").contains("database.schema"));
        assert!(findings.all("not_known").contains("fineract.scheduler"));
        system.set("FINERACT_PASSWORD", &password);
        system.set(name, &before);
    }
}

#[sqlx::test]
async fn each_missing_permission(pool: PgPool) {
    let mut system = healthy(&pool).await;
    system.set("FINERACT_USER", "restricted");
    for permission in permissions() {
        if permission == "READ_OFFICE" {
            continue;
        }
        let mut others = permissions();
        others.remove(&permission);
        add_user(&system, "restricted", &others).await;
        let findings = doctor(&[], &system).await;
        let check = format!("fineract.rights.{permission}");
        findings.assert_wrong(&[&check], &format!("the permission {permission}"));
    }
    // A user without any permission: everything is reported at once.
    add_user(&system, "restricted", &[].into()).await;
    let findings = doctor(&[], &system).await;
    let wrong: Vec<_> = permissions()
        .into_iter()
        .filter(|permission| permission != "READ_OFFICE")
        .map(|permission| format!("fineract.rights.{permission}"))
        .collect();
    let wrong: Vec<_> = wrong.iter().map(String::as_str).collect();
    assert!(wrong.len() > OTHERS.len());
    findings.assert_wrong(&wrong, "READ_AUDIT");
    let text = findings.text("fineract.office");
    assert_eq!(
        text,
        "not_known: the gateway's user may not read /offices → "
    );
}

#[sqlx::test]
async fn permissions_that_bypass_a_safeguard(pool: PgPool) {
    let mut system = healthy(&pool).await;
    system.set("FINERACT_USER", "mighty");
    for permission in ["BYPASS_LOAN_WRITE_PROTECTION", "CHECKER_SUPER_USER"] {
        let mut all = permissions();
        all.insert(permission.to_owned());
        add_user(&system, "mighty", &all).await;
        doctor(&[], &system)
            .await
            .assert_wrong(&["fineract.rights"], permission);
    }
}

#[sqlx::test]
async fn what_fineract_does_not_show_is_not_known(pool: PgPool) {
    let system = healthy(&pool).await;
    let fault =
        json!({"match": {"method": "POST", "path": "/authentication"}, "fault": "unauthorized"});
    system.fault(fault).await;
    let findings = doctor(&[], &system).await;
    assert!(findings.wrong().is_empty(), "{:?}", findings.checks);
    for check in ["fineract.rights", "fineract.rights.APPROVE_LOAN"] {
        let text = findings.text(check);
        assert!(
            text.starts_with("not_known: Fineract does not show"),
            "{text}"
        );
    }
    // Reading is tried.
    assert!(
        findings
            .text("fineract.rights.READ_LOAN")
            .starts_with("fine")
    );
}

#[sqlx::test]
async fn answers_that_do_not_come_from_fineract(pool: PgPool) {
    let system = healthy(&pool).await;
    for (fault, said) in [
        ("status_502_after", "a proxy answers"),
        ("redirect", "FINERACT_URL redirects"),
        ("reset_before", "the connection was closed"),
    ] {
        let fault = json!({"match": {"method": "GET", "path": "/paymenttypes"}, "fault": fault});
        system.fault(fault).await;
        doctor(&[], &system)
            .await
            .assert_wrong(&["fineract.reachable"], said);
        system.clear_faults().await;
    }
}

#[sqlx::test]
async fn keys_that_are_ignored(pool: PgPool) {
    let mut system = healthy(&pool).await;
    sqlx::query!(
        "UPDATE key_probe SET honoured = false, honoured_since = NULL WHERE command = 'approve'"
    )
    .execute(&pool)
    .await
    .expect("a verdict");
    let findings = doctor(&[], &system).await;
    findings.assert_wrong(&["fineract.keys.approve"], "ignores the keys");

    sqlx::query!("UPDATE key_probe SET honoured = false, honoured_since = NULL")
        .execute(&pool)
        .await
        .expect("verdicts");
    let findings = doctor(&[], &system).await;
    let text = findings.text("fineract.idempotency_header");
    assert!(
        text.contains("FINERACT_IDEMPOTENCY_KEY_HEADER_NAME"),
        "{text}"
    );
    assert_eq!(findings.wrong().len(), 11, "{:?}", findings.wrong());

    // A verdict on another header shows nothing about this one.
    system.set("FINERACT_IDEMPOTENCY_HEADER", "X-Key");
    let findings = doctor(&[], &system).await;
    assert!(findings.wrong().is_empty(), "{:?}", findings.checks);
    for check in ["fineract.idempotency_header", "fineract.keys.approve"] {
        let text = findings.text(check);
        assert!(text.starts_with("not_known: no verdict"), "{text}");
    }
}

/// What no sandbox shows: an old version, several processes, a clock that is wrong. And the only request that is no
/// read is the login.
#[sqlx::test]
async fn another_fineract(pool: PgPool) {
    let fake = FakeFineract::start().await;
    fake.reads(
        "/fineract-provider/actuator/info",
        r#"200 {"build":{"version":"1.8.4"}}"#,
    );
    let metrics = format!("200 process_start_time_seconds {}", NOW - 60);
    fake.reads("/fineract-provider/actuator/prometheus", &metrics);
    fake.answers(
        "/authentication",
        &[r#"200 {"permissions":["APPROVE_LOAN"]}"#],
    );
    let mut system = System::asking(&pool).await;
    make_healthy(&mut system).await;
    system.set("FINERACT_URL", &fake.url());
    system.set("LENDERS", "UGRO");
    let findings = doctor(&[], &system).await;
    let wrong = findings.wrong();
    for check in [
        "fineract.version",
        "fineract.clock",
        "fineract.rights.DISBURSE_LOAN",
    ] {
        assert!(wrong.contains(check), "{check}: {wrong:?}");
    }
    assert!(findings.text("fineract.version").contains("1.8.4"));
    assert!(
        findings
            .text("fineract.rights.APPROVE_LOAN")
            .starts_with("fine")
    );
    assert!(findings.text("fineract.processes").starts_with("fine"));
    let commands: Vec<_> = fake.commands().into_iter().map(|seen| seen.path).collect();
    assert_eq!(commands, ["/authentication"]);
    assert!(fake.probes().is_empty());
}
