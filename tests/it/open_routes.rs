//! What anybody may ask without a credential does not take the database away from callers.

use futures_util::future::join_all;
use reqwest::{StatusCode, header::COOKIE, redirect::Policy};
use sqlx::{Executor as _, PgPool};

use crate::support::{
    database::{eventually_true, is_true},
    eventually::while_waiting,
    system::System,
};

const TWO_WAIT: &str = "SELECT count(*) > 1 FROM pg_stat_activity
                         WHERE datname = current_database() AND wait_event_type = 'Lock'";
const SOME_WAIT: &str = "SELECT count(*) > 3 FROM pg_stat_activity
                          WHERE datname = current_database() AND wait_event_type = 'Lock'";
const MORE_WAIT: &str = "SELECT count(*) > 4 FROM pg_stat_activity
                          WHERE datname = current_database() AND wait_event_type = 'Lock'";

#[sqlx::test]
async fn readiness_asks_the_database_once_at_a_time(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    let mut lock = pool.begin().await.unwrap();
    let statement = "LOCK TABLE _sqlx_migrations IN ACCESS EXCLUSIVE MODE";
    lock.execute(statement).await.unwrap();
    let mut two_have_waited = false;
    let asked = join_all((0..40).map(|_| gateway.get("/readyz")));
    let answers = while_waiting(asked, async || {
        two_have_waited |= is_true(&pool, TWO_WAIT).await;
    })
    .await;
    assert!(
        !two_have_waited,
        "the database was asked by several at once"
    );
    for answer in answers {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.json()["database"], "away");
    }
}

#[sqlx::test]
async fn unknown_sessions_leave_connections_to_callers(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    let mut lock = pool.begin().await.unwrap();
    let statement = "LOCK TABLE ops_session IN ACCESS EXCLUSIVE MODE";
    lock.execute(statement).await.unwrap();
    let browser = fineract_gateway::tls::http_client().redirect(Policy::none());
    let browser = browser.build().unwrap();
    let visits = (0..40).map(|number| {
        let page = browser.get(format!("http://{}/ops", gateway.address));
        page.header(COOKIE, format!("ops={number:064}")).send()
    });
    let looked_up = async {
        eventually_true(&pool, SOME_WAIT).await;
        for number in 0..20 {
            let path =
                format!("/fineract/track/CLIENT_CREATE|01a1fdee-0000-7000-8000-{number:012}");
            let request = gateway.request(reqwest::Method::GET, &path);
            let request = request.header("X-Internal-Token", crate::support::TOKEN);
            assert_eq!(
                request.send().await.unwrap().status(),
                StatusCode::NOT_FOUND
            );
            assert!(
                !is_true(&pool, MORE_WAIT).await,
                "more look-ups than permitted"
            );
        }
        lock.rollback().await.unwrap();
    };
    let (visited, ()) = tokio::join!(join_all(visits), looked_up);
    for page in visited {
        assert_eq!(page.unwrap().status(), StatusCode::SEE_OTHER);
    }
}
