//! A gateway whose role owns nothing, as `docs/DEPLOYING.md` describes.

use sqlx::{AssertSqlSafe, ConnectOptions as _, PgPool, postgres::PgPoolOptions};

use super::{end, feed, numbered};
use crate::support::{
    TestGateway,
    fixtures::{client_update, done},
};

async fn run(pool: &PgPool, statements: String) {
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(pool)
        .await
        .unwrap();
}

#[sqlx::test]
async fn a_role_that_owns_nothing_writes_and_numbers_events(pool: PgPool) {
    let owner = TestGateway::start(pool.clone()).await;
    let first = owner.accept(&client_update("A")).await;
    drop(owner);
    let database = pool.connect_options().get_database().unwrap().to_owned();
    // Postgres turns a name without quotes into lower case.
    let role = format!("owns_nothing_{}", &database[database.len() - 20..]).to_lowercase();
    // During an upgrade, nobody has granted rights on the new tables yet.
    run(
        &pool,
        format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'hush';
             GRANT SELECT, UPDATE ON operation TO {role}"
        ),
    )
    .await;
    let as_role = pool.connect_options().as_ref().clone();
    let as_role = as_role.username(&role).password("hush");
    let mut older = as_role.connect().await.unwrap();
    end(&mut older, &first, "failed").await;
    sqlx::raw_sql("SELECT number_events(100)")
        .execute(&mut older)
        .await
        .unwrap();
    numbered(&pool, 1).await;

    run(
        &pool,
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"),
    )
    .await;
    let role_pool = PgPoolOptions::new().connect_with(as_role).await.unwrap();
    let gateway = TestGateway::start(role_pool.clone()).await;
    gateway.accept(&client_update("B")).await;
    gateway.end_next(done()).await;
    numbered(&pool, 2).await;
    let told = feed(&gateway, "").await;
    assert_eq!(told["events"][1]["type"], "operation.succeeded", "{told}");
    drop((gateway, older));
    role_pool.close().await;
    run(&pool, format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
