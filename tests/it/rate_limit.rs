//! The limit of requests for each API key, over TCP.

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use sqlx::{Executor as _, PgPool, Row as _};

use crate::support::{API_KEY, Answer, TestGateway};

const LIMIT: usize = 300;

/// Requests a transaction that does not exist.
async fn ask(gateway: &TestGateway, key: &str) -> Answer {
    let path = "/transactions/550e8400-e29b-41d4-a716-446655440000";
    let request = gateway.request(Method::GET, path);
    Answer::of(request.header("Authorization", format!("Token {key}"))).await
}

fn let_in(answers: &[Answer]) -> usize {
    let refused = StatusCode::TOO_MANY_REQUESTS;
    answers
        .iter()
        .filter(|answer| answer.status != refused)
        .count()
}

/// Whether a new minute began between these answers. Then they belong to two windows, and their counts say nothing.
fn is_torn(answers: &[Answer]) -> bool {
    let reset = |answer: &Answer| answer.header("x-ratelimit-reset").to_owned();
    answers
        .windows(2)
        .any(|pair| reset(&pair[0]) != reset(&pair[1]))
}

#[sqlx::test]
async fn a_key_is_let_in_three_hundred_times_a_minute_exactly(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for key in [API_KEY, "other-key"] {
        let first = ask(&gateway, key).await;
        let mut answers = join_all((0..LIMIT + 100).map(|_| ask(&gateway, key))).await;
        answers.push(first);
        if is_torn(&answers) {
            continue;
        }
        assert_eq!(let_in(&answers), LIMIT);
        let mut left: Vec<usize> = answers
            .iter()
            .filter(|answer| answer.status != StatusCode::TOO_MANY_REQUESTS)
            .map(|answer| answer.header("x-ratelimit-remaining").parse().unwrap())
            .collect();
        left.sort_unstable();
        assert_eq!(left, (0..LIMIT).collect::<Vec<_>>());
        let refused = answers
            .iter()
            .find(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS)
            .unwrap();
        assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
        assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
        assert_eq!(refused.header("x-ratelimit-limit"), "300");
        assert_eq!(refused.header("x-ratelimit-remaining"), "0");
        let policy = refused.header("ratelimit-policy");
        assert_eq!(policy, "\"transactions\";q=300;w=60");
        let wait: usize = refused.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        let ends = format!("\"transactions\";r=0;t={wait}");
        assert_eq!(refused.header("ratelimit"), ends);
        return;
    }
    panic!("two minutes began during the test");
}

#[sqlx::test]
async fn keys_are_counted_apart_and_a_wrong_one_counts_for_nobody(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for key in [API_KEY, "wrong", "other-key"] {
        let left = ask(&gateway, key)
            .await
            .header("x-ratelimit-remaining")
            .to_owned();
        assert_eq!(left, if key == "wrong" { "0" } else { "299" });
    }
}

/// Counts the statements that take a block of requests.
async fn count_writes(pool: &PgPool) {
    pool.execute(sqlx::raw_sql(
        "CREATE SEQUENCE writes;
         CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM nextval('writes'); RETURN NULL; END $$;
         CREATE TRIGGER count_write AFTER INSERT OR UPDATE ON api_key_usage
             FOR EACH ROW EXECUTE FUNCTION count_write();",
    ))
    .await
    .unwrap();
}

async fn writes(pool: &PgPool) -> i64 {
    let row = pool
        .fetch_one(sqlx::raw_sql("SELECT last_value FROM writes"))
        .await;
    row.unwrap().get(0)
}

#[sqlx::test]
#[expect(clippy::print_stdout, reason = "the figures are what the test reports")]
async fn several_gateways_share_the_limit_to_within_five_percent(pool: PgPool) {
    count_writes(&pool).await;
    let mut gateways = Vec::new();
    for _ in 0..4 {
        gateways.push(TestGateway::start(pool.clone()).await);
    }
    // First all gateways are used at the same time. Then the worst case: all gateways except one keep the block that
    // they took first. Each case has a second key, in case a new minute begins meanwhile.
    let mut measured = [false; 2];
    for (key, idle_first) in [
        (API_KEY, false),
        ("other-key", true),
        ("third-key", false),
        ("fourth-key", true),
    ] {
        if measured[usize::from(idle_first)] {
            continue;
        }
        let before = writes(&pool).await;
        let mut answers = Vec::new();
        if idle_first {
            for gateway in &gateways {
                answers.push(ask(gateway, key).await);
            }
            let one = &gateways[0];
            answers.extend(join_all((0..LIMIT + 50).map(|_| ask(one, key))).await);
        } else {
            let each = (0..LIMIT + 100).map(|number| ask(&gateways[number % 4], key));
            answers.extend(join_all(each).await);
        }
        if is_torn(&answers) {
            continue;
        }
        let (let_in, writes) = (let_in(&answers), writes(&pool).await - before);
        println!("idle first: {idle_first}: {let_in} let in with {writes} writes");
        assert!((LIMIT - LIMIT / 20..=LIMIT).contains(&let_in), "{let_in}");
        assert!(writes < 200, "{writes} writes");
        measured[usize::from(idle_first)] = true;
    }
    assert_eq!(measured, [true; 2], "minutes began all the time");
}
