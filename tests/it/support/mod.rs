//! What the tests share, and the smaller one of their two harnesses.
//!
//! [`TestGateway`] serves HTTP on the test's database by the product's own `http::serve`, but has no worker and no
//! Fineract. The test itself claims, completes and expires operations at the [`Store`], so the test decides what
//! happens and when. The test also sets what no setting can set, such as the state of Fineract that `/readyz` reports.
//!
//! [`System`](system::System) is the whole product: gateways, started by `app::start` or as processes, and a sandbox.
//! Neither harness can replace the other: with a real worker a test cannot keep a claim, and a gateway without a worker
//! ends no operation.
#![expect(clippy::indexing_slicing, reason = "a missing key fails the test")]

mod answer;
pub(crate) mod authority;
pub(crate) mod caller;
pub(crate) mod command;
pub(crate) mod credentials;
pub(crate) mod database;
pub(crate) mod eventually;
pub(crate) mod fixtures;
pub(crate) mod keys;
pub(crate) mod line;
pub(crate) mod operators;
pub(crate) mod pgbouncer;
pub(crate) mod sandbox;
pub(crate) mod serve;
pub(crate) mod system;

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use fineract_gateway::tls::http_client;
use fineract_gateway::{
    domain::{End, FineractHealth, OperationType, Outcome},
    http::{
        self, ApiState, Budgets, Bulk, BulkClients, ConnectionLimits, Credentials, DatabaseProbe,
        Door, Page, Streams, Tokens, WrongSecrets,
    },
    operations::Deployment,
    store::{ClaimLimits, Completion, CompletionNotifier, Pool, Store},
    webhooks::Guard,
};
use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::SecretString;
use serde_json::Value;
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::answer::Answer;
use self::eventually::DEADLINE;

/// The secret of the caller `los`.
pub(crate) const TOKEN: &str = "los-secret";
/// The secret of the caller `admin`, who has the `ops` scope.
pub(crate) const OPS_TOKEN: &str = "admin-secret";
/// The API key of `lender`.
pub(crate) const API_KEY: &str = "lender-key";
/// How long a gateway of a test keeps events.
pub(crate) const KEEP_EVENTS: Duration = Duration::from_hours(720);
/// The gateway answers every request within this time, even if its database fails.
pub(crate) const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// A gateway that accepts and tracks operations. The test ends them.
pub(crate) struct TestGateway {
    /// The address at which the gateway listens.
    pub(crate) address: SocketAddr,
    /// The state that the endpoints share.
    pub(crate) state: ApiState,
    /// The store that the gateway uses.
    pub(crate) store: Store,
    /// Sets the state of Fineract that the gateway reports.
    pub(crate) fineract: watch::Sender<FineractHealth>,
    /// Begins the gateway's shutdown.
    pub(crate) draining: CancellationToken,
    client: Client,
    stop: CancellationToken,
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn named(name: &str, secret: &str) -> (String, SecretString) {
    (name.to_owned(), SecretString::from(secret))
}

fn tokens() -> Tokens {
    let internal = [
        named("los", TOKEN),
        named("los", "los-next-secret"),
        named("bulk", "bulk-secret"),
    ];
    Tokens::new(&internal, &[named("admin", OPS_TOKEN)])
}

fn api_keys() -> Tokens {
    Tokens::of_api_keys(&[
        named("lender", API_KEY),
        named("other", "other-key"),
        named("third", "third-key"),
        named("fourth", "fourth-key"),
    ])
}

impl TestGateway {
    /// Starts a gateway on the test's own database.
    pub(crate) async fn start(pool: PgPool) -> Self {
        Self::start_with(pool, |_| ()).await
    }

    /// As [`TestGateway::start`], with changes of the gateway's state.
    pub(crate) async fn start_with(pool: PgPool, adjust: impl FnOnce(&mut ApiState)) -> Self {
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let draining = CancellationToken::new();
        let (fineract, fineract_seen) = watch::channel(FineractHealth::Unknown);
        let pool = Pool::from(pool);
        let ends = CompletionNotifier::start(&pool, &tasks, &stop);
        let store = Store::start(
            pool,
            ends,
            &tasks,
            fineract_gateway::operations::fails_dependents_unsent,
        );
        let (events, seals) = (
            store.clone().run_events(KEEP_EVENTS),
            store.clone().run_audit_seals(),
        );
        let numbering = async { tokio::join!(events, seals) };
        tasks.spawn(stop.clone().run_until_cancelled_owned(numbering));
        let credentials = Credentials::start(&store.credentials()).await;
        let hearing = credentials.clone().watch(store.credentials());
        tasks.spawn(stop.clone().run_until_cancelled_owned(hearing));
        let mut state = ApiState {
            has_callers: true,
            store: store.clone(),
            database_probe: DatabaseProbe::default(),
            deployment: Arc::new(deployment()),
            credentials: credentials.clone(),
            wrong_secrets: WrongSecrets::default(),
            tokens: tokens(),
            api_keys: api_keys(),
            budgets: Budgets::default(),
            currency: "INR".to_owned(),
            bulk: Bulk::new(BulkClients::new(&crate::bulk::clients()), 10_000, None),
            streams: Streams::default(),
            webhooks: Guard::default(),
            page: Page::new("UTC".parse().expect("a time zone"), Some("default")),
            base_paths: vec!["/api".to_owned(), "/api/v1".to_owned()],
            max_waiting: 1_000,
            fineract: fineract_seen,
            lacks_read_audit: watch::channel(false).1,
            draining: draining.clone(),
        };
        adjust(&mut state);
        let shared = state.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let door = Door {
            listener,
            limits: ConnectionLimits {
                in_all: 1_000,
                per_address: 1_000,
            },
            tls: None,
        };
        tasks.spawn(http::serve(door, state, stop.clone()));
        let client = http_client()
            .timeout(ANSWERED_WITHIN)
            .build()
            .expect("a client");
        Self {
            address,
            state: shared,
            store,
            fineract,
            draining,
            client,
            stop,
        }
    }

    /// A GET with the token of `los`.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client
            .get(self.url(path))
            .header("X-Internal-Token", TOKEN)
    }

    /// A POST of JSON with the token of `los`.
    pub(crate) fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client
            .post(self.url(path))
            .header("X-Internal-Token", TOKEN)
            .header("Content-Type", "application/json")
            .body(body)
    }

    /// The answer of track about this operation.
    pub(crate) async fn track(&self, tracking_id: &str) -> Value {
        let request = self.get(&format!("/fineract/track/{tracking_id}"));
        Answer::of(request).await.json()
    }

    /// The status of a transaction that the API key of `lender` reads.
    pub(crate) async fn transaction_status(&self, id: &str) -> Value {
        let request = self.request(reqwest::Method::GET, &format!("/transactions/{id}"));
        let request = request.header("Authorization", format!("Token {API_KEY}"));
        Answer::of(request).await.json()["status"].take()
    }

    /// A request without a token and without a body.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    /// Sends an operation, which must be accepted. Returns its tracking id.
    pub(crate) async fn accept(&self, body: &Value) -> String {
        let answer = Answer::of(self.post("/fineract/operate", body.to_string())).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        answer.json()["tracking_id"]
            .as_str()
            .expect("a tracking id")
            .to_owned()
    }

    /// Ends the next operation that is due, as a worker would. Waits until an operation is due.
    pub(crate) async fn end_next(&self, end: End) {
        let limits = claim_limits(1, OperationType::ALL);
        let claim = async {
            loop {
                let claimed = self
                    .store
                    .claim(&limits)
                    .await
                    .expect("the database is there");
                if let Some(claimed) = claimed.into_iter().next() {
                    return claimed;
                }
                self.store.notifier().work().await;
            }
        };
        let claimed = timeout(DEADLINE, claim)
            .await
            .expect("an operation becomes due");
        let completion = Completion::of(&claimed, None, Outcome::End(end));
        let completed = self.store.complete(completion).await;
        assert!(completed.expect("the database is there"));
    }

    /// Sends these bytes unchanged, and reads the answer until the gateway closes the connection.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address)
            .await
            .expect("the gateway listens");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("the gateway reads");
        let mut answer = String::new();
        timeout(ANSWERED_WITHIN, stream.read_to_string(&mut answer))
            .await
            .expect("the gateway answers in time")
            .expect("the answer is a text");
        answer
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// The limits of a claim of up to `count` operations of these types, without a limit for a lender.
pub(crate) fn claim_limits(count: i64, types: &[OperationType]) -> ClaimLimits {
    ClaimLimits {
        count,
        lease: Duration::from_mins(10),
        types: types.iter().map(ToString::to_string).collect(),
        leased_by_lender: HashMap::new(),
        per_lender: i64::MAX,
        lenders: ["DMI", "GB", "UGRO"].map(str::to_owned).to_vec(),
    }
}

fn deployment() -> Deployment {
    Deployment {
        office_id: 1,
        payment_type: None,
        lenders: vec![("UGRO".to_owned(), "UGRO".to_owned())],
    }
}
