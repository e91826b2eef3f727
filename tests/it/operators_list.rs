//! `GET /fineract/operations?state=parked` lists the operations about which only a person can decide.

use reqwest::{Method, StatusCode};
use serde_json::Value;
use sqlx::PgPool;

use crate::support::{
    Answer, TestGateway,
    fixtures::{client_create, refused},
    operators::{Operator, park},
};

async fn page(operator: &Operator, query: &str) -> Value {
    let answer = Answer::of(operator.request(Method::GET, &format!("?{query}"))).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

fn names(page: &Value) -> Vec<&str> {
    let operations = page["operations"].as_array().expect("a list").iter();
    operations
        .map(|operation| operation["tracking_id"].as_str().expect("a tracking id"))
        .collect()
}

#[sqlx::test]
async fn pages_show_each_parked_operation_once_the_longest_parked_first(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    assert_eq!(
        page(&operator, "state=parked").await.to_string(),
        r#"{"operations":[],"next_cursor":null}"#
    );
    let mut parked = Vec::new();
    for number in 0..5 {
        let id = gateway.accept(&client_create(&format!("C-{number}"))).await;
        gateway.accept(&client_create(&format!("D-{number}"))).await;
        park(&pool, &id).await;
        parked.push(id);
    }
    // Three operations were parked at the same moment. Their order follows from their ids.
    sqlx::query!(
        "UPDATE operation SET reason_since = '2026-01-01T00:00:00.000001Z' WHERE lane = ANY ($1)",
        &[
            "client:c-1".to_owned(),
            "client:c-2".to_owned(),
            "client:c-4".to_owned()
        ]
    )
    .execute(&pool)
    .await
    .unwrap();
    let order = [1, 2, 4, 0, 3].map(|number: usize| parked[number].as_str());

    let all = page(&operator, "state=parked").await;
    assert_eq!(names(&all), order);
    assert_eq!(all["next_cursor"], Value::Null);
    let first = all["operations"][0].as_object().unwrap();
    for key in [
        "tracking_id",
        "reason_code",
        "reason_since",
        "accepted_at",
        "lane",
        "caller",
    ] {
        assert!(first.contains_key(key), "{key}");
    }
    assert_eq!(first["reason_code"], "evidence_cannot_tell");
    assert_eq!(first["reason_since"], "2026-01-01T00:00:00.000001Z");
    assert_eq!(
        (&first["lane"], &first["caller"]),
        (&"client:c-1".into(), &"los".into())
    );

    let (mut seen, mut query) = (Vec::new(), "state=parked&limit=2".to_owned());
    loop {
        let page = page(&operator, &query).await;
        seen.extend(names(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        assert_eq!(names(&page).len(), 2);
        query = format!("state=parked&limit=2&cursor={cursor}");
    }
    assert_eq!(seen, order);
    let exact = page(&operator, "state=parked&limit=5").await;
    assert_eq!(exact["next_cursor"], Value::Null);
}

#[sqlx::test]
async fn a_wrong_query_is_refused_with_every_problem(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let operator = Operator::of(gateway.address);
    for query in [
        "?state=parked&limit=0",
        "?state=parked&limit=1001",
        "?state=parked&limit=x",
        "?state=parked&page=2",
        "?state=parked&cursor=",
        "?state=parked&cursor=1_x",
        "?state=parked&cursor=-1_406362bf-f3da-4bc6-a506-d67e0878b7b6",
        "?state=parked&cursor=9223372036854775807_406362bf-f3da-4bc6-a506-d67e0878b7b6",
    ] {
        let answer = Answer::of(operator.request(Method::GET, query)).await;
        assert_eq!(
            answer.problem(),
            (400, "invalid_query".to_owned()),
            "{query}"
        );
    }
    let query = "?state=gone&limit=0&accepted_after=today&page=2";
    let answer = Answer::of(operator.request(Method::GET, query)).await;
    let pointers: Vec<_> = answer.json()["errors"]
        .as_array()
        .expect("problems")
        .iter()
        .map(|problem| problem["pointer"].as_str().expect("a pointer").to_owned())
        .collect();
    assert_eq!(pointers, ["/state", "/limit", "/accepted_after", "/page"]);
}

#[sqlx::test]
async fn a_failed_operation_that_runs_again_can_be_left_out(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let failed = gateway.accept(&client_create("C")).await;
    gateway.end_next(refused()).await;
    let found = async |retried| {
        let page = page(&operator, &format!("state=failed&retried={retried}")).await;
        names(&page).contains(&failed.as_str())
    };
    assert_eq!((found(false).await, found(true).await), (true, false));
    operator.act(&failed, "retry").await;
    assert_eq!((found(false).await, found(true).await), (false, true));
}
