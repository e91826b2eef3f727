//! The test bed: gateways, and a sandbox that is restored, restarted, and used by the back office.

use fineract_gateway::tls::http_client;
use fineract_sandbox::Sandbox;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    OPS_TOKEN,
    caller::Caller,
    database::stop_retries,
    eventually::{DEADLINE, eventually_ok},
    keys::trust_keys,
    operators::Operator,
    sandbox::ServedSandbox,
    system::System,
};

pub(super) struct Bed {
    pub(super) fineract: ServedSandbox,
    pub(super) system: System,
    pub(super) pool: PgPool,
}

impl Bed {
    pub(super) async fn start(pool: PgPool) -> Self {
        let fineract = ServedSandbox::start(Sandbox::new()).await;
        let mut system = System::start(&pool).await;
        system.set("FINERACT_URL", &fineract.url());
        system.set("WORKER_LEASE_SECONDS", "60");
        system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
        let bed = Self {
            fineract,
            system,
            pool,
        };
        stop_retries(&bed.pool).await;
        bed
    }

    /// Makes all attempts an hour old. After that time, none of their commands can still run in Fineract.
    pub(super) async fn age(&self) {
        sqlx::query!("UPDATE attempt SET sent_at = sent_at - interval '1 hour'")
            .execute(&self.pool)
            .await
            .unwrap();
    }

    pub(super) async fn gateway(&self) -> Caller {
        self.system.gateway().await
    }

    /// Lets operations be tried again after `stop_retries`, and makes those that wait for their next try due.
    pub(super) async fn go_on(&self) {
        let sql = "DROP TRIGGER stay ON operation;
                   UPDATE operation SET due_at = now() WHERE state = 'ready';
                   NOTIFY operation_ready";
        sqlx::raw_sql(sql).execute(&self.pool).await.unwrap();
    }

    /// Sends an operation. Its command takes effect, but the answer is lost. Returns its tracking id when the operation
    /// waits for its next try.
    pub(super) async fn lose_answer(
        &self,
        gateway: &Caller,
        operation_type: &str,
        data: Value,
    ) -> String {
        let method = match operation_type {
            "LOAN_DELETE" => "DELETE",
            _ => "POST",
        };
        self.admin(
            "faults",
            &json!([{ "match": { "method": method }, "fault": "reset_after", "times": 1 }]),
        )
        .await;
        let id = gateway.send(operation_type, data).await;
        let operator = Operator::of(gateway.address);
        let waits = |operation: &Value| {
            operation["state"] == "ready" && operation["reason_code"].is_string()
        };
        operator.eventually(&id, waits).await;
        id
    }

    /// Restores Fineract from a backup that contains no clients and no loans.
    pub(super) async fn restore_to_nothing(&self) {
        self.admin("reset", &Value::Null).await;
        // These tests are not about key probes. So the database gets the record that Fineract honours keys.
        sqlx::query!("DELETE FROM key_probe")
            .execute(&self.pool)
            .await
            .unwrap();
        trust_keys(&self.system).await;
    }

    /// Restarts Fineract: another process with the same books.
    pub(super) async fn restart(&self) {
        self.admin("restart", &Value::Null).await;
    }

    async fn admin(&self, route: &str, body: &Value) {
        let url = self
            .fineract
            .url()
            .replace("fineract-provider/api/v1", "sandbox");
        let answer = http_client()
            .timeout(DEADLINE)
            .build()
            .expect("a client")
            .post(format!("{url}/{route}"))
            .json(body)
            .send()
            .await;
        let answer = answer.expect("the sandbox answers");
        assert!(answer.status().is_success(), "{route}: {}", answer.status());
    }

    /// How many loans have been deleted.
    pub(super) async fn deletions(&self) -> usize {
        let url = self
            .fineract
            .url()
            .replace("fineract-provider/api/v1", "sandbox/ledger");
        let ledger: Vec<Value> = http_client()
            .build()
            .unwrap()
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let is_deletion = |effect: &&Value| effect.to_string().contains("DELETE");
        ledger.iter().filter(is_deletion).count()
    }

    /// The back office creates a client.
    pub(super) async fn create_client_for_others(&self, external_id: &str) -> i64 {
        let client = json!({
            "officeId": 1, "legalFormId": 1, "firstname": "B", "lastname": "B", "externalId": external_id,
            "active": true, "activationDate": "01 January 2026", "submittedOnDate": "01 January 2026",
            "locale": "en", "dateFormat": "dd MMMM yyyy",
        });
        let created = self
            .fineract
            .request(Method::POST, "/clients", &client)
            .await;
        created["clientId"].as_i64().unwrap()
    }

    /// The back office submits a loan application for a client of its own.
    pub(super) async fn file_for_others(&self, external_id: &str) {
        let client = self
            .create_client_for_others(&format!("C-{external_id}"))
            .await;
        let loan = json!({
            "clientId": client, "productId": 2, "externalId": external_id, "loanType": "individual",
            "principal": 55_000, "submittedOnDate": "11 January 2026",
            "expectedDisbursementDate": "11 January 2026",
            "loanTermFrequency": 12, "loanTermFrequencyType": 2, "numberOfRepayments": 12,
            "repaymentEvery": 1, "repaymentFrequencyType": 2, "interestRatePerPeriod": 9,
            "amortizationType": 1, "interestType": 0, "interestCalculationPeriodType": 1,
            "transactionProcessingStrategyCode": "mifos-standard-strategy",
            "locale": "en", "dateFormat": "dd MMMM yyyy",
        });
        self.fineract.request(Method::POST, "/loans", &loan).await;
    }

    pub(super) async fn approve_for_others(&self, loan: i64) {
        let body = json!({ "approvedOnDate": "11 January 2026", "locale": "en", "dateFormat": "dd MMMM yyyy" });
        let path = format!("/loans/{loan}?command=approve");
        self.fineract.request(Method::POST, &path, &body).await;
    }

    pub(super) async fn pay_out_for_others(&self, loan: i64) {
        let body = json!({ "actualDisbursementDate": "11 January 2026", "locale": "en", "dateFormat": "dd MMMM yyyy" });
        let path = format!("/loans/{loan}?command=disburse");
        self.fineract.request(Method::POST, &path, &body).await;
    }

    /// Waits until the gateway reports this state of Fineract. The gateway must be ready all the time.
    pub(super) async fn until_fineract_is(&self, gateway: &Caller, state: &str, reason: &Value) {
        eventually_ok("the gateway reports this state of Fineract", async || {
            let answer = gateway.get("/readyz").await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let fineract = answer.json()["fineract"].take();
            if fineract["state"] == state && fineract["reason"] == *reason {
                Ok(())
            } else {
                Err(fineract)
            }
        })
        .await;
    }
}
