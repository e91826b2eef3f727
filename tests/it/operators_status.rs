//! `GET /fineract/status`, `GET /fineract/audit`, and lists as CSV.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    Answer, OPS_TOKEN, TestGateway,
    database::is_true,
    eventually::eventually_ok,
    fixtures::{client_create, client_update},
    operators::{Operator, REASON, park, uuid},
    system::System,
};

async fn status(operator: &Operator) -> Value {
    let answer = operator.get("/status").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

#[sqlx::test]
async fn the_status_shows_the_queue_and_the_database(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let calm = status(&operator).await;
    assert_eq!(calm["parked"], json!([]));
    assert_eq!(calm["oldest_runnable_since"], Value::Null);
    let parked = gateway.accept(&client_create("C-1")).await;
    park(&pool, &parked).await;
    let held = gateway.accept(&client_create("C-2")).await;
    operator.act(&held, "hold").await;
    gateway.accept(&client_create("C-3")).await;
    let busy = status(&operator).await;
    assert_eq!(busy["backlog"]["up_to_1_minute"], 3);
    assert_eq!(busy["backlog"]["older"], 0);
    assert_eq!(
        busy["parked"],
        json!([{ "value": "evidence_cannot_tell", "count": 1, "text": "1" }])
    );
    assert_eq!(busy["on_hold"][0]["count"], 1);
    assert!(busy["oldest_runnable_since"].is_string());
    assert_eq!(busy["database"]["books_epoch"], 1);
    assert_eq!(busy["fineract"]["state"], "unknown");
    assert_eq!(busy["repairs_running"], 0);
}

#[sqlx::test]
async fn each_gateway_that_runs_is_shown_with_the_settings_that_differ(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    let first = system.gateway().await;
    system.set("CURRENCY", "USD");
    system.set("FINERACT_MAX_IN_FLIGHT", "7");
    system.set("FINERACT_PASSWORD", "another-secret");
    let second = system.gateway().await;
    let operator = Operator::of(first.address);
    let both = eventually_ok("both gateways have written a heartbeat", async || {
        let status = status(&operator).await;
        let gateways = status["gateways"].as_array().map_or(0, Vec::len);
        if gateways == 2 {
            Ok(status)
        } else {
            Err(status)
        }
    })
    .await;
    assert_eq!(
        both["settings_that_differ"],
        json!(["CURRENCY", "FINERACT_MAX_IN_FLIGHT"])
    );
    assert_eq!(both["gateways"][0]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(both["gateways"][0]["work"]["in_flight"], 0);
    let rows = sqlx::query_scalar!(
        r#"SELECT string_agg(settings::text, '') AS "rows!" FROM gateway_process"#
    );
    let rows = rows.fetch_one(&pool).await.unwrap();
    assert!(
        !rows.contains("secret") && !rows.contains("mifos"),
        "{rows}"
    );
    second.shut_down().await;
    // The status leaves out a gateway without a recent heartbeat, so this looks at the rows.
    let has_one = "SELECT count(*) = 1 FROM gateway_process";
    assert!(is_true(&pool, has_one).await, "a gateway removes its row");
}

#[sqlx::test]
async fn the_audit_says_who_did_what_from_where_and_why(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let id = gateway.accept(&client_create("C-1")).await;
    for action in ["hold", "release", "cancel"] {
        let answer = operator.act(&id, action).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    let audit = async |query: &str| {
        let answer = operator.get(&format!("/audit?{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    };
    let all = audit(&format!("operation={}", uuid(&id))).await;
    let [cancel, release, _hold] = [0, 1, 2].map(|number: usize| all["actions"][number].clone());
    assert_eq!(
        json!([
            cancel["action"],
            cancel["operator"],
            cancel["address"],
            cancel["reason"],
            cancel["request_id"]
        ]),
        json!(["cancel", "admin", "127.0.0.1", REASON, "request-1"])
    );
    assert_eq!(
        json!([cancel["before"]["state"], cancel["after"]["state"]]),
        json!(["ready", "failed"])
    );
    assert_eq!(
        json!([release["before"]["on_hold"], release["after"]["on_hold"]]),
        json!([true, false])
    );
    let first = audit("limit=2&operator=admin").await;
    assert_eq!(first["actions"][1]["action"], "release");
    let rest = audit(&format!("limit=2&cursor={}", first["next_cursor"])).await;
    assert_eq!(rest["actions"][0]["action"], "hold");
    assert_eq!(rest["next_cursor"], Value::Null);
    assert_eq!(audit("operator=nobody").await["actions"], json!([]));
    assert_eq!(
        audit("after=2099-01-01T00:00:00Z").await["actions"],
        json!([])
    );
    let request = operator.request(Method::GET, "/../audit?action=cancel");
    let file = Answer::of(request.header("Accept", "text/csv")).await;
    let lines: Vec<_> = file.text.lines().collect();
    assert!(
        lines[0].starts_with("id,at,operator,action,"),
        "{}",
        file.text
    );
    assert_eq!(lines.len(), 2, "{}", file.text);
    for query in [
        "limit=0",
        "operation=x",
        "after=today",
        "page=1",
        "operator=a%00",
        "action=%00",
    ] {
        let answer = operator.get(&format!("/audit?{query}")).await;
        assert_eq!(
            answer.problem(),
            (400, "invalid_query".to_owned()),
            "{query}"
        );
    }
}

#[sqlx::test]
async fn a_list_is_also_a_csv_file(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(gateway.accept(&client_update(&format!("C-{number}"))).await);
    }
    let request = operator.request(Method::GET, "?state=ready&type=CLIENT_UPDATE&limit=2");
    let answer = Answer::of(request.header("Accept", "text/csv")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    let lines: Vec<_> = answer.text.lines().collect();
    assert!(
        lines[0].starts_with("tracking_id,operation_type,state,"),
        "{}",
        lines[0]
    );
    ids.reverse();
    assert_eq!(
        lines.len(),
        4,
        "the limit of a page does not limit the file"
    );
    for (line, id) in lines[1..].iter().zip(&ids) {
        assert!(line.starts_with(id.as_str()), "{line}");
    }
    let request = operator.request(Method::GET, "?sort=ended");
    let refused = Answer::of(request.header("Accept", "text/csv")).await;
    assert_eq!(refused.problem(), (422, "invalid_request".to_owned()));
}
