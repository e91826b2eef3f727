//! Everything that a gateway does, with the role that may neither change the schema nor the audit.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Roles, are_refused};
use crate::{
    audit::sealed,
    retention::age,
    support::{
        Answer, OPS_TOKEN, TOKEN, caller::Caller, command::run, credentials::until_known,
        fixtures::client, operators::Operator, system::System,
    },
    webhooks::receiver::Receiver,
};

/// A new deployment: the script, the migration by the owner, and then gateways.
#[sqlx::test(migrations = false)]
async fn everything_works_as_the_role_of_the_gateway(pool: PgPool) {
    let roles = Roles::create(&pool).await;
    let reader = roles.url(&roles.reader);
    let check = ["migrate", "--check"];
    let missing = run(&check, &[("DATABASE_URL", &reader)]).await;
    assert_eq!(missing.code, Some(1), "{}", missing.stderr);
    let refused = run(
        &["migrate"],
        &[("DATABASE_URL", &roles.url(&roles.gateway))],
    )
    .await;
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("permission denied"),
        "{}",
        refused.stderr
    );
    roles.command(&roles.owner, &["migrate"]).await;
    for role in [&roles.reader, &roles.gateway] {
        roles.command(role, &check).await;
    }

    let mut system = System::start(&pool).await;
    system.set("DATABASE_URL", &roles.url(&roles.gateway));
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    system.set("WEBHOOKS_ALLOW_HTTP", "true");
    system.set("WEBHOOKS_ALLOW_NETWORKS", "127.0.0.0/8");
    // `serve` finds nothing to migrate.
    let mut gateway = system.process().await;
    let receiver = Receiver::start().await;
    let endpoint = post(
        &gateway,
        "/webhooks/endpoints",
        &json!({ "url": receiver.url() }),
    )
    .await;
    assert_eq!(endpoint.status, StatusCode::CREATED, "{}", endpoint.text);
    gateway.pay_out("L-1").await;
    let delivered = receiver.gets(1).await;
    assert!(
        delivered[0].says().starts_with("operation.succeeded "),
        "{}",
        delivered[0].says()
    );
    operators_act(&gateway, &roles).await;
    a_key_works(&gateway, &roles).await;
    sealed(&pool).await;
    gateway.kill().await;

    let verified = roles.command(&roles.reader, &["audit", "verify"]).await;
    assert!(
        verified.contains("the audit is as it was sealed"),
        "{verified}"
    );
    operations_are_archived(&pool, &roles).await;
    roles.drop().await;
}

async fn post(gateway: &Caller, path: &str, body: &Value) -> Answer {
    let request = gateway.request(Method::POST, path);
    Answer::of(request.header("X-Internal-Token", TOKEN).json(body)).await
}

/// Everything is on hold, an operator cancels what was not sent, and releases the rest.
async fn operators_act(gateway: &Caller, roles: &Roles<'_>) {
    let hold = ["hold-all", "--reason", "a test"];
    roles.command(&roles.gateway, &hold).await;
    let canceled = gateway.send("CLIENT_CREATE", client("C-1")).await;
    let released = gateway.send("CLIENT_CREATE", client("C-2")).await;
    let operator = Operator::of(gateway.address);
    let answer = operator.act(&canceled, "cancel").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(operator.release(json!({ "all": true })).await, 1);
    let ended = operator
        .hold(Method::POST, "/end", &json!({ "reason": "over" }))
        .await;
    assert_eq!(ended.status, StatusCode::OK, "{}", ended.text);
    assert_eq!(gateway.end_of(&released).await["status"], "success");
    assert_eq!(gateway.end_of(&canceled).await["status"], "failed");
}

/// A key that the gateway creates is used, and its use is written.
async fn a_key_works(gateway: &Caller, roles: &Roles<'_>) {
    let create = [
        "keys",
        "create",
        "acme-los",
        "--kind",
        "internal_token",
        "--owner",
        "acme",
        "--json",
    ];
    let created = roles.command(&roles.gateway, &create).await;
    let created: Value = serde_json::from_str(&created).expect("JSON");
    let secret = created["secret"].as_str().expect("a secret");
    until_known(gateway.address, secret).await;
}

/// What ended is archived, and the months of the archive are dropped again.
async fn operations_are_archived(pool: &PgPool, roles: &Roles<'_>) {
    age(pool).await;
    let url = roles.url(&roles.gateway);
    for (kept_for, expected) in [("0", " 0 months dropped"), ("60", " 1 months dropped")] {
        let variables = [("DATABASE_URL", url.as_str()), ("RETENTION_DAYS", kept_for)];
        let ran = run(&["retention", "run"], &variables).await;
        assert!(
            ran.stdout.contains(expected),
            "{}{}",
            ran.stdout,
            ran.stderr
        );
    }
    let status = roles.command(&roles.reader, &["retention", "status"]).await;
    assert!(status.contains("dropped on"), "{status}");
}

/// What the role of the gateway may not do.
#[sqlx::test]
async fn neither_the_schema_nor_the_audit_can_be_changed(pool: PgPool) {
    let roles = Roles::create(&pool).await;
    let gateway = roles.pool_of(&roles.gateway).await;
    are_refused(
        &gateway,
        &[
            "CREATE TABLE x ()",
            "CREATE TEMPORARY TABLE x ()",
            "CREATE SCHEMA x",
            "CREATE FUNCTION x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "ALTER TABLE operation ADD COLUMN x int",
            "ALTER TABLE audit DISABLE TRIGGER audit_is_final",
            "ALTER FUNCTION audit_is_final() SET jit = off",
            "DROP TABLE operation",
            "TRUNCATE operation",
            "UPDATE audit SET operator = 'x'",
            "DELETE FROM audit",
            "TRUNCATE audit",
            "UPDATE audit_seal SET at = now()",
            "DELETE FROM audit_seal",
            "INSERT INTO _sqlx_migrations SELECT * FROM _sqlx_migrations",
            "DELETE FROM _sqlx_migrations",
            "SET session_replication_role = replica",
        ],
    )
    .await;
    gateway.close().await;
    roles.drop().await;
}
