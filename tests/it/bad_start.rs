//! A gateway that cannot start prints the reason in one line and exits with 2.

use sqlx::PgPool;

use crate::support::{
    command::{Ended, run},
    database::url,
};

const ENOUGH: [(&str, &str); 4] = [
    ("INTERNAL_TOKENS", "los=hush"),
    (
        "FINERACT_URL",
        "http://127.0.0.1:9/fineract-provider/api/v1",
    ),
    ("FINERACT_USER", "mifos"),
    ("FINERACT_PASSWORD", "password"),
];

/// Runs the program with settings with which it cannot start. Returns the line that the program prints.
async fn complaint(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let Ended {
        code,
        stdout,
        stderr,
    } = run(arguments, variables).await;
    assert_eq!(code, Some(2), "{stdout}{stderr}");
    assert_eq!(stdout, "");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(!stderr.contains("hush"), "a secret is shown: {stderr}");
    stderr
}

#[tokio::test]
async fn every_missing_or_contradicting_setting_is_named_at_once() {
    let said = complaint(
        &["serve"],
        &[
            ("FINERACT_URL", "ftp://fineract"),
            ("FINERACT_USER", "mifos"),
            ("OPS_TOKENS", "ops"),
            ("WORKER_LEASE_SECONDS", "0"),
        ],
    )
    .await;
    for variable in [
        "DATABASE_URL",
        "OPS_TOKENS",
        "FINERACT_URL",
        "FINERACT_PASSWORD",
        "WORKER_LEASE_SECONDS",
    ] {
        assert!(said.contains(variable), "{variable}: {said}");
    }
    let contradiction = [
        (
            "DATABASE_URL",
            "postgres://gateway:hush@127.0.0.1:9/gateway",
        ),
        ("WORKER_LEASE_SECONDS", "30"),
        ("FINERACT_TIMEOUT_SECONDS", "30"),
    ];
    let said = complaint(&["serve"], &[&ENOUGH[..], &contradiction].concat()).await;
    assert!(said.contains("WORKER_LEASE_SECONDS is 30 s"), "{said}");
    assert!(said.contains("FINERACT_TIMEOUT_SECONDS"), "{said}");
}

#[tokio::test]
async fn an_absent_database_is_said() {
    let url = "postgres://gateway:hush@127.0.0.1:9/gateway";
    let variables = [&ENOUGH[..], &[("DATABASE_URL", url)]].concat();
    for arguments in [&["serve"][..], &["serve", "--no-migrate"], &["migrate"]] {
        let said = complaint(arguments, &variables).await;
        let expected = "fineract-gateway: the database of DATABASE_URL cannot be reached";
        assert!(said.starts_with(expected), "{said}");
    }
}

#[sqlx::test(migrations = false)]
async fn a_database_that_is_not_migrated_is_said(pool: PgPool) {
    let url = url(&pool);
    let variables = [&ENOUGH[..], &[("DATABASE_URL", &url)]].concat();
    let said = complaint(&["serve", "--no-migrate"], &variables).await;
    let expected =
        "fineract-gateway: the database is not migrated: run `fineract-gateway migrate`\n";
    assert_eq!(said, expected);
}

/// The line that `serve` prints when it cannot start with this database.
pub(crate) async fn refusal(database_url: &str) -> String {
    let variables = [&ENOUGH[..], &[("DATABASE_URL", database_url)]].concat();
    complaint(&["serve"], &variables).await
}

/// The variables by which the lab controls its gateways are no settings. The product refuses to start with them.
#[tokio::test]
async fn what_the_lab_says_is_not_obeyed() {
    for (name, value) in [
        ("PROVE_INJECTION", "die:after_send::1"),
        ("SABOTAGE", "guard_off"),
    ] {
        let said = complaint(
            &["serve"],
            &[
                &ENOUGH[..],
                &[
                    (
                        "DATABASE_URL",
                        "postgres://gateway:hush@127.0.0.1:9/gateway",
                    ),
                    (name, value),
                ],
            ]
            .concat(),
        )
        .await;
        assert!(said.contains(name), "{said}");
    }
}

/// The product's binary contains nothing of the lab: no fault point, no sabotage, no sandbox, no SQL of the bench.
#[test]
fn nothing_of_the_lab_is_in_the_binary() {
    let binary = std::fs::read(env!("CARGO_BIN_EXE_fineract-gateway")).expect("it is built");
    let binary = String::from_utf8_lossy(&binary);
    let holds = |text: &str| binary.contains(text);
    // This text is in the binary, so the search works.
    assert!(holds("gateway_backlog"));
    for text in [
        "after_group_commit",
        "in_lease_renewal",
        "fault point reached, injection performed",
        "attempt_not_committed",
        "history_by_external_id",
        "/sandbox/",
        "pg_terminate_backend",
        "TABLESAMPLE",
        "initdb",
    ] {
        assert!(!holds(text), "{text}");
    }
}
