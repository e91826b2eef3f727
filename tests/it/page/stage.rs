//! A system with something on it that needs an operator.

use serde_json::json;
use sqlx::PgPool;

use crate::{
    bulk::Bulk,
    support::{
        OPS_TOKEN,
        caller::Caller,
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
    }
}
