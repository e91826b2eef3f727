//! A system with something on it that needs an operator.

use fineract_gateway::tls::http_client;
use serde_json::json;
use sqlx::PgPool;

use crate::{
    bulk::Bulk,
    support::{
        Answer, OPS_TOKEN, TOKEN,
        caller::Caller,
        eventually::eventually,
        fixtures::{approve, client, envelope, loan, rename},
        operators::Operator,
        system::System,
    },
};

/// A running system, and what is on it.
pub(super) struct Stage {
    pub(super) gateway: Caller,
    pub(super) operator: Operator,
    /// The tracking id of a parked update without an effect.
    pub(super) parked: String,
    _system: System,
}

/// Starts a gateway that parks an operation that was stuck for some seconds, and parks one.
pub(super) async fn start(pool: &PgPool) -> Stage {
    let mut system = System::start(pool).await;
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    system.set("FINERACT_STUCK_AFTER_SECONDS", "3");
    system.set("RETRY_PARK_AFTER_SECONDS", "1");
    system.set("WEBHOOKS_ALLOW_HTTP", "true");
    system.set("WEBHOOKS_ALLOW_NETWORKS", "127.0.0.0/8");
    let gateway = system.gateway().await;
    let operator = Operator::of(gateway.address);
    gateway.run("CLIENT_CREATE", client("INC-1")).await;
    let fault = json!({ "match": { "method": "PUT", "path": "/clients/" }, "fault": "stuck", "effect": false });
    system.fault(fault).await;
    let parked = gateway.send("CLIENT_UPDATE", rename("INC-1")).await;
    operator.in_state(&parked, "parked").await;
    Stage {
        gateway,
        operator,
        parked,
        _system: system,
    }
}

impl Stage {
    /// Adds an endpoint that has got nothing yet, and one at which every try fails, because nobody listens there.
    async fn add_webhooks(&self) {
        let post = async |path: &str, body: serde_json::Value| {
            let url = format!("http://{}/webhooks/endpoints{path}", self.gateway.address);
            let request = http_client().build().expect("a client").post(url);
            let answer = Answer::of(request.header("X-Internal-Token", TOKEN).json(&body)).await;
            assert!(answer.status.is_success(), "{}", answer.text);
            answer.json()
        };
        post(
            "",
            json!({ "url": "https://los.example.org/hooks", "enabled": false }),
        )
        .await;
        // Port 1 belongs to no program.
        let failing =
            json!({ "url": "http://127.0.0.1:1/?key=secret", "description": "the LOS in staging" });
        let failing = post("", failing).await["id"].take();
        let failing = failing.as_str().expect("an id");
        post(&format!("/{failing}/test"), serde_json::Value::Null).await;
        eventually("a try fails", async || {
            let webhooks = self.operator.get("/webhooks").await.json();
            let mut endpoints = webhooks["endpoints"].as_array().expect("a list").iter();
            endpoints.any(|endpoint| endpoint["failing_since"].is_string())
        })
        .await;
    }

    /// Adds an operation on hold, a loan, a failed operation and a batch with a failed row.
    pub(super) async fn fill(&self) {
        self.gateway.run("CLIENT_CREATE", client("INC-3")).await;
        self.gateway
            .run("LOAN_CREATE", loan("LOAN-1", "INC-3"))
            .await;
        self.gateway.run("LOAN_APPROVE", approve("LOAN-404")).await;
        let behind = self.gateway.send("CLIENT_UPDATE", rename("INC-1")).await;
        let reason = json!({ "reason": "bank holiday" });
        let held = self
            .operator
            .request(reqwest::Method::POST, &format!("/{behind}/hold"));
        assert!(
            held.json(&reason)
                .send()
                .await
                .expect("an answer")
                .status()
                .is_success()
        );
        let rows = vec![
            envelope("CLIENT_CREATE", client("INC-2")),
            envelope("LOAN_APPROVE", approve("LOAN-405")),
        ];
        let bulk = Bulk::new(self.gateway.address);
        bulk.schedule("batch-1", rows).await;
        self.add_webhooks().await;
        let key = json!({ "name": "acme-los", "kind": "internal_token" });
        assert_eq!(self.operator.post("/keys", &key).await.status, 201);
    }
}
