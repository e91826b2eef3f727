//! Requests of operators over TCP, and changes in the database that give operators something to do.

use std::net::SocketAddr;

use fineract_gateway::domain::TrackingId;
use fineract_gateway::tls::http_client;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::{ANSWERED_WITHIN, Answer, OPS_TOKEN, eventually::eventually_ok};

/// The reason for each action.
pub(crate) const REASON: &str = "seen in Fineract";

/// An operator of a gateway.
pub(crate) struct Operator {
    address: SocketAddr,
    client: Client,
}

impl Operator {
    /// The operator `admin` of the gateway at this address.
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

    /// Sends a request about everything on hold. If `body` is null, the request has no body.
    pub(crate) async fn hold(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.at(method, &format!("/fineract/hold{path}"));
        Answer::of(if body.is_null() {
            request
        } else {
            request.json(body)
        })
        .await
    }

    /// Releases the operations that match a filter. Returns their number.
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

    /// Reads a route of the operators that is not about one operation.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.at(Method::GET, &format!("/fineract{path}"))).await
    }

    /// Posts to a route of the operators that is not about one operation.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.at(Method::POST, &format!("/fineract{path}"));
        Answer::of(request.json(body)).await
    }

    /// Performs an operator's action on an operation.
    pub(crate) async fn act(&self, id: &str, action: &str) -> Answer {
        let request = self.request(Method::POST, &format!("/{id}/{action}"));
        Answer::of(request.json(&json!({ "reason": REASON }))).await
    }

    /// Submits a resolution of an operation.
    pub(crate) async fn resolve(&self, id: &str, outcome: &str) -> Answer {
        let request = self.request(Method::POST, &format!("/{id}/resolve"));
        Answer::of(request.json(&json!({ "outcome": outcome, "reason": REASON }))).await
    }

    /// Submits a resolution of an operation. Waits until the operation has ended or is parked again, and returns it.
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

    /// The inspection of an operation.
    pub(crate) async fn inspect(&self, id: &str) -> Value {
        let answer = Answer::of(self.request(Method::GET, &format!("/{id}"))).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }

    /// Waits until the operation is in this state, and returns its inspection.
    pub(crate) async fn in_state(&self, id: &str, state: &str) -> Value {
        self.eventually(id, |operation| operation["state"] == state)
            .await
    }

    /// Waits until the operation is as wanted, and returns its inspection.
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

/// The UUID in a tracking id.
pub(crate) fn uuid(tracking_id: &str) -> Uuid {
    let tracking_id: TrackingId = tracking_id.parse().expect("a tracking id");
    tracking_id.id.0
}

/// Parks a ready operation, as if only a person could decide about it.
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

/// Writes an unknown attempt: nobody knows whether Fineract has executed its command.
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

/// The audit of an operation without looks at people's data: who did what, in which request, and the detail.
pub(crate) async fn audit(pool: &PgPool, tracking_id: &str) -> Vec<Value> {
    let mut rows = whole_audit(pool, tracking_id).await;
    rows.retain(|row| row[1] != "reveal");
    rows
}

/// Who has looked at people's data of an operation.
pub(crate) async fn looks(pool: &PgPool, tracking_id: &str) -> Vec<Value> {
    let mut rows = whole_audit(pool, tracking_id).await;
    rows.retain(|row| row[1] == "reveal");
    rows.into_iter().map(|mut row| row[0].take()).collect()
}

async fn whole_audit(pool: &PgPool, tracking_id: &str) -> Vec<Value> {
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

/// Whether an operation is on hold, and whether it is on hold by a hold-all.
pub(crate) async fn on_hold(pool: &PgPool, id: &str) -> (bool, bool) {
    let row = sqlx::query!(
        r#"SELECT on_hold, hold_all IS NOT NULL AS "with_all!" FROM operation WHERE id = $1"#,
        uuid(id)
    );
    let row = row.fetch_one(pool).await.expect("the database is there");
    (row.on_hold, row.with_all)
}

/// Begins a new epoch of the books, so that the known numbers of Fineract no longer count.
pub(crate) async fn begin_epoch(pool: &PgPool) {
    sqlx::query!("UPDATE books SET epoch = epoch + 1")
        .execute(pool)
        .await
        .expect("the database is there");
}
