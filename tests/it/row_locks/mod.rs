//! Somebody has locked a row and forgotten the lock. Only what needs the row waits.

mod answers;

use std::time::Duration;

use fineract_gateway::{
    domain::{Method, OperationType, Request},
    store::{SeenLoan, StartAttempt},
};
use sqlx::{
    AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

use crate::{
    failover::assert_unavailable,
    support::{
        Answer, TestGateway, claim_limits,
        eventually::eventually,
        fixtures::{client, client_create, client_update, refused, rename},
        system::System,
    },
};

/// The longest time for which other operations may be delayed.
const SOON: Duration = Duration::from_secs(15);

/// Locks the rows that a statement selects, until the transaction is dropped or rolled back.
async fn lock(pool: &PgPool, select: &str) -> Transaction<'static, Postgres> {
    let mut transaction = pool.begin().await.expect("a connection");
    let statement = format!("{select} FOR UPDATE");
    let locked = sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut *transaction)
        .await;
    assert!(
        locked.expect("it is locked").rows_affected() > 0,
        "{select}"
    );
    transaction
}

async fn one<T>(connection: &mut PgConnection, statement: &'static str) -> T
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    let value = sqlx::query_scalar(statement).fetch_one(connection).await;
    value.expect("a value")
}

async fn connection(pool: &PgPool) -> PoolConnection<Postgres> {
    pool.acquire().await.expect("a connection")
}

#[sqlx::test]
async fn accepting_goes_on_beside_a_locked_lane(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("ROLE", "api");
    let gateway = system.gateway().await;
    gateway.send("CLIENT_CREATE", client("LOCKED")).await;
    let locked = lock(&pool, "SELECT key FROM lane").await;
    let update = rename("LOCKED");
    let refused = async {
        let refusing = gateway.operate("CLIENT_UPDATE", update.clone());
        assert_unavailable(
            &timeout(SOON, refusing)
                .await
                .expect("the gateway answers in time"),
        );
    };
    let others = async {
        for number in 0..10 {
            let id = format!("C-{number}");
            let accepting = gateway.send("CLIENT_CREATE", client(&id));
            timeout(Duration::from_secs(2), accepting)
                .await
                .expect("at once");
        }
    };
    tokio::join!(refused, others);
    locked.rollback().await.expect("it is free");
    let mut looking = connection(&pool).await;
    assert_eq!(
        one::<i64>(&mut looking, "SELECT count(*) FROM operation").await,
        11
    );
    gateway.send("CLIENT_UPDATE", update).await;
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn an_attempt_is_started_beside_a_locked_operation(pool: PgPool) {
    let options = PgConnectOptions::clone(&pool.connect_options());
    let gateways =
        PgPoolOptions::new().connect_lazy_with(options.options([("lock_timeout", "2s")]));
    let gateway = TestGateway::start(gateways).await;
    gateway.accept(&client_create("LOCKED")).await;
    gateway.accept(&client_create("FREE")).await;
    let limits = claim_limits(2, OperationType::ALL);
    let claimed = gateway.store.claim(&limits).await.unwrap();
    let locked = lock(
        &pool,
        "SELECT id FROM operation WHERE lane = 'client:locked'",
    )
    .await;
    let start = async |lane: &str| {
        let of_lane = claimed
            .iter()
            .find(|claimed| claimed.lane_entries.lane == lane);
        let attempt = StartAttempt {
            id: of_lane.unwrap().id,
            number: 1,
            key_number: 1,
            request: Request {
                method: Method::Post,
                path: "/clients".to_owned(),
                body: None,
            },
            effect_preexisted: false,
            may_have_run: false,
            seen: SeenLoan::default(),
            user: "mifos".to_owned(),
            referents: Vec::new(),
            epoch: 1,
        };
        timeout(SOON, gateway.store.start_attempt(attempt))
            .await
            .expect("soon")
    };
    let (of_locked, of_free) = tokio::join!(start("client:locked"), start("client:free"));
    assert!(of_locked.is_err(), "nothing may be sent");
    assert!(of_free.unwrap());
    locked.rollback().await.expect("it is free");
    assert!(start("client:locked").await.unwrap());
}

#[sqlx::test]
async fn operations_fall_beside_a_locked_lane(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    for id in ["A", "B"] {
        gateway.accept(&client_create(id)).await;
        gateway.accept(&client_update(id)).await;
    }
    gateway.end_next(refused()).await;
    gateway.end_next(refused()).await;
    let locked = lock(&pool, "SELECT key FROM lane WHERE key = 'client:a'").await;
    let fall = async || while gateway.store.fail_some_dependents().await.unwrap() {};
    timeout(SOON, fall()).await.expect("soon");
    let mut looking = connection(&pool).await;
    let left = "SELECT string_agg(lane, ',') FROM operation WHERE ended_at IS NULL";
    assert_eq!(one::<String>(&mut looking, left).await, "client:a");
    locked.rollback().await.expect("it is free");
    fall().await;
    let ended = "SELECT bool_and(state = 'failed') FROM operation";
    assert!(one::<bool>(&mut looking, ended).await);
}

#[sqlx::test]
async fn a_failure_is_read_beside_its_locked_lane_and_noted_afterwards(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let id = gateway.accept(&client_create("A")).await;
    gateway.end_next(refused()).await;
    let locked = lock(&pool, "SELECT key FROM lane").await;
    let request = gateway.get(&format!("/fineract/track/{id}"));
    let read = timeout(Duration::from_secs(8), Answer::of(request)).await;
    assert_eq!(
        read.expect("track answers in time").json()["status"],
        "failed"
    );
    locked.rollback().await.expect("it is free");
    let mut looking = connection(&pool).await;
    eventually("the reading of the failure is recorded", async || {
        one::<bool>(&mut looking, "SELECT failure_read FROM lane").await
    })
    .await;
}
