//! `docs/RECOVERY.md`, section 4: a standby takes over, with all committed data, or without the last moments.

use std::{fs, os::unix::fs::MetadataExt as _, process::Command};

use private_postgres::PrivatePostgres;
use reqwest::{Method, StatusCode, Url};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tokio::task::block_in_place;

use crate::{
    failover::postgres,
    support::{
        Answer, OPS_TOKEN, TOKEN,
        command::run,
        database::is_true_on,
        eventually::eventually,
        fixtures::{client, repayment},
        operators::Operator,
        system::System,
    },
};

/// A standby of a running server: a copy that follows the server from then on.
pub(crate) fn standby_of(primary: &PrivatePostgres) -> PrivatePostgres {
    let mut standby = postgres();
    block_in_place(|| {
        standby.kill_immediately().expect("a kill");
        let data = standby.folder().join("data");
        let owner = fs::metadata(&data).expect("a folder");
        fs::remove_dir_all(&data).expect("the old data is removed");
        let copied = Command::new("pg_basebackup")
            .args([
                "--write-recovery-conf",
                "--wal-method=stream",
                "--checkpoint=fast",
            ])
            .arg(format!("--dbname={}", primary.url("postgres")))
            .arg(format!("--pgdata={}", data.display()))
            .status();
        assert!(copied.expect("it runs").success());
        // If the test runs as root, the server runs under another account. That account must own the copy.
        let owner = format!("{}:{}", owner.uid(), owner.gid());
        let given = Command::new("chown")
            .arg("-R")
            .arg(owner)
            .arg(&data)
            .status();
        assert!(given.expect("it runs").success());
        standby.start_again().expect("a start");
    });
    standby
}

/// The URL of a standby. Its password is the primary's, because it is a copy.
pub(crate) fn address(primary: &PrivatePostgres, standby: &PrivatePostgres) -> String {
    let read = |postgres: &PrivatePostgres| Url::parse(&postgres.url("postgres")).expect("a URL");
    let mut url = read(primary);
    url.set_port(read(standby).port()).expect("a port");
    url.to_string()
}

async fn connect(url: &str) -> PgConnection {
    let connection = PgConnection::connect(url).await;
    connection.expect("a connection")
}

async fn promote(standby: &str) {
    assert!(is_true_on(&mut connect(standby).await, "SELECT pg_promote()").await);
}

async fn start(primary: &PrivatePostgres) -> System {
    let mut system = System::on(&primary.url("postgres")).await;
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    system
}

/// The primary fails after the 202. The standby has the operation, so nobody has to do anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_synchronous_standby_has_all_that_was_accepted() {
    let mut primary = postgres();
    let standby = standby_of(&primary);
    let mut connection = connect(&primary.url("postgres")).await;
    for statement in [
        "ALTER SYSTEM SET synchronous_standby_names = '*'",
        "SELECT pg_reload_conf()",
    ] {
        sqlx::raw_sql(statement)
            .execute(&mut connection)
            .await
            .expect("it is set");
    }
    let in_sync = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')";
    eventually("the standby is synchronous", async || {
        is_true_on(&mut connection, in_sync).await
    })
    .await;
    let mut system = start(&primary).await;
    let mut gateway = system.process().await;
    gateway.succeeds("CLIENT_CREATE", client("C-1")).await;
    let slow = json!({"match": {"method": "POST", "path": "/clients"}, "fault": "slow", "delay_ms": 1500, "times": 1});
    system.fault(slow).await;
    let accepted = gateway.send("CLIENT_CREATE", client("C-2")).await;
    block_in_place(|| primary.kill_immediately()).expect("a kill");
    gateway.kill().await;

    let url = address(&primary, &standby);
    promote(&url).await;
    system.set("DATABASE_URL", &url);
    let mut gateway = system.process().await;
    assert_eq!(gateway.end_of(&accepted).await["status"], "success");
    assert_eq!(system.ledger().await.len(), 2);
    gateway.kill().await;
}

/// The standby lacks the last moments, like a backup. A repayment that was booked in that time is not booked again.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_lacks_the_last_moments_is_a_restored_database() {
    let mut primary = postgres();
    let mut standby = standby_of(&primary);
    let mut system = start(&primary).await;
    let mut gateway = system.process().await;
    gateway.pay_out("L").await;
    let url = address(&primary, &standby);
    let mut connection = connect(&url).await;
    let has_it = "SELECT count(*) = 4 FROM operation WHERE state = 'succeeded'";
    eventually("the standby has the four operations", async || {
        is_true_on(&mut connection, has_it).await
    })
    .await;
    drop(connection);
    block_in_place(|| standby.kill_immediately()).expect("a kill");
    let mut booked = repayment("L", 10.0);
    booked["utr_payment_id"] = json!("HDFC-0001");
    let first = gateway.send("LOAN_REPAYMENT", booked.clone()).await;
    assert_eq!(gateway.end_of(&first).await["status"], "success");
    gateway.kill().await;
    block_in_place(|| primary.kill_immediately()).expect("a kill");

    block_in_place(|| standby.start_again()).expect("a start");
    promote(&url).await;
    let reason = ["hold-all", "--reason", "a standby was promoted"];
    let held = run(&reason, &[("DATABASE_URL", &url)]).await;
    assert_eq!(held.code, Some(0), "{}", held.stderr);
    system.set("DATABASE_URL", &url);
    let mut gateway = system.process().await;
    let request = gateway.request(Method::GET, &format!("/fineract/track/{first}"));
    let unknown = Answer::of(request.header("X-Internal-Token", TOKEN)).await;
    assert_eq!(unknown.problem(), (404, "unknown_tracking_id".to_owned()));
    let again = gateway.send("LOAN_REPAYMENT", booked).await;
    let operator = Operator::of(gateway.address);
    assert_eq!(operator.release(json!({ "lane": "loan:l" })).await, 1);
    let ended = operator
        .hold(Method::POST, "/end", &json!({ "reason": "done" }))
        .await;
    assert_eq!(ended.status, StatusCode::OK, "{}", ended.text);
    let end = gateway.end_of(&again).await;
    let message = end["error_message"].as_str().expect("a message");
    assert!(
        message.starts_with("Not sent: this utr_payment_id was used"),
        "{end}"
    );
    let ledger = system.ledger().await;
    let repaid = ledger
        .iter()
        .filter(|effect| effect["action"] == "REPAYMENT");
    assert_eq!(repaid.count(), 1);
    gateway.kill().await;
}
