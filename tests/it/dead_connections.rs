//! Connections to the database that die without notice: no answer arrives, and the connection is not closed.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use private_postgres::PrivatePostgres;
use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use crate::{
    failover::{assert_unavailable, count, postgres, run},
    support::{
        Answer, OPS_TOKEN,
        caller::Caller,
        eventually::eventually,
        fixtures::client,
        line::Line,
        operators::{REASON, uuid},
        system::System,
    },
};

/// A gateway whose database is behind a proxy, and a direct connection to this database.
struct Bed {
    line: Line,
    system: System,
    gateway: Caller,
    database: PgConnection,
}

impl Bed {
    async fn make(postgres: &PrivatePostgres, name: &'static str, role: &str) -> Self {
        let url = postgres.url("postgres");
        let mut database = PgConnection::connect(&url).await.expect("a connection");
        let create = format!("CREATE DATABASE {name}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(create))
            .execute(&mut database)
            .await
            .expect("a database");
        let url = postgres.url(name);
        let (_, host) = url.rsplit_once('@').expect("a host");
        let (host, _) = host.split_once('/').expect("a path");
        let line = Line::to(host.parse().expect("an address")).await;
        let mut system = System::on(&url.replace(host, &line.address.to_string())).await;
        system.set("WORKER_LEASE_SECONDS", "60");
        system.set("ROLE", role);
        system.set("OPS_TOKENS", "admin=admin-secret");
        Self {
            gateway: system.process().await,
            database: PgConnection::connect(&url).await.expect("a connection"),
            line,
            system,
        }
    }

    /// Asserts that the operation has succeeded and has had one effect.
    async fn ends_once(&self, tracking_id: &str) {
        let end = self.gateway.end_of(tracking_id).await;
        assert_eq!(end["status"], "success", "{end}");
        assert_eq!(self.system.ledger().await.len(), 1);
    }
}

async fn in_the_middle_of_statements(postgres: &PrivatePostgres) {
    let mut bed = Bed::make(postgres, "statements", "all").await;
    run("BEGIN; LOCK TABLE result", &mut bed.database).await;
    let completed = bed.gateway.send("CLIENT_CREATE", client("SETTLED")).await;
    eventually("executed", async || bed.system.ledger().await.len() == 1).await;
    run("LOCK TABLE payload", &mut bed.database).await;
    let dying = async {
        eventually("an accept, a claim and a completion wait", async || {
            all_three_wait(&mut bed.database).await
        })
        .await;
        bed.line.kill();
        run("ROLLBACK", &mut bed.database).await;
    };
    // The statement that accepts ends although nobody hears of it. The gateway finds out that it was committed.
    let (accepted, ()) = tokio::join!(bed.gateway.send("CLIENT_CREATE", client("ACCEPTED")), dying);
    for id in [completed, accepted] {
        let end = bed.gateway.end_of(&id).await;
        assert_eq!(end["status"], "success", "{end}");
    }
    assert_eq!(bed.system.ledger().await.len(), 2);
    assert_eq!(count(&mut bed.database, "operation").await, 2);
    let later = bed.gateway.run("CLIENT_CREATE", client("LATER")).await;
    assert_eq!(later["status"], "success", "{later}");
}

async fn after_the_commit_of_an_accept(postgres: &PrivatePostgres) {
    let bed = Bed::make(postgres, "accepts", "all").await;
    bed.line.kill_at_commit();
    let accepted = bed.gateway.send("CLIENT_CREATE", client("C")).await;
    bed.line.until_dead_at_commit().await;
    bed.ends_once(&accepted).await;
}

async fn after_the_commit_of_a_completion(postgres: &PrivatePostgres) {
    let mut bed = Bed::make(postgres, "completes", "all").await;
    bed.system
        .fault(json!({"match": {"method": "POST", "path": "/clients"}, "fault": "slow", "delay_ms": 1000}))
        .await;
    let completed = bed.gateway.send("CLIENT_CREATE", client("C")).await;
    eventually("sent", async || {
        count(&mut bed.database, "attempt").await == 1
    })
    .await;
    bed.line.kill_at_commit();
    bed.line.until_dead_at_commit().await;
    bed.ends_once(&completed).await;
    assert_eq!(count(&mut bed.database, "attempt").await, 1);
}

async fn before_a_transaction_begins(postgres: &PrivatePostgres) {
    let mut bed = Bed::make(postgres, "begins", "api").await;
    let id = bed.gateway.send("CLIENT_CREATE", client("C")).await;
    bed.line.hold_begins(true);
    assert_unavailable(&cancel(&bed.gateway, &id).await);
    // The transaction begins nevertheless. Nobody may use its connection until the transaction is rolled back.
    bed.line.hold_begins(false);
    eventually("rolled back", async || {
        sqlx::query_scalar::<_, bool>(
            "SELECT EXISTS (SELECT FROM pg_stat_activity
              WHERE application_name = 'fineract-gateway' AND query = 'ROLLBACK' AND state = 'idle'
                AND datname = current_database())",
        )
        .fetch_one(&mut bed.database)
        .await
        .expect("an answer")
    })
    .await;
    assert_eq!(count(&mut bed.database, "result").await, 0, "nothing ended");
    let cancelled = cancel(&bed.gateway, &id).await;
    assert_eq!(cancelled.status, StatusCode::OK, "{}", cancelled.text);
    assert_eq!(count(&mut bed.database, "result").await, 1);
}

/// Cancels an operation as an operator. The statements of a cancel are one transaction.
async fn cancel(gateway: &Caller, tracking_id: &str) -> Answer {
    let path = format!("/fineract/operations/{}/cancel", uuid(tracking_id));
    let request = gateway.request(Method::POST, &path);
    let request = request.json(&json!({ "reason": REASON }));
    Answer::of(request.header("X-Internal-Token", OPS_TOKEN)).await
}

/// Whether an accept, a claim and a completion are each in the middle of a statement. Others may wait as well, such as the
/// one that numbers events. The accept must have begun just now, because it gives up its wait for a lock after 250 ms.
async fn all_three_wait(database: &mut PgConnection) -> bool {
    // Without this, the statistics would stay the same within a transaction.
    run("SELECT pg_stat_clear_snapshot()", database).await;
    sqlx::query_scalar::<_, Option<bool>>(
        "SELECT bool_or(query LIKE '%accept_operations(%' AND query_start > clock_timestamp() - interval '100 ms')
                AND bool_or(query LIKE '%complete_operations(%')
                AND bool_or(query LIKE '%WITH list AS (%')
           FROM pg_stat_activity
          WHERE wait_event_type = 'Lock' AND datname = current_database()",
    )
    .fetch_one(database)
    .await
    .expect("an answer")
    .unwrap_or(false)
}

/// How many of the gateway's statements wait for a lock.
async fn waiting(database: &mut PgConnection) -> i64 {
    // Without this, the statistics would stay the same within a transaction.
    run("SELECT pg_stat_clear_snapshot()", database).await;
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
          WHERE wait_event_type = 'Lock' AND datname = current_database()",
    )
    .fetch_one(database)
    .await
    .expect("a count")
}

async fn under_every_connection(postgres: &PrivatePostgres) {
    let mut bed = Bed::make(postgres, "every", "api").await;
    run("BEGIN; LOCK TABLE operation", &mut bed.database).await;
    let parked = || {
        let request = bed
            .gateway
            .request(Method::GET, "/fineract/operations?state=parked");
        Answer::of(request.header("X-Internal-Token", OPS_TOKEN))
    };
    let dying = async {
        eventually("the pool is used up", async || {
            waiting(&mut bed.database).await == 16
        })
        .await;
        bed.line.kill();
        run("ROLLBACK", &mut bed.database).await;
    };
    let (refused, ()) = tokio::join!(join_all((0..40).map(|_| parked())), dying);
    for answer in &refused {
        assert_unavailable(answer);
    }
    // The gateway has given up all connections. It replaces them within a few seconds.
    let given_up = Instant::now();
    eventually("accepted", async || {
        let answer = bed.gateway.operate("CLIENT_CREATE", client("LATER")).await;
        answer.status == 202
    })
    .await;
    let took = given_up.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_die_without_a_word_lose_nothing_and_hold_nothing_up() {
    let postgres = postgres();
    tokio::join!(
        in_the_middle_of_statements(&postgres),
        after_the_commit_of_an_accept(&postgres),
        after_the_commit_of_a_completion(&postgres),
        before_a_transaction_begins(&postgres),
        under_every_connection(&postgres),
    );
}
