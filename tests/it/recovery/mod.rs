//! Follows `docs/RECOVERY.md` step by step: after a restore, nothing is done twice, and no cancelled operation runs.

mod first_start;
mod forgotten;
mod warned;

use std::process::Stdio;

use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::process::Command;

use crate::support::{
    API_KEY, Answer, OPS_TOKEN, TOKEN,
    caller::Caller,
    command::{TemporaryFolder, run},
    database::program_url,
    fixtures::{approve, disburse, repayment},
    operators::{Operator, begin_epoch},
    system::System,
};

/// The gateway's database, its backup, and the database that is restored from the backup.
struct Database<'a> {
    pool: &'a PgPool,
    url: Url,
    folder: TemporaryFolder,
    restored: String,
}

impl<'a> Database<'a> {
    fn new(pool: &'a PgPool) -> Self {
        Self {
            pool,
            url: program_url(&pool.connect_options()),
            folder: TemporaryFolder::new(),
            restored: format!("restored_{}", uuid::Uuid::new_v4().simple()),
        }
    }

    fn dump(&self) -> String {
        format!("{}/gateway.dump", self.folder.path())
    }

    fn restored_url(&self) -> String {
        let mut url = self.url.clone();
        url.set_path(&self.restored);
        url.to_string()
    }

    async fn back_up(&self) {
        let file = format!("--file={}", self.dump());
        done("pg_dump", &["--format=custom", &file, self.url.as_str()]).await;
    }

    async fn restore(&self) {
        let create = format!("CREATE DATABASE {}", self.restored);
        sqlx::raw_sql(AssertSqlSafe(create))
            .execute(self.pool)
            .await
            .expect("a database");
        let database = format!("--dbname={}", self.restored_url());
        done("pg_restore", &["--exit-on-error", &database, &self.dump()]).await;
    }

    async fn drop(self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.restored);
        sqlx::raw_sql(AssertSqlSafe(drop))
            .execute(self.pool)
            .await
            .expect("the restored database is dropped");
    }
}

async fn done(program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    let status = command.args(arguments).stdin(Stdio::null()).status().await;
    assert!(status.expect("it runs").success(), "{program}");
}

async fn start(pool: &PgPool) -> System {
    let mut system = System::start(pool).await;
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    system.set("API_KEYS", &format!("lender={API_KEY}"));
    system
}

/// Restores the database, and puts everything on hold before any gateway runs on it. Then starts a gateway.
async fn restored(system: &mut System, database: &Database<'_>) -> Caller {
    database.restore().await;
    let url = database.restored_url();
    let reason = ["hold-all", "--reason", "restored from the backup of 10:00"];
    let held = run(&reason, &[("DATABASE_URL", &url)]).await;
    assert_eq!(held.code, Some(0), "{}", held.stderr);
    system.set("DATABASE_URL", &url);
    system.set("ROLE", "all");
    system.gateway().await
}

/// The operations on hold, and for each whether it was ever sent.
async fn on_hold(operator: &Operator) -> Vec<(String, bool)> {
    let listed = Answer::of(operator.request(Method::GET, "?state=on_hold")).await;
    let listed = listed.json();
    let operations = listed["operations"].as_array().expect("a list").iter();
    let read = |operation: &Value| {
        let id = operation["tracking_id"].as_str().expect("a tracking id");
        (id.to_owned(), operation["sent"].as_bool().expect("a flag"))
    };
    operations.map(read).collect()
}

async fn lift(operator: &Operator, filter: Value, count: u64) {
    assert_eq!(operator.release(filter).await, count);
    let reason = json!({ "reason": "all that was lost is accounted for" });
    let ended = operator.hold(Method::POST, "/end", &reason).await;
    assert_eq!(ended.status, StatusCode::OK, "{}", ended.text);
}

/// The number of effects with this action in Fineract.
async fn effects(system: &System, action: &str) -> usize {
    let ledger = system.ledger().await;
    let of_kind = ledger.iter().filter(|effect| effect["action"] == action);
    of_kind.count()
}

#[sqlx::test]
async fn a_payout_that_was_told_canceled_does_not_come_back(pool: PgPool) {
    let database = Database::new(&pool);
    let mut system = start(&pool).await;
    let gateway = system.gateway().await;
    for loan_id in ["L-1", "L-2"] {
        gateway.file(loan_id).await;
        gateway.succeeds("LOAN_APPROVE", approve(loan_id)).await;
    }
    assert!(gateway.shut_down().await);
    system.set("ROLE", "api");
    let door = system.gateway().await;
    let canceled = door.send("LOAN_DISBURSE", disburse("L-1")).await;
    let other = door.send("LOAN_DISBURSE", disburse("L-2")).await;
    database.back_up().await;
    let answer = Operator::of(door.address).act(&canceled, "cancel").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(
        door.transaction(&canceled, API_KEY).await["status"],
        "canceled"
    );
    assert!(door.shut_down().await);

    let gateway = restored(&mut system, &database).await;
    let operator = Operator::of(gateway.address);
    let expected = [(canceled.clone(), false), (other.clone(), false)];
    assert_eq!(on_hold(&operator).await, expected);
    // The LOS names the operation that it was told is canceled. The operators cancel it again, and release the others.
    let answer = operator.act(&canceled, "cancel").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    lift(&operator, json!({ "all": true }), 1).await;
    assert_eq!(gateway.end_of(&other).await["status"], "success");
    assert_eq!(
        gateway.transaction(&canceled, API_KEY).await["status"],
        "canceled"
    );
    assert_eq!(effects(&system, "DISBURSE").await, 1);
    assert!(gateway.shut_down().await);
    database.drop().await;
}

/// An operation that waited at the time of the backup has run since. After the restore it runs under a key that
/// Fineract knows.
#[sqlx::test]
async fn what_ran_after_the_backup_is_told_again_and_not_done_again(pool: PgPool) {
    let database = Database::new(&pool);
    let mut system = start(&pool).await;
    let gateway = system.gateway().await;
    gateway.pay_out("L-1").await;
    gateway.file("L-2").await;
    assert!(gateway.shut_down().await);
    system.set("ROLE", "api");
    let door = system.gateway().await;
    let mut waiting = Vec::new();
    for (operation_type, data) in [
        ("LOAN_REPAYMENT", repayment("L-1", 10.0)),
        ("LOAN_APPROVE", approve("L-2")),
        ("LOAN_DISBURSE", disburse("L-2")),
    ] {
        waiting.push(door.send(operation_type, data).await);
    }
    database.back_up().await;
    assert!(door.shut_down().await);
    system.set("ROLE", "all");
    let gateway = system.gateway().await;
    // If the gateway finds a payment by reading, the result has no changes. Only the answer to the key contains them.
    let told = async |gateway: &Caller| {
        let mut told = Vec::new();
        for id in &waiting {
            let mut answer = gateway.end_of(id).await["success_response"].clone();
            answer["changes"] = Value::Null;
            told.push(answer);
        }
        told
    };
    let first = told(&gateway).await;
    assert!(gateway.shut_down().await);
    let before = system.ledger().await.len();

    let gateway = restored(&mut system, &database).await;
    let operator = Operator::of(gateway.address);
    let expected: Vec<_> = waiting.iter().map(|id| (id.clone(), false)).collect();
    assert_eq!(on_hold(&operator).await, expected);
    lift(&operator, json!({ "sent": false }), 3).await;
    assert_eq!(told(&gateway).await, first);
    assert_eq!(system.ledger().await.len(), before);
    assert!(gateway.shut_down().await);
    database.drop().await;
}

/// The database does not know operations that were accepted after the backup. The LOS sends a repayment again with the
/// same UTR. Fineract has the UTR in a receipt, or in a note if there is no payment type.
#[sqlx::test]
async fn a_repayment_that_ran_after_the_backup_is_not_booked_again(pool: PgPool) {
    for payment_type in ["", "Bank transfer"] {
        let database = Database::new(&pool);
        let mut system = start(&pool).await;
        begin_epoch(&pool).await;
        system.set("FINERACT_PAYMENT_TYPE", payment_type);
        let gateway = system.gateway().await;
        let loan_id = format!("L-{}", payment_type.len());
        gateway.pay_out(&loan_id).await;
        database.back_up().await;
        let mut booked = repayment(&loan_id, 10.0);
        booked["utr_payment_id"] = json!("HDFC-0001");
        booked["note"] = json!("First instalment");
        let first = gateway.send("LOAN_REPAYMENT", booked.clone()).await;
        assert_eq!(gateway.end_of(&first).await["status"], "success");
        assert!(gateway.shut_down().await);

        let gateway = restored(&mut system, &database).await;
        let operator = Operator::of(gateway.address);
        let request = gateway.request(Method::GET, &format!("/fineract/track/{first}"));
        let unknown = Answer::of(request.header("X-Internal-Token", TOKEN)).await;
        assert_eq!(unknown.problem(), (404, "unknown_tracking_id".to_owned()));
        // The gateway still accepts operations, but nothing runs before the operators have checked the list.
        let again = gateway.send("LOAN_REPAYMENT", booked.clone()).await;
        booked["utr_payment_id"] = json!("HDFC-0002");
        let new = gateway.send("LOAN_REPAYMENT", booked).await;
        let expected = [(again.clone(), false), (new.clone(), false)];
        assert_eq!(on_hold(&operator).await, expected);
        assert_eq!(effects(&system, "REPAYMENT").await, 1);
        lift(&operator, json!({ "type": "LOAN_REPAYMENT" }), 2).await;
        let end = gateway.end_of(&again).await;
        let as_noted = if payment_type.is_empty() {
            ", according to a note"
        } else {
            ""
        };
        assert_eq!(
            end["error_message"],
            format!(
                "Not sent: this utr_payment_id was used for the loan by another repayment that is not undone{as_noted}"
            )
        );
        assert_eq!(gateway.end_of(&new).await["status"], "success");
        assert_eq!(effects(&system, "REPAYMENT").await, 2);
        assert!(gateway.shut_down().await);
        database.drop().await;
    }
}
