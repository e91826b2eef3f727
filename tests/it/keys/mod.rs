//! Credentials in the database: who may do what, for how long and from where.

mod command;
mod expiry;
mod limits;
mod owners;
mod revoked;
mod rotation;
mod same_name;
mod scopes;

use fineract_gateway::domain::{CredentialKind, CredentialSecret, Scopes};
use fineract_gateway::http::KeyRequest;
use fineract_gateway::store::{CredentialSettings, Operator, Store};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::{Executor as _, PgPool};

use crate::support::{Answer, TestGateway, operators::Operator as Administrator};

/// A key, as whoever uses it knows it.
pub(crate) struct Key {
    id: String,
    /// The secret.
    pub(crate) secret: String,
    kind: CredentialKind,
}

impl Key {
    /// Creates a key by the API of a gateway, which then knows it. `settings` has what is not usual.
    pub(crate) async fn create(
        gateway: &TestGateway,
        kind: CredentialKind,
        settings: Value,
    ) -> Self {
        let mut body = json!({ "name": format!("key-{}", uuid::Uuid::new_v4().simple()), "kind": kind.as_str() });
        for (name, value) in settings.as_object().expect("an object") {
            body[name.as_str()] = value.clone();
        }
        let answer = Administrator::of(gateway.address)
            .post("/keys", &body)
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        Self::of(&answer.json(), kind)
    }

    /// A new internal token of this owner.
    async fn token(gateway: &TestGateway, owner: &str) -> Self {
        Self::create(
            gateway,
            CredentialKind::InternalToken,
            json!({ "owner": owner }),
        )
        .await
    }

    fn of(body: &Value, kind: CredentialKind) -> Self {
        Self {
            id: body["id"].as_str().expect("an id").to_owned(),
            secret: body["secret"].as_str().expect("a secret").to_owned(),
            kind,
        }
    }

    /// Sends the key with a request, by the headers of its kind.
    fn with(&self, request: RequestBuilder) -> RequestBuilder {
        match self.kind {
            CredentialKind::InternalToken | CredentialKind::Ops => {
                request.header("X-Internal-Token", &self.secret)
            }
            CredentialKind::ApiKey => {
                request.header("Authorization", format!("Token {}", self.secret))
            }
            CredentialKind::BulkClient => request
                .header("client_id", &self.id)
                .header("client_secret", &self.secret)
                .header("appIdentifier", "app")
                .header("organisationId", "org"),
        }
    }

    /// Reads a path.
    pub(crate) async fn get(&self, gateway: &TestGateway, path: &str) -> Answer {
        Answer::of(self.with(gateway.request(Method::GET, path))).await
    }

    /// Posts JSON.
    pub(crate) async fn post(&self, gateway: &TestGateway, path: &str, body: &Value) -> Answer {
        Answer::of(self.with(gateway.request(Method::POST, path)).json(body)).await
    }

    /// Sends an operation, which must be accepted. Returns its tracking id.
    pub(crate) async fn accept(&self, gateway: &TestGateway, body: &Value) -> String {
        let answer = self.post(gateway, "/fineract/operate", body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let id = answer.json()["tracking_id"].take();
        id.as_str().expect("a tracking id").to_owned()
    }
}

/// Revokes a key by the API of a gateway.
pub(crate) async fn revoke(gateway: &TestGateway, key: &Key) {
    let path = format!("/keys/{}/revoke", key.id);
    let answer = Administrator::of(gateway.address)
        .post(&path, &json!({}))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["revoked_by"], "admin");
}

/// Creates a credential in the database, as the command does. Gateways hear of it later.
async fn insert(store: &Store, kind: CredentialKind, scopes: Scopes) -> CredentialSecret {
    let request = KeyRequest {
        name: format!("key-{}", uuid::Uuid::new_v4().simple()),
        kind: kind.as_str().to_owned(),
        ..KeyRequest::default()
    };
    let settings = request.check().expect("a valid key");
    let settings = CredentialSettings { scopes, ..settings };
    let operator = Operator {
        name: "test".to_owned(),
        ..Operator::default()
    };
    let created = store.credentials().create(&settings, &operator).await;
    created.expect("the database is there")
}

/// What a gateway answers to a caller with this secret.
pub(crate) async fn status(gateway: &TestGateway, secret: &str) -> u16 {
    let request = gateway.request(Method::GET, "/events");
    let answer = Answer::of(request.header("X-Internal-Token", secret)).await;
    answer.status.as_u16()
}

/// Lets a gateway hear of all changes in the database: one that makes a change reads them all. A test that tried a new
/// secret until it is known would send too many wrong ones, and be refused for a minute.
async fn hear_of_changes(gateway: &TestGateway) {
    Key::create(gateway, CredentialKind::Ops, json!({})).await;
}

/// The reasons for which credentials were refused in this process, with their numbers, as the metrics tell.
pub(crate) async fn refusals(gateway: &TestGateway, reason: &str) -> u64 {
    let metrics = Answer::of(gateway.request(Method::GET, "/metrics"))
        .await
        .text;
    let name = format!("gateway_credentials_refused_total{{reason=\"{reason}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |count| count.parse().expect("a number"))
}

async fn run(pool: &PgPool, statement: &'static str) {
    pool.execute(statement)
        .await
        .expect("the database is there");
}
