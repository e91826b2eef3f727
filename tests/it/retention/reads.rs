//! Every read of an operation answers the same, word for word, after the operation was archived.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{age, aged, retain};
use crate::{
    bulk::Bulk,
    retention::ARCHIVES,
    support::{
        API_KEY, Answer, TestGateway,
        fixtures::{
            CLIENT_DONE, client_create, client_update, done, loan_create, loan_disburse, refused,
        },
        operators::{Operator, uuid},
    },
};

/// What the operators read, besides single operations.
const LISTS: [&str; 20] = [
    "/operations",
    "/operations?state=ended",
    "/operations?state=succeeded",
    "/operations?state=failed",
    "/operations?state=failed&reason_code=test",
    "/operations?lane=loan:l",
    "/operations?external_id=C",
    "/operations?q=UTR-1",
    "/operations?q=L",
    "/operations?caller=los",
    "/operations?lender=UGRO",
    "/operations?retried=true",
    "/operations?limit=2",
    "/operations?sort=ended&state=ended&limit=3",
    "/operations/counts?by=state",
    "/operations/counts?by=type&state=failed",
    "/operations/counts?by=reason_code&state=failed",
    "/operations/counts?by=type",
    "/lanes/loan:l",
    "/audit",
];

struct Story {
    gateway: TestGateway,
    operator: Operator,
    /// The tracking ids, after they were aged.
    ids: Vec<String>,
}

impl Story {
    /// Successes, a failure that was run again, a payment, a batch with a failure, and a keyed request: all ended.
    async fn tell(pool: &PgPool) -> Self {
        let gateway = TestGateway::start(pool.clone()).await;
        let operator = Operator::of(gateway.address);
        let mut ids = vec![gateway.accept(&client_create("C")).await];
        gateway.end_next(done()).await;
        ids.push(gateway.accept(&loan_create("L", "C")).await);
        gateway.end_next(refused()).await;
        let again = operator.act(&ids[1], "retry").await.json();
        ids.push(again["tracking_id"].as_str().expect("an id").to_owned());
        gateway.end_next(done()).await;
        let mut payment = loan_disburse("L");
        payment["data"]["utr_payment_id"] = json!("UTR-1");
        ids.push(gateway.accept(&payment).await);
        gateway.end_next(done()).await;
        let rows = vec![client_create("D"), client_update("E")];
        Bulk::new(gateway.address).schedule("b-1", rows).await;
        gateway.end_next(done()).await;
        gateway.end_next(refused()).await;
        let keyed = keyed(&gateway).await.json();
        ids.push(keyed["tracking_id"].as_str().expect("an id").to_owned());
        gateway.end_next(done()).await;
        leave_answered_attempts(pool).await;
        age(pool).await;
        Self {
            gateway,
            operator,
            ids: ids.iter().map(|id| aged(id)).collect(),
        }
    }

    /// The answers of all reads.
    async fn read(&self) -> Vec<(String, String)> {
        let mut answers = Vec::new();
        let mut add = |name: &str, answer: Answer| {
            assert_eq!(answer.status, 200, "{name}: {}", answer.text);
            answers.push((name.to_owned(), answer.text));
        };
        for id in &self.ids {
            let path = format!("/fineract/track/{id}");
            add(&path, Answer::of(self.gateway.get(&path)).await);
            let path = format!("/operations/{}", uuid(id));
            add(&path, self.operator.get(&path).await);
        }
        let many = json!({ "tracking_ids": self.ids }).to_string();
        let many = self.gateway.post("/fineract/track", many);
        add("track many", Answer::of(many).await);
        add("replay", keyed(&self.gateway).await);
        let transaction = format!("/transactions/{}", uuid(&self.ids[3]));
        let transaction = self.gateway.request(Method::GET, &transaction);
        let transaction = transaction.header("Authorization", format!("Token {API_KEY}"));
        add("transaction", Answer::of(transaction).await);
        add("events", Answer::of(self.gateway.get("/events")).await);
        for path in LISTS {
            add(path, self.operator.get(path).await);
        }
        let bulk = Bulk::new(self.gateway.address);
        for query in [
            json!({ "reference_id": "b-1" }),
            json!({ "reference_id": "b-1", "filters": { "status": ["FAILED"] } }),
            json!({ "reference_id": "b-1", "filters": { "retry_eligible": "YesWithModifications", "search": "e" } }),
            json!({ "reference_id": "b-1", "include_balances": true }),
        ] {
            let status = bulk.status(&query).await;
            answers.push((query.to_string(), status.to_string()));
        }
        let batch = self.operator.get("/operations?state=failed").await.json();
        let batch = batch["operations"][0]["batch"]
            .as_str()
            .expect("a batch")
            .to_owned();
        let rows = self
            .operator
            .get(&format!("/operations?batch={batch}"))
            .await;
        answers.push(("rows of a batch".to_owned(), rows.text));
        answers
    }
}

/// The same request each time.
async fn keyed(gateway: &TestGateway) -> Answer {
    let request = gateway.post("/fineract/operate", client_update("F").to_string());
    Answer::of(request.header("Idempotency-Key", "order-1")).await
}

/// Gives each ended operation an attempt that Fineract has answered.
async fn leave_answered_attempts(pool: &PgPool) {
    let body = CLIENT_DONE.strip_prefix("200 ").expect("a status");
    sqlx::query!(
        "INSERT INTO attempt (operation_id, number, key_number, method, path, answered_at, status, cached, answer)
         SELECT id, 1, 1, 'PUT', 'clients/7', now(), 200, false, $1 FROM operation WHERE ended_at IS NOT NULL",
        body
    )
    .execute(pool)
    .await
    .expect("the database is there");
}

#[sqlx::test]
async fn all_reads_answer_the_same_word_for_word(pool: PgPool) {
    let story = Story::tell(&pool).await;
    // The first look at people's data is recorded in the audit, which later ones show.
    story.read().await;
    let before = story.read().await;
    let report = retain(&pool, ARCHIVES).await;
    assert_eq!((report.archived, report.kept), (7, 0));
    let left = sqlx::query_scalar!(
        r#"SELECT (SELECT count(*) FROM operation) + (SELECT count(*) FROM payload) + (SELECT count(*) FROM attempt)
                  + (SELECT count(*) FROM result) AS "left!""#
    );
    assert_eq!(left.fetch_one(&pool).await.expect("a count"), 0);
    for (before, after) in before.iter().zip(story.read().await) {
        assert_eq!(before.1, after.1, "{}", before.0);
    }
}

/// An open operation beside archived ones: the pages of a list go through both.
#[sqlx::test]
async fn pages_go_on_from_the_hot_tables_into_the_archive(pool: PgPool) {
    let story = Story::tell(&pool).await;
    retain(&pool, ARCHIVES).await;
    let open = story.gateway.accept(&client_update("C")).await;
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = story
            .operator
            .get(&format!("/operations?limit=3{cursor}"))
            .await
            .json();
        for operation in page["operations"].as_array().expect("a list") {
            names.push(operation["tracking_id"].clone());
        }
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names.len(), 8, "{names:?}");
    assert_eq!(names[0], json!(open));
    assert_eq!(names[7], json!(story.ids[0]));
    let lane = story.operator.get("/lanes/client:c").await.json();
    let states: Vec<&Value> = lane["operations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|o| &o["state"])
        .collect();
    assert_eq!(
        states,
        ["succeeded", "failed", "succeeded", "ready"],
        "{lane}"
    );
}
