//! The restore of `docs/OPERATING.md`: the first gateway starts with `serve --on-hold`, and the audit is verified.

use std::process::Stdio;

use fineract_gateway::tls::http_client;
use sqlx::PgPool;
use tokio::net::TcpListener;

use super::{Database, effects, lift, on_hold, start};
use crate::{
    audit::sealed,
    support::{
        command::{Ended, program, run},
        eventually::eventually,
        fixtures::{client, repayment},
        operators::Operator,
        system::System,
    },
};

async fn command(arguments: &[&str], database_url: &str) -> Ended {
    run(arguments, &[("DATABASE_URL", database_url)]).await
}

/// Waits until all of the audit is sealed, and returns the newest seal.
async fn newest_seal(pool: &PgPool, url: &str) -> String {
    sealed(pool).await;
    let verified = command(&["audit", "verify"], url).await.stdout;
    let mut lines = verified.lines();
    let newest = lines.find_map(|line| line.strip_prefix("newest seal: "));
    newest.expect("a seal").to_owned()
}

/// Starts `serve` with this argument, at this address, on the restored database.
fn serve(system: &System, argument: &str, address: &str) -> tokio::process::Child {
    let variables = system.variables();
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| *name != "HTTP_LISTEN")
        .chain([("HTTP_LISTEN", address), ("LOG_FILTER", "warn")])
        .collect();
    let mut serving = program(&["serve", argument], &variables);
    let serving = serving.stderr(Stdio::inherit()).spawn();
    serving.expect("the gateway starts")
}

#[sqlx::test]
async fn the_first_gateway_starts_on_hold_and_the_audit_is_verified(pool: PgPool) {
    let database = Database::new(&pool);
    let mut system = start(&pool).await;
    let gateway = system.gateway().await;
    gateway.pay_out("L-1").await;
    assert!(gateway.shut_down().await);
    // What waits at the time of the backup: an operation that runs afterwards, and one that is cancelled afterwards.
    system.set("ROLE", "api");
    let door = system.gateway().await;
    let operator = Operator::of(door.address);
    let before = door.send("CLIENT_CREATE", client("C-1")).await;
    let canceled = door.send("CLIENT_CREATE", client("C-2")).await;
    let repaid = door.send("LOAN_REPAYMENT", repayment("L-1", 10.0)).await;
    let url = database.url.to_string();
    assert!(operator.act(&before, "cancel").await.status.is_success());
    let noted_before = newest_seal(&pool, &url).await;
    database.back_up().await;
    assert!(operator.act(&canceled, "cancel").await.status.is_success());
    let noted_after = newest_seal(&pool, &url).await;
    assert!(door.shut_down().await);
    system.set("ROLE", "all");
    let gateway = system.gateway().await;
    assert_eq!(gateway.end_of(&repaid).await["status"], "success");
    assert!(gateway.shut_down().await);
    assert_eq!(effects(&system, "REPAYMENT").await, 1);

    database.restore().await;
    let url = database.restored_url();
    assert_eq!(command(&["migrate", "--check"], &url).await.code, Some(0));
    let verify = async |seal: &str| command(&["audit", "verify", "--seal", seal], &url).await;
    let verified = verify(&noted_before).await;
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
    let verified = verify(&noted_after).await;
    assert_eq!(verified.code, Some(1), "{}", verified.stdout);
    assert!(
        verified.stdout.contains("or the database was restored"),
        "{}",
        verified.stdout
    );

    system.set("DATABASE_URL", &url);
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let mut serving = serve(
        &system,
        "--on-hold=restored to 10:00 UTC",
        &address.to_string(),
    );
    let http = http_client().build().expect("a client");
    eventually("the gateway runs", async || {
        let healthy = http.get(format!("http://{address}/healthz"));
        healthy.send().await.is_ok()
    })
    .await;
    let operator = Operator::of(address);
    let expected = [(canceled.clone(), false), (repaid.clone(), false)];
    assert_eq!(on_hold(&operator).await, expected);
    // It was told canceled, so it is cancelled again. The repayment was booked, and is not booked again.
    assert!(operator.act(&canceled, "cancel").await.status.is_success());
    lift(&operator, serde_json::json!({ "all": true }), 1).await;
    operator.in_state(&repaid, "succeeded").await;
    assert_eq!(effects(&system, "REPAYMENT").await, 1);
    serving.kill().await.expect("it runs until it is killed");
    // New seals follow those of the backup.
    let verified = verify(&noted_before).await;
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
    database.drop().await;
}
