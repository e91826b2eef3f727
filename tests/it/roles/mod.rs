//! The three roles of `scripts/database-roles.sql`: what each may do, and that the gateway needs no more.

mod backup;
mod definers;
mod gateway;
mod refused;

use std::{path::Path, process::Stdio};

use sqlx::{AssertSqlSafe, PgPool};
use tokio::process::Command;

use crate::support::{command::run, database::program_url};

/// The roles of a test. Roles belong to the whole server, so each test has its own.
struct Roles<'a> {
    pool: &'a PgPool,
    owner: String,
    gateway: String,
    reader: String,
}

impl<'a> Roles<'a> {
    /// Runs the script in the test's database.
    async fn create(pool: &'a PgPool) -> Self {
        let suffix = uuid::Uuid::new_v4().simple().to_string();
        let roles = Self {
            pool,
            owner: format!("owner_{suffix}"),
            gateway: format!("gateway_{suffix}"),
            reader: format!("reader_{suffix}"),
        };
        roles.run_script().await;
        for role in [&roles.owner, &roles.gateway, &roles.reader] {
            execute(pool, &format!("ALTER ROLE {role} PASSWORD 'hush'")).await;
        }
        roles
    }

    /// Runs the script in the test's database. It can run again.
    async fn run_script(&self) {
        let url = program_url(&self.pool.connect_options());
        self.run_script_in(url.as_str()).await;
    }

    async fn run_script_in(&self, database_url: &str) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/database-roles.sql");
        let done = Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--file"])
            .arg(script)
            .arg(format!("--dbname={database_url}"))
            .arg(format!("--set=owner={}", self.owner))
            .arg(format!("--set=gateway={}", self.gateway))
            .arg(format!("--set=reader={}", self.reader))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .await;
        assert!(done.expect("psql runs").success());
    }

    /// The URL of the test's database for one of the roles.
    fn url(&self, role: &str) -> String {
        let mut url = program_url(&self.pool.connect_options());
        url.set_username(role).expect("a name");
        url.set_password(Some("hush")).expect("a password");
        url.to_string()
    }

    async fn pool_of(&self, role: &str) -> PgPool {
        let pool = PgPool::connect(&self.url(role)).await;
        pool.expect("the role may connect")
    }

    /// Runs a command of the product as one of the roles, which must succeed. Returns what it prints.
    async fn command(&self, role: &str, arguments: &[&str]) -> String {
        let ended = run(arguments, &[("DATABASE_URL", &self.url(role))]).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended.stdout
    }

    async fn drop(self) {
        let Self {
            owner,
            gateway,
            reader,
            ..
        } = &self;
        let statements = format!(
            "REASSIGN OWNED BY {owner} TO CURRENT_USER;
             DROP OWNED BY {gateway}, {reader};
             DROP OWNED BY {owner};
             DROP ROLE {owner}, {gateway}, {reader}"
        );
        execute(self.pool, &statements).await;
    }
}

async fn execute(pool: &PgPool, statements: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(pool)
        .await;
    done.expect(statements);
}

/// Asserts that Postgres refuses each statement for lack of a right.
async fn are_refused(pool: &PgPool, statements: &[&'static str]) {
    for statement in statements {
        let done = sqlx::raw_sql(*statement).execute(pool).await;
        let refused = done.expect_err(statement);
        let refused = refused.as_database_error().expect("an error of Postgres");
        let code = refused.code().unwrap_or_default();
        assert_eq!(code, "42501", "{statement}: {}", refused.message());
    }
}
