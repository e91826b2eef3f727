//! Wrong settings: each is reported, and the other checks are made nevertheless.

use std::collections::BTreeSet;

use sqlx::PgPool;

use super::{Findings, doctor, healthy};
use crate::support::{
    authority::{Authority, write},
    command::{TemporaryFolder, run},
};

#[tokio::test]
async fn every_wrong_setting_is_reported() {
    let variables = [
        ("FINERACT_URL", "ftp://fineract"),
        ("FINERACT_USER", "gateway"),
        ("OPS_TOKENS", "hush"),
        ("WORKER_LEASE_SECONDS", "0"),
    ];
    let findings = Findings::of(&run(&["doctor", "--json"], &variables).await);
    assert_eq!(findings.code, Some(1));
    let wrong = [
        "settings.DATABASE_URL",
        "settings.FINERACT_PASSWORD",
        "settings.FINERACT_URL",
        "settings.OPS_TOKENS",
        "settings.WORKER_LEASE_SECONDS",
    ];
    assert_eq!(findings.wrong(), BTreeSet::from(wrong));
    for (check, said) in [
        ("settings.WORKER_LEASE_SECONDS", "WORKER_LEASE_SECONDS is 0"),
        (
            "database.reachable",
            "not_known: the settings name no database",
        ),
        (
            "database.rights",
            "not_known: the settings name no database",
        ),
        (
            "fineract.reachable",
            "not_known: the settings of Fineract are not valid",
        ),
    ] {
        let text = findings.text(check);
        assert!(text.contains(said), "{check} {text}");
    }
}

#[sqlx::test]
async fn the_other_parts_are_checked_nevertheless(pool: PgPool) {
    let mut system = healthy(&pool).await;
    system.set("INTERNAL_TOKENS", "hush");
    system.set("WORKER_LEASE_SECONDS", "1");
    system.set("LENDERS", "UGRO=Nowhere");
    let findings = doctor(&[], &system).await;
    let wrong = [
        "settings.INTERNAL_TOKENS",
        "settings.WORKER_LEASE_SECONDS",
        "fineract.products.UGRO",
    ];
    findings.assert_wrong(&wrong, "no product with the name Nowhere");
    assert!(findings.all("fine").contains("database.schema"));
}

#[sqlx::test]
async fn a_process_that_only_accepts_needs_no_fineract(pool: PgPool) {
    let mut system = healthy(&pool).await;
    system.set("ROLE", "api");
    for name in ["FINERACT_URL", "FINERACT_USER", "FINERACT_PASSWORD"] {
        system.set(name, "");
    }
    let findings = doctor(&[], &system).await;
    assert_eq!(findings.wrong(), BTreeSet::new());
    let text = findings.text("fineract.login");
    assert!(text.starts_with("not_known: ROLE is api"), "{text}");
}

#[sqlx::test]
async fn short_secrets_are_named_and_not_shown(pool: PgPool) {
    let mut system = healthy(&pool).await;
    system.set(
        "INTERNAL_TOKENS",
        "los=a-secret-that-is-long,old=123456789012345",
    );
    system.set(
        "BULK_CLIENTS",
        "lender=identifier:hush:application:organisation",
    );
    let findings = doctor(&[], &system).await;
    let said = "a secret is short (BULK_CLIENTS: lender, INTERNAL_TOKENS: old)";
    findings.assert_wrong(&["settings.secrets"], said);
    let text = findings.text("settings.secrets");
    assert!(!text.contains("hush") && !text.contains("12345"), "{text}");
}

#[sqlx::test]
async fn a_certificate_that_ends_soon_is_reported(pool: PgPool) {
    let mut system = healthy(&pool).await;
    let folder = TemporaryFolder::new();
    let ended = Authority::new().issue(2020);
    system.set("TLS_CERT_FILE", &write(&folder, "c", &ended.certificate));
    system.set("TLS_KEY_FILE", &write(&folder, "k", &ended.key));
    let findings = doctor(&[], &system).await;
    findings.assert_wrong(&["settings.certificate"], "valid for 0 more days");
}

#[sqlx::test]
async fn tokens_that_see_what_others_have_sent_are_named(pool: PgPool) {
    let mut system = healthy(&pool).await;
    system.set(
        "INTERNAL_TOKENS",
        "los=a-secret-that-is-long,los=another-secret-of-it",
    );
    system.set("API_KEYS", "lender=a-key-that-is-long-too");
    let text = doctor(&[], &system).await.text("settings.owners");
    let named = "API_KEYS: lender (transactions.all), INTERNAL_TOKENS: los (track.all).";
    assert!(
        text.starts_with("not_known: ") && text.contains(named),
        "{text}"
    );

    system.set("API_KEYS", "");
    system.set("INTERNAL_TOKENS", "");
    system.set("OPS_TOKENS", "admin=a-secret-that-is-long");
    let text = doctor(&[], &system).await.text("settings.owners");
    assert!(text.starts_with("fine: no token"), "{text}");
}

#[sqlx::test]
async fn a_folder_that_cannot_be_written_is_reported(pool: PgPool) {
    let mut system = healthy(&pool).await;
    let folder = TemporaryFolder::new();
    system.set("RETENTION_DAYS", "400");
    let exists = folder.path().to_owned();
    system.set("RETENTION_EXPORT_DIR", &exists);
    let text = doctor(&[], &system).await.text("settings.export");
    assert!(text.starts_with("fine: files can be made"), "{text}");
    system.set("RETENTION_EXPORT_DIR", &format!("{exists}/gone"));
    let findings = doctor(&[], &system).await;
    findings.assert_wrong(&["settings.export"], "No such file or directory");
}
