//! `GET /fineract/operations` finds operations by every filter; `…/counts` counts them; `GET /fineract/lanes/{lane}` shows
//! a lane.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{
    Answer, TestGateway,
    fixtures::{
        client_create, client_update, done, loan_approve, loan_create, loan_disburse, refused,
    },
    operators::{Operator, park, uuid},
};

async fn get(operator: &Operator, path: &str) -> Value {
    let answer = Answer::of(operator.request(Method::GET, path)).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
    answer.json()
}

async fn found(operator: &Operator, query: &str) -> Vec<String> {
    let page = get(operator, &format!("?{query}")).await;
    names(&page["operations"])
}

fn names(operations: &Value) -> Vec<String> {
    let operations = operations.as_array().expect("a list").iter();
    let name = |operation: &Value| operation["tracking_id"].as_str().expect("an id").to_owned();
    operations.map(name).collect()
}

/// Operations in every state: a created client, a loan that waits for its parked creation, a failed and a ready update.
struct Bed {
    gateway: TestGateway,
    operator: Operator,
    created: String,
    failed: String,
    loan: String,
    approval: String,
    ready: String,
}

impl Bed {
    async fn new(pool: &PgPool) -> Self {
        let gateway = TestGateway::start(pool.clone()).await;
        let operator = Operator::of(gateway.address);
        let created = gateway.accept(&client_create("C-1")).await;
        gateway.end_next(done()).await;
        let failed = gateway.accept(&client_update("C-1")).await;
        gateway.end_next(refused()).await;
        // The failure is read, so the loan does not fail with it.
        operator.inspect(&failed).await;
        let loan = gateway.accept(&loan_create("L-1", "C-1")).await;
        park(pool, &loan).await;
        let mut body = loan_disburse("L-1");
        body["data"]["utr_payment_id"] = json!("HDFC 0012-34");
        let approval = gateway.accept(&body).await;
        let ready = gateway.accept(&client_update("C-22")).await;
        Self {
            gateway,
            operator,
            created,
            failed,
            loan,
            approval,
            ready,
        }
    }

    async fn finds(&self, query: &str, expected: &[&String]) {
        let found = found(&self.operator, query).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    }
}

#[sqlx::test]
async fn each_filter_finds_its_operations_in_any_combination(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let Bed {
        created,
        failed,
        loan,
        approval,
        ready,
        ..
    } = &bed;
    let read = bed.operator.inspect(failed).await;
    let failed_at = read["ended_at"].as_str().expect("it has ended").to_owned();
    for (query, expected) in [
        ("", &[ready, approval, loan, failed, created][..]),
        ("state=open", &[ready, approval, loan]),
        ("state=ended", &[failed, created]),
        ("state=waiting", &[approval]),
        ("state=ready", &[ready]),
        ("state=parked", &[loan]),
        ("state=failed", &[failed]),
        ("state=succeeded", &[created]),
        ("state=on_hold", &[]),
        ("type=CLIENT_UPDATE", &[ready, failed]),
        ("type=CLIENT_UPDATE&state=failed", &[failed]),
        (
            "type=CLIENT_UPDATE&state=failed&reason_code=test",
            &[failed],
        ),
        ("state=failed&reason_code=other", &[]),
        ("state=parked&reason_code=evidence_cannot_tell", &[loan]),
        ("lender=UGRO", &[loan]),
        ("lender=UGRO&state=failed", &[]),
        ("caller=los", &[ready, approval, loan, failed, created]),
        ("caller=bulk", &[]),
        ("lane=client:c-1", &[failed, created]),
        (
            "lane=client:c-1&type=CLIENT_CREATE&caller=los&sent=false",
            &[created],
        ),
        ("lane=client:c-1&caller=bulk", &[]),
        ("external_id=L-1", &[approval, loan]),
        ("external_id=L-1&state=parked&lender=UGRO", &[loan]),
        (&format!("ended_after={failed_at}"), &[failed]),
        (&format!("ended_before={failed_at}"), &[created]),
        ("accepted_after=2099-01-01T00:00:00Z", &[]),
        ("accepted_before=2020-01-01T00:00:00Z", &[]),
        (
            "accepted_after=2020-01-01T00:00:00Z&accepted_before=2099-01-01T00:00:00Z&state=ended",
            &[failed, created],
        ),
        ("state=failed&sort=accepted", &[failed]),
        (&format!("batch={}", Uuid::nil()), &[]),
    ] {
        bed.finds(query, expected).await;
    }
}

#[sqlx::test]
async fn q_finds_ids_external_ids_and_payments(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let Bed {
        created,
        failed,
        loan,
        approval,
        ready,
        ..
    } = &bed;
    for (q, expected) in [
        (created.as_str(), &[created][..]),
        (&uuid(failed).to_string(), &[failed]),
        ("l-1", &[approval, loan]),
        // C-1 is an external id, so C-1… is not looked for.
        ("C-1", &[failed, created]),
        ("c-", &[ready, failed, created]),
        ("HDFC001234", &[approval]),
        ("hdfc 0012 34", &[approval]),
        ("nothing", &[]),
        ("%", &[]),
    ] {
        bed.finds(
            &format!("q={}", q.replace('|', "%7C").replace('%', "%25")).replace("%257C", "%7C"),
            expected,
        )
        .await;
    }
    bed.finds("q=c-&state=failed", &[failed]).await;
}

#[sqlx::test]
async fn a_number_is_found_with_more_and_with_fewer_zeros(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let operator = Operator::of(gateway.address);
    let mut body = loan_disburse("L-1");
    body["data"]["utr_payment_id"] = json!("0012-34");
    let expected = [gateway.accept(&body).await];
    for q in ["1234", "01234", "001234", "000 1234"] {
        let found = found(&operator, &format!("q={q}")).await;
        assert_eq!(found, expected, "{q}");
    }
    assert!(found(&operator, "q=12340").await.is_empty());
}

#[sqlx::test]
async fn a_page_that_no_index_serves_is_refused_with_what_to_add(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let operator = Operator::of(gateway.address);
    for (query, word) in [
        ("?reason_code=test", "state=failed"),
        ("?sort=ended", "operations that have ended"),
        ("?state=failed&sort=parked", "state=parked"),
        ("/counts?by=type&reason_code=test", "state=failed"),
    ] {
        let answer = Answer::of(operator.request(Method::GET, query)).await;
        assert_eq!(answer.problem(), (422, "invalid_request".to_owned()));
        let problem = answer.json()["errors"][0].clone();
        assert_eq!(problem["code"], "no_index");
        let message = problem["message"].as_str().expect("a message");
        assert!(message.contains(word), "{message}");
    }
}

#[sqlx::test]
async fn pages_stay_whole_while_operations_end(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let operator = Operator::of(gateway.address);
    let mut accepted = Vec::new();
    for number in 0..7 {
        accepted.push(gateway.accept(&client_create(&format!("C-{number}"))).await);
    }
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = get(&operator, &query).await;
        seen.extend(names(&page["operations"]));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        query = format!("?limit=2&cursor={cursor}");
        gateway.end_next(done()).await;
    }
    accepted.reverse();
    assert_eq!(seen, accepted);
}

#[sqlx::test]
async fn counts_are_by_state_type_lender_and_reason(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    for (query, expected) in [
        (
            "",
            json!({ "failed": "1", "parked": "1", "ready": "1", "succeeded": "1", "waiting": "1" }),
        ),
        (
            "by=type",
            json!({ "CLIENT_CREATE": "1", "CLIENT_UPDATE": "2", "LOAN_CREATE": "1", "LOAN_DISBURSE": "1" }),
        ),
        ("by=lender", json!({ "UGRO": "1" })),
        ("by=reason_code&state=failed", json!({ "test": "1" })),
        (
            "by=state&external_id=l-1",
            json!({ "parked": "1", "waiting": "1" }),
        ),
        ("by=state&type=LOAN_APPROVE", json!({})),
        ("state=ended", json!({ "failed": "1", "succeeded": "1" })),
        ("lender=UGRO&state=open", json!({ "parked": "1" })),
        ("caller=los&type=LOAN_CREATE", json!({ "parked": "1" })),
        ("state=on_hold", json!({})),
        ("state=failed&reason_code=other", json!({})),
        ("by=type&state=failed", json!({ "CLIENT_UPDATE": "1" })),
        ("by=type&state=failed&type=LOAN_CREATE", json!({})),
        ("by=lender&state=failed", json!({})),
        ("by=reason_code&state=failed&type=LOAN_CREATE", json!({})),
    ] {
        let body = get(&bed.operator, &format!("/counts?{query}")).await;
        let counts = body["counts"].as_array().expect("counts").iter();
        let counts: serde_json::Map<_, _> = counts
            .map(|count| {
                (
                    count["value"].as_str().expect("a value").to_owned(),
                    count["text"].clone(),
                )
            })
            .collect();
        assert_eq!(Value::Object(counts), expected, "{query}");
    }
}

#[sqlx::test]
async fn a_lane_is_shown_in_its_order_with_the_operations_that_read_it(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let story = async |lane: &str| {
        let answer = bed.operator.get(&format!("/lanes/{lane}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    };
    let client = story("client%3Ac-1").await;
    assert_eq!(
        names(&client["operations"]),
        [&bed.created, &bed.failed, &bed.loan].map(Clone::clone)
    );
    assert_eq!(client["operations"][2]["writes"], false);
    assert_eq!(client["open"], 1);
    assert_eq!(client["has_older"], false);
    let loan = story("loan%3Al-1").await;
    assert_eq!(
        names(&loan["operations"]),
        [&bed.loan, &bed.approval].map(Clone::clone)
    );
    for unknown in ["/lanes/loan%3Ax", "/lanes/loan%3Ax%00"] {
        let unknown = bed.operator.get(unknown).await;
        assert_eq!(unknown.problem(), (404, "unknown_lane".to_owned()));
    }
    // A client's operations stay in the story after they have ended.
    bed.gateway.accept(&loan_approve("L-9")).await;
    assert_eq!(names(&story("client%3Ac-1").await["operations"]).len(), 3);
}
