//! What operators do with operations that are on hold.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{REASON, hold_all};
use crate::support::{
    Answer, TestGateway,
    fixtures::{client_create, envelope, loan_create, loan_disburse, repayment},
    operators::{Operator, audit, leave_attempt, on_hold, park, uuid},
};

async fn listed(operator: &Operator, query: &str) -> Value {
    let answer = Answer::of(operator.request(Method::GET, &format!("?state=on_hold{query}"))).await;
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
async fn operators_release_by_filter_what_they_have_looked_at(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let first = gateway.accept(&client_create("C-1")).await;
    let created = gateway.accept(&loan_create("L-1", "C-2")).await;
    let paid = gateway.accept(&loan_disburse("L-2")).await;
    let sent = gateway
        .accept(&envelope("LOAN_REPAYMENT", repayment("L-3", 10.0)))
        .await;
    leave_attempt(&pool, &sent).await;
    let alone = gateway.accept(&client_create("C-4")).await;
    assert_eq!(operator.act(&alone, "hold").await.status, StatusCode::OK);
    sqlx::query!(
        "UPDATE operation SET accepted_at = '2026-01-01T10:00:00Z' WHERE id = $1",
        uuid(&first)
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(hold_all(&pool).await, (5, 0));
    let late = gateway.accept(&client_create("C-5")).await;

    let all = listed(&operator, "").await;
    assert_eq!(
        names(&all),
        [&first, &created, &paid, &sent, &alone, &late].map(String::as_str)
    );
    let shown = &all["operations"][3];
    assert_eq!(
        (
            &shown["sent"],
            &shown["reason"],
            &shown["by"],
            &shown["lane"],
            &shown["caller"]
        ),
        (
            &json!(true),
            &json!(REASON),
            &json!("admin"),
            &json!("loan:l-3"),
            &json!("los")
        )
    );
    assert_eq!(
        all["operations"][4]["reason"],
        Value::Null,
        "put on hold individually"
    );
    for (query, expected) in [
        ("&type=LOAN_DISBURSE", vec![&paid]),
        ("&lender=UGRO", vec![&created]),
        ("&lane=loan:l-2", vec![&paid]),
        ("&sent=true", vec![&sent]),
        ("&accepted_before=2026-01-01T10:00:01Z", vec![&first]),
        (
            "&accepted_after=2026-01-01T15:30:00%2B05:30&sent=false&type=CLIENT_CREATE",
            vec![&first, &alone, &late],
        ),
        (
            "&accepted_after=2026-01-01T10:00:00.000001Z&type=CLIENT_CREATE",
            vec![&alone, &late],
        ),
        ("&type=LOAN_DISBURSE&lane=loan:l-3", vec![]),
    ] {
        assert_eq!(names(&listed(&operator, query).await), expected, "{query}");
    }
    let page = listed(&operator, "&limit=4").await;
    let cursor = page["next_cursor"].as_str().expect("more");
    let rest = listed(&operator, &format!("&cursor={cursor}")).await;
    assert_eq!(names(&rest), [alone.as_str(), late.as_str()]);

    // The inspection of one operation shows who put everything on hold, and why.
    let inspected = operator.inspect(&paid).await;
    assert_eq!(
        (
            &inspected["on_hold"],
            &inspected["hold_all"]["reason"],
            &inspected["hold_all"]["by"]
        ),
        (&json!(true), &json!(REASON), &json!("admin"))
    );

    let of_type = json!({ "type": "LOAN_DISBURSE", "accepted_before": "2099-01-01T00:00:00Z" });
    assert_eq!(operator.release(of_type).await, 1);
    assert_eq!(on_hold(&pool, &paid).await, (false, false));
    let trail = audit(&pool, &paid).await;
    assert_eq!(trail[0][0], "admin");
    assert_eq!(trail[0][1], "release");
    assert_eq!(trail[0][3]["reason"], "looked at");
    let limited = json!({ "all": true, "limit": 1, "reason": "the first" });
    let limited = operator
        .hold(Method::POST, "/release", &limited)
        .await
        .json();
    assert_eq!(limited, json!({ "released": 1, "has_more": true }));
    assert_eq!(on_hold(&pool, &first).await, (false, false));
    assert_eq!(operator.release(json!({ "all": true })).await, 3);
    assert_eq!(
        on_hold(&pool, &alone).await,
        (true, false),
        "not released with the others"
    );

    // The hold-all is still active. New operations are on hold until it is ended, and then stay on hold.
    let more = gateway.accept(&client_create("C-6")).await;
    assert_eq!(on_hold(&pool, &more).await, (true, true));
    let reason = json!({ "reason": "all is well" });
    let ended = operator.hold(Method::POST, "/end", &reason).await;
    assert_eq!(ended.json()["hold"], Value::Null);
    let again = operator.hold(Method::POST, "/end", &reason).await;
    assert_eq!(again.problem(), (409, "no_hold".to_owned()));
    assert_eq!(on_hold(&pool, &more).await, (true, true));
    let last = gateway.accept(&client_create("C-7")).await;
    assert_eq!(on_hold(&pool, &last).await, (false, false));
    let kept = sqlx::query!("SELECT held_by, ended_by, end_reason FROM hold_all");
    let kept = kept.fetch_one(&pool).await.unwrap();
    assert_eq!(
        (kept.held_by.as_str(), kept.ended_by.as_deref()),
        ("admin", Some("admin"))
    );
    assert_eq!(kept.end_reason.as_deref(), Some("all is well"));
}

#[sqlx::test]
async fn one_is_released_by_itself_or_kept_by_itself(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(gateway.accept(&client_create(&format!("C-{number}"))).await);
    }
    park(&pool, &ids[0]).await;
    hold_all(&pool).await;

    // A retry makes the operation ready, but does not release it.
    assert_eq!(
        operator.act(&ids[0], "retry").await.status,
        StatusCode::ACCEPTED
    );
    assert_eq!(on_hold(&pool, &ids[0]).await, (true, true));
    sqlx::query!(
        "UPDATE operation SET state = 'parked', due_at = NULL, reason_code = 'x', reason_since = '2026-01-01' WHERE id = $1",
        uuid(&ids[0])
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(
        operator.act(&ids[0], "release").await.status,
        StatusCode::OK
    );
    let parked = operator.inspect(&ids[0]).await;
    assert_eq!(
        (
            &parked["state"],
            &parked["on_hold"],
            &parked["reason_since"]
        ),
        (
            &json!("parked"),
            &json!(false),
            &json!("2026-01-01T00:00:00Z")
        )
    );

    assert_eq!(operator.act(&ids[1], "hold").await.status, StatusCode::OK);
    assert_eq!(on_hold(&pool, &ids[1]).await, (true, false));
    assert_eq!(operator.release(json!({ "all": true })).await, 1);
    assert_eq!(on_hold(&pool, &ids[1]).await, (true, false));
    // A second hold-all does not take over an operation that an operator has put on hold individually.
    assert_eq!(hold_all(&pool).await.0, 2);
    assert_eq!(on_hold(&pool, &ids[1]).await, (true, false));
    assert_eq!(on_hold(&pool, &ids[2]).await, (true, true));
}

#[sqlx::test]
async fn a_release_says_what_it_means_and_why(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let id = gateway.accept(&client_create("C")).await;
    hold_all(&pool).await;
    for body in [
        json!({}),
        json!({ "all": true }),
        json!({ "reason": "reason_code" }),
        json!({ "reason": " ", "all": true }),
        json!({ "reason": "reason_code", "all": true, "type": "CLIENT_CREATE" }),
        json!({ "reason": "reason_code", "all": false }),
        json!({ "reason": "reason_code", "type": "CLIENT_CREAT" }),
        // If the misspelt field were ignored, the release would cover more operations than intended.
        json!({ "reason": "reason_code", "type": "CLIENT_CREATE", "accepted_befor": "2020-01-01T00:00:00Z" }),
        json!({ "reason": "reason_code", "accepted_before": "2020-01-01" }),
        json!({ "reason": "reason_code", "all": true, "limit": 0 }),
        json!({ "reason": "reason_code", "all": true, "limit": 100_001 }),
        json!({ "reason": "x".repeat(1_001), "all": true }),
    ] {
        let answer = operator.hold(Method::POST, "/release", &body).await;
        assert_eq!(
            answer.problem(),
            (422, "invalid_request".to_owned()),
            "{body}"
        );
    }
    for body in [
        json!({}),
        json!({ "reason": "" }),
        json!({ "reason": "reason_code", "all": true }),
    ] {
        let answer = operator.hold(Method::POST, "/end", &body).await;
        assert_eq!(
            answer.problem(),
            (422, "invalid_request".to_owned()),
            "{body}"
        );
    }
    for query in ["&sent=maybe", "&accepted_before=today", "&limit=0"] {
        let answer =
            Answer::of(operator.request(Method::GET, &format!("?state=on_hold{query}"))).await;
        assert_eq!(
            answer.problem(),
            (400, "invalid_query".to_owned()),
            "{query}"
        );
    }
    assert_eq!(on_hold(&pool, &id).await, (true, true));
}
