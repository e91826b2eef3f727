//! What operators do, over TCP, and how tests bring operations where operators find them.

use std::net::SocketAddr;

use fineract_gateway::domain::TrackingId;
use fineract_gateway::tls::http_client;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::{ANSWERED_WITHIN, Answer, OPS_TOKEN, eventually::eventually_ok};

/// An operator of a gateway.
pub(crate) struct Operator {
    address: SocketAddr,
    client: Client,
}

impl Operator {
    /// The operator `admin` of the gateway that listens there.
    pub(crate) fn of(address: SocketAddr) -> Self {
        let client = http_client().timeout(ANSWERED_WITHIN).build();
        Self {
            address,
            client: client.expect("a client"),
        }
    }

    /// A request with the token of `admin`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.at(method, &format!("/fineract/operations{path}"))
    }

    /// What is asked about everything that is on hold; a null body is none.
    pub(crate) async fn hold(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.at(method, &format!("/fineract/hold{path}"));
        Answer::of(if body.is_null() {
            request
        } else {
            request.json(body)
        })
        .await
    }

    /// Releases what a filter means; how many.
    pub(crate) async fn release(&self, mut filter: Value) -> u64 {
        filter["reason"] = json!("looked at");
        let answer = self.hold(Method::POST, "/release", &filter).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()["released"].as_u64().expect("a number")
    }

    fn at(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
            .header("X-Internal-Token", OPS_TOKEN)
            .header("X-Request-Id", "request-1")
    }

    /// Asks for what is shown to operators of more than one operation.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.at(Method::GET, &format!("/fineract{path}"))).await
    }

    /// Acts on more than one operation.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.at(Method::POST, &format!("/fineract{path}"));
        Answer::of(request.json(body)).await
    }

    /// Acts on an operation.
    pub(crate) async fn act(&self, id: &str, action: &str) -> Answer {
        Answer::of(self.request(Method::POST, &format!("/{id}/{action}"))).await
    }

    /// Says how an operation ended.
    pub(crate) async fn resolve(&self, id: &str, outcome: &str) -> Answer {
        let request = self.request(Method::POST, &format!("/{id}/resolve"));
        Answer::of(request.json(&json!({ "outcome": outcome }))).await
    }

    /// Says how an operation ended, and waits for what becomes of it: it has ended, or is parked once more.
    pub(crate) async fn resolved(&self, id: &str, outcome: &str) -> Value {
        let before = self.inspect(id).await;
        let answer = self.resolve(id, outcome).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        assert_eq!(
            answer.json(),
            json!({ "tracking_id": id, "status": "processing" })
        );
        assert_eq!(answer.header("location"), format!("../{}", uuid(id)));
        let is_over =
            |operation: &Value| !matches!(operation["state"].as_str(), Some("ready" | "running"));
        let after = self.eventually(id, is_over).await;
        assert_eq!(after["attempts"], before["attempts"], "something was sent");
        after
    }

    /// All that is known of an operation.
    pub(crate) async fn inspect(&self, id: &str) -> Value {
        let answer = Answer::of(self.request(Method::GET, &format!("/{id}"))).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }

    /// All that is known of an operation once it is in this state.
    pub(crate) async fn in_state(&self, id: &str, state: &str) -> Value {
        self.eventually(id, |operation| operation["state"] == state)
            .await
    }

    /// All that is known of an operation once it is as wanted.
    pub(crate) async fn eventually(&self, id: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        eventually_ok("the operation is as wanted", async || {
            let operation = self.inspect(id).await;
            if is_wanted(&operation) {
                Ok(operation)
            } else {
                Err(operation)
            }
        })
        .await
    }
}

/// The uuid of a tracking id.
pub(crate) fn uuid(tracking_id: &str) -> Uuid {
    let tracking_id: TrackingId = tracking_id.parse().expect("a tracking id");
    tracking_id.id.0
}

/// Parks a ready operation, as one that only a person can decide.
pub(crate) async fn park(pool: &PgPool, tracking_id: &str) {
    let parked = sqlx::query!(
        "UPDATE operation
            SET state = 'parked', due_at = NULL, reason_code = 'evidence_cannot_tell', reason_since = now(), lost = 5
          WHERE id = $1 AND state = 'ready'",
        uuid(tracking_id)
    );
    let parked = parked.execute(pool).await.expect("the database is there");
    assert_eq!(parked.rows_affected(), 1, "{tracking_id} was not ready");
}

/// Writes an attempt of which nobody knows what became.
pub(crate) async fn leave_attempt(pool: &PgPool, tracking_id: &str) {
    sqlx::query!(
        "INSERT INTO attempt (operation_id, number, key_number, method, path, body)
         VALUES ($1, 1, 1, 'POST', '/clients', '{\"locale\":\"en\"}')",
        uuid(tracking_id)
    )
    .execute(pool)
    .await
    .expect("the database is there");
}

/// What the audit says of an operation: who did what, by which request, and the detail.
pub(crate) async fn audit(pool: &PgPool, tracking_id: &str) -> Vec<Value> {
    sqlx::query_scalar!(
        "SELECT json_build_array(operator, action, request_id, detail) AS \"row!\"
           FROM audit
          WHERE operation_id = $1
          ORDER BY id",
        uuid(tracking_id)
    )
    .fetch_all(pool)
    .await
    .expect("the database is there")
}

/// Whether an operation is on hold, and with everything.
pub(crate) async fn on_hold(pool: &PgPool, id: &str) -> (bool, bool) {
    let row = sqlx::query!(
        r#"SELECT on_hold, hold_all IS NOT NULL AS "with_all!" FROM operation WHERE id = $1"#,
        uuid(id)
    );
    let row = row.fetch_one(pool).await.expect("the database is there");
    (row.on_hold, row.with_all)
}

/// Has a database forget the numbers of its Fineract, as before another one.
pub(crate) async fn begin_epoch(pool: &PgPool) {
    sqlx::query!("UPDATE books SET epoch = epoch + 1")
        .execute(pool)
        .await
        .expect("the database is there");
}
