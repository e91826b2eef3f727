//! The backup by the reader, and the restore of `docs/OPERATING.md` with the three roles.

use std::process::Stdio;

use sqlx::PgPool;
use tokio::process::Command;

use super::{Roles, are_refused, execute};
use crate::{
    audit::sealed,
    support::{
        TestGateway,
        command::{TemporaryFolder, run},
        database::{is_true, program_url},
        fixtures::client_create,
        operators::Operator,
    },
};

async fn done(program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    let status = command.args(arguments).stdin(Stdio::null()).status().await;
    assert!(status.expect("it runs").success(), "{program}");
}

#[sqlx::test]
async fn a_backup_of_the_reader_is_restored_with_all_rights(pool: PgPool) {
    let roles = Roles::create(&pool).await;
    let gateway = TestGateway::start(pool.clone()).await;
    let id = gateway.accept(&client_create("C-1")).await;
    let answer = Operator::of(gateway.address).act(&id, "cancel").await;
    assert!(answer.status.is_success(), "{}", answer.text);
    sealed(&pool).await;
    drop(gateway);
    let verified = roles.command(&roles.reader, &["audit", "verify"]).await;
    let mut lines = verified.lines();
    let noted = lines.find_map(|line| line.strip_prefix("newest seal: "));
    let noted = noted.expect("a seal");

    let folder = TemporaryFolder::new();
    let dump = format!("{}/gateway.dump", folder.path());
    let file = format!("--file={dump}");
    let reader = roles.url(&roles.reader);
    done("pg_dump", &["--format=custom", &file, &reader]).await;
    let name = format!("restored_{}", uuid::Uuid::new_v4().simple());
    execute(&pool, &format!("CREATE DATABASE {name}")).await;
    let mut restored = program_url(&pool.connect_options());
    restored.set_path(&name);
    roles.run_script_in(restored.as_str()).await;
    let database = format!("--dbname={restored}");
    done("pg_restore", &["--exit-on-error", &database, &dump]).await;
    roles.run_script_in(restored.as_str()).await;

    let url_of = |role: &str| {
        let mut url = restored.clone();
        url.set_username(role).expect("a name");
        url.set_password(Some("hush")).expect("a password");
        url.to_string()
    };
    let arguments = ["audit", "verify", "--seal", noted];
    let reader = url_of(&roles.reader);
    let ended = run(&arguments, &[("DATABASE_URL", &reader)]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let as_gateway = PgPool::connect(&url_of(&roles.gateway)).await;
    let as_gateway = as_gateway.expect("the role may connect");
    are_refused(&as_gateway, &["DELETE FROM audit", "CREATE TABLE x ()"]).await;
    execute(
        &as_gateway,
        "UPDATE operation SET due_at = due_at WHERE ended_at IS NULL",
    )
    .await;
    let owner = PgPool::connect(&url_of(&roles.owner)).await;
    let owner = owner.expect("the role may connect");
    assert!(
        is_true(
            &owner,
            "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'audit'::regclass"
        )
        .await
    );
    for pool in [as_gateway, owner] {
        pool.close().await;
    }
    execute(&pool, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
    roles.drop().await;
}
