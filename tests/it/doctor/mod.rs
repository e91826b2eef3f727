//! `doctor` finds each thing that is wrong, reports all of them at once, and changes nothing.

mod database;
mod fineract;
mod settings;

use std::collections::BTreeSet;

use fineract_gateway::domain::{FineractCommand, OperationType};
use private_postgres::{Options, PrivatePostgres};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::block_in_place;

use crate::support::{
    command::{Ended, run},
    keys::trust_keys,
    system::System,
};

/// The password of the gateway's user in Fineract, which no output may contain.
const PASSWORD: &str = "hush-fineract";
/// The permissions of the gateway's user that no command names.
const OTHERS: [&str; 6] = [
    "ACTIVATE_CLIENT",
    "READ_CLIENT",
    "READ_LOAN",
    "READ_LOANPRODUCT",
    "READ_PAYMENTTYPE",
    "READ_AUDIT",
];

/// The findings of one run.
struct Findings {
    code: Option<i32>,
    checks: Vec<Value>,
}

impl Findings {
    fn of(ended: &Ended) -> Self {
        for secret in [PASSWORD, "hush"] {
            let text = format!("{}{}", ended.stdout, ended.stderr);
            assert!(!text.contains(secret), "a secret is shown: {text}");
        }
        let report: Result<Value, _> = serde_json::from_str(&ended.stdout);
        assert!(report.is_ok(), "{}{}", ended.stdout, ended.stderr);
        let report = report.expect("a report");
        Self {
            code: ended.code,
            checks: report["checks"].as_array().expect("a list").clone(),
        }
    }

    /// The checks with this status, without `database.durability`: the tests' own Postgres runs without fsync.
    fn all(&self, status: &str) -> BTreeSet<&str> {
        let found = self.checks.iter().filter(|found| found["status"] == status);
        found
            .map(|found| found["check"].as_str().expect("a name"))
            .filter(|check| *check != "database.durability")
            .collect()
    }

    fn wrong(&self) -> BTreeSet<&str> {
        self.all("wrong")
    }

    /// The status of a check, its finding and its action, in one text.
    fn text(&self, check: &str) -> String {
        let found = self.checks.iter().find(|found| found["check"] == check);
        assert!(found.is_some(), "no {check}: {:?}", self.checks);
        let found = found.expect("a finding");
        let part = |key: &str| found[key].as_str().unwrap_or_default();
        format!(
            "{}: {} → {}",
            part("status"),
            part("finding"),
            part("action")
        )
    }

    /// Asserts that exactly these checks are wrong, and that one of them says this.
    fn assert_wrong(&self, wrong: &[&str], said: &str) {
        assert_eq!(
            self.wrong(),
            wrong.iter().copied().collect::<BTreeSet<_>>(),
            "{said}: {:?}",
            self.checks
        );
        let texts: Vec<_> = wrong.iter().map(|check| self.text(check)).collect();
        assert!(
            texts.iter().any(|text| text.contains(said)),
            "{said}: {texts:?}"
        );
        assert_eq!(self.code, Some(1), "{said}");
    }
}

/// Runs `doctor` with these settings.
async fn doctor(arguments: &[&str], system: &System) -> Findings {
    let variables = system.variables();
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let arguments = [&["doctor", "--json"], arguments].concat();
    Findings::of(&run(&arguments, &variables).await)
}

/// A deployment in which nothing is wrong, except that the tests' own Postgres may run without fsync.
async fn healthy(pool: &PgPool) -> System {
    let mut system = System::start(pool).await;
    make_healthy(&mut system).await;
    trust_keys(&system).await;
    system
}

async fn make_healthy(system: &mut System) {
    add_user(system, "gateway", &permissions()).await;
    system.set("FINERACT_USER", "gateway");
    system.set("FINERACT_PASSWORD", PASSWORD);
    system.set("FINERACT_PAYMENT_TYPE", "Bank transfer");
    system.set("INTERNAL_TOKENS", "los=a-secret-that-is-long");
    system.set("BULK_CLIENTS", "lender=id:another-long-secret:app:org");
}

/// The permissions that the gateway's user needs.
fn permissions() -> BTreeSet<String> {
    let commands = OperationType::ALL.iter().map(|operation_type| {
        let (action, entity) = FineractCommand::of(*operation_type).task();
        format!("{action}_{entity}")
    });
    // Reading offices is not required, but without this permission one check has no result.
    let others = OTHERS.into_iter().chain(["READ_OFFICE"]);
    commands.chain(others.map(str::to_owned)).collect()
}

/// Adds a user to the sandbox, with the password [`PASSWORD`].
async fn add_user(system: &System, name: &str, permissions: &BTreeSet<String>) {
    let user = json!({"name": name, "password": PASSWORD, "permissions": permissions});
    system.administer("users", &user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_right_deployment_everything_is_fine() {
    let postgres = block_in_place(|| PrivatePostgres::start(Options::default()));
    let postgres = postgres.expect("a private Postgres");
    let url = postgres.url("postgres");
    let migrated = run(&["migrate"], &[("DATABASE_URL", &url)]).await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    let pool = PgPool::connect(&url).await.expect("a connection");
    let system = healthy(&pool).await;

    let findings = doctor(&[], &system).await;
    let wrong: Vec<_> = findings
        .checks
        .iter()
        .filter(|found| found["status"] == "wrong")
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(findings.code, Some(0));
    // Nobody knows how to ask Fineract for its scheduler without a change, nor whose the tokens are.
    assert_eq!(
        findings.all("not_known"),
        BTreeSet::from(["fineract.scheduler", "settings.owners"])
    );
    for (check, said) in [
        ("settings", "all settings are valid"),
        ("settings.secrets", "16 characters or more"),
        ("database.version", "Postgres 15"),
        ("database.durability", "are on"),
        (
            "database.synchronous_commit",
            "on for the connections of the gateway",
        ),
        ("database.standbys", "no standby"),
        ("database.schema", "all migrations"),
        ("database.rights", "owns all tables"),
        ("database.audit", "the role could switch that off"),
        ("fineract.version", "1.11.0-SNAPSHOT"),
        ("fineract.tenant", "default"),
        ("fineract.rights.APPROVE_LOAN", "has it"),
        ("fineract.rights.READ_AUDIT", "has it"),
        ("fineract.products.UGRO", "no charges; its rate is per year"),
        ("fineract.products.DMI", "charges: Processing fee (2"),
        ("fineract.payment_type", "Bank transfer"),
        ("fineract.office", "office 1 is Head Office"),
        ("fineract.idempotency_header", "idempotency-key"),
        ("fineract.keys.disburse", "honours"),
    ] {
        let text = findings.text(check);
        assert!(
            text.starts_with("fine") && text.contains(said),
            "{check} {text}"
        );
    }
    assert_eq!(system.ledger().await, Vec::<Value>::new());
}

#[sqlx::test]
async fn people_read_a_line_for_each_check(pool: PgPool) {
    let mut system = healthy(&pool).await;
    system.set("FINERACT_TENANT", "other");
    let variables = system.variables();
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let ended = run(&["doctor"], &variables).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""));
    let line = |start: &str, end: &str| {
        let mut lines = ended.stdout.lines();
        lines.any(|line| line.starts_with(start) && line.ends_with(end))
    };
    assert!(
        line("fine       settings  ", "  all settings are valid"),
        "{}",
        ended.stdout
    );
    assert!(
        line(
            "WRONG      fineract.tenant  ",
            "does not know the tenant other"
        ),
        "{}",
        ended.stdout
    );
    assert!(
        line("           ", "→ correct FINERACT_TENANT"),
        "{}",
        ended.stdout
    );
    assert!(
        line("not known  fineract.login  ", "the tenant is wrong"),
        "{}",
        ended.stdout
    );
    let last = ended.stdout.lines().last().expect("a line");
    assert!(
        last.ends_with(" not known") && last.contains(" fine, "),
        "{last}"
    );
}
