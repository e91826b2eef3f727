//! What becomes of an operation when Fineract answers badly, late, twice or not at all.

mod believed;
mod blocked;
mod checker;
mod checker_restored;
mod closing;
mod forgotten;
mod honoured;
mod keys;
mod on_hold;
mod parking;
mod payments;
mod stuck;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    fake_fineract::FakeFineract,
    support::system::{Caller, System},
};

/// No test waits longer for anything.
const DEADLINE: Duration = Duration::from_secs(40);

const CLIENT: &str = r#"200 {"officeId":1,"clientId":7,"resourceId":7,"resourceExternalId":"C-1"}"#;
const CLIENT_STORED: &str =
    r#"200c {"officeId":1,"clientId":7,"resourceId":7,"resourceExternalId":"C-1"}"#;
const LOAN_DONE: &str = r#"200 {"officeId":1,"clientId":7,"loanId":9,"resourceId":9}"#;

/// What is to be tried again stays where it is until the test goes on with it: so it can be looked at.
pub(crate) const NOTHING_BY_ITSELF: &str = "
    CREATE OR REPLACE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.due_at := now() + interval '1 hour'; RETURN NEW; END $$;
    CREATE OR REPLACE TRIGGER stay BEFORE UPDATE ON operation
       FOR EACH ROW WHEN (OLD.state = 'running' AND NEW.state = 'ready') EXECUTE FUNCTION stay()";

/// A gateway before a fake.
pub(crate) struct Bench {
    pub(crate) fake: FakeFineract,
    pub(crate) system: System,
    pub(crate) pool: PgPool,
}

/// Where an operation stands.
#[derive(Debug, PartialEq)]
struct Standing {
    state: String,
    reason_code: Option<String>,
}

impl Bench {
    pub(crate) async fn start(pool: PgPool) -> Self {
        let system = System::start(&pool).await;
        Self::before_a_fake(pool, system).await
    }

    /// The same, where nobody knows whether the fake honours keys.
    async fn asking(pool: PgPool) -> Self {
        let system = System::asking(&pool).await;
        Self::before_a_fake(pool, system).await
    }

    async fn before_a_fake(pool: PgPool, mut system: System) -> Self {
        let fake = FakeFineract::start().await;
        system.set("FINERACT_URL", &fake.url());
        system.set("FINERACT_USER", "gateway");
        system.set("FINERACT_TIMEOUT_SECONDS", "1");
        system.set("WORKER_LEASE_SECONDS", "60");
        sqlx::raw_sql(NOTHING_BY_ITSELF)
            .execute(&pool)
            .await
            .unwrap();
        Self { fake, system, pool }
    }

    pub(crate) async fn gateway(&self) -> Caller {
        self.system.gateway().await
    }

    /// Nothing has to wait for its next try, but what waits for this reason.
    async fn hurry_unless(&self, reason_code: &str) {
        sqlx::query!(
            "UPDATE operation SET due_at = now() WHERE state = 'ready' AND reason_code IS DISTINCT FROM $1",
            reason_code
        )
        .execute(&self.pool)
        .await
        .unwrap();
        self.notify().await;
    }

    async fn notify(&self) {
        sqlx::query!("SELECT pg_notify($1, $2)", "operation_ready", "")
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// Nothing has to wait for its next try.
    async fn hurry(&self) {
        self.hurry_unless("").await;
    }

    /// Makes everything that was sent so much older.
    async fn age(&self, seconds: f64) {
        sqlx::query!(
            "UPDATE attempt SET sent_at = sent_at - make_interval(secs => $1)",
            seconds
        )
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// Forgets the numbers of clients and loans: the fake gives one to all, and shows none under it.
    async fn forget_numbers(&self) {
        sqlx::query!("UPDATE lane SET resource_id = NULL")
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// Makes every trouble two days old.
    async fn age_troubles(&self) {
        sqlx::query!("UPDATE operation SET reason_since = reason_since - interval '2 days'")
            .execute(&self.pool)
            .await
            .unwrap();
    }

    async fn standing(&self, tracking_id: &str) -> Standing {
        let id = tracking_id.split_once('|').unwrap().1.parse::<uuid::Uuid>();
        let row = sqlx::query!(
            "SELECT state, reason_code FROM operation WHERE id = $1",
            id.unwrap()
        )
        .fetch_one(&self.pool)
        .await
        .unwrap();
        Standing {
            state: row.state,
            reason_code: row.reason_code,
        }
    }

    /// Hurries until the operation stands so, for that reason.
    pub(crate) async fn until(&self, tracking_id: &str, state: &str, reason_code: &str) {
        let started = Instant::now();
        let wanted = Standing {
            state: state.to_owned(),
            reason_code: Some(reason_code.to_owned()),
        };
        loop {
            let standing = self.standing(tracking_id).await;
            if standing == wanted {
                return;
            }
            assert!(started.elapsed() < DEADLINE, "{standing:?}, not {wanted:?}");
            let hurried = if state == "ready" { reason_code } else { "" };
            self.hurry_unless(hurried).await;
            self.fake.tick().await;
        }
    }

    /// Hurries until so many commands have arrived, and none beyond them: an attempt is in the database before its
    /// command is sent.
    pub(crate) async fn until_commands(&self, count: usize) {
        let started = Instant::now();
        while self.fake.commands().len() < count {
            assert!(started.elapsed() < DEADLINE, "{:?}", self.fake.commands());
            sqlx::query!(
                "UPDATE operation SET due_at = now()
                  WHERE state = 'ready' AND (SELECT count(*) FROM attempt) < $1",
                i64::try_from(count).unwrap()
            )
            .execute(&self.pool)
            .await
            .unwrap();
            self.notify().await;
            self.fake.tick().await;
        }
    }

    /// Hurries until the operation has ended.
    pub(crate) async fn end_of(&self, gateway: &Caller, tracking_id: &str) -> Value {
        let hurrying = async {
            loop {
                self.hurry().await;
                self.fake.tick().await;
            }
        };
        tokio::select! {
            end = gateway.end_of(tracking_id) => end,
            () = hurrying => unreachable!(),
        }
    }
}

pub(crate) fn client(external_id: &str) -> Value {
    json!({ "firstname": "A", "lastname": "B", "externalId": external_id,
            "activationDate": "01 January 2026" })
}

fn approve() -> Value {
    json!({ "external_loan_id": "L-1", "approvedOnDate": "10 January 2024" })
}

/// The fake's answer for loan 9, some of its parts replaced.
fn loan(parts: &[(&str, &str)]) -> String {
    let loan = r#"200 {"id":9,"externalId":"L-1","status":{"id":100},"clientId":7,"clientOfficeId":1,
        "loanProductId":2,"loanProductName":"UGRO","principal":100000.000000,"approvedPrincipal":100000.000000,
        "proposedPrincipal":100000.000000,"termFrequency":12,"termPeriodFrequencyType":{"id":2},
        "numberOfRepayments":12,"repaymentEvery":1,"interestRatePerPeriod":8.000000,
        "amortizationType":{"id":1},"interestType":{"id":0},"interestCalculationPeriodType":{"id":1},
        "allowPartialPeriodInterestCalculation":false,"disallowExpectedDisbursements":false,
        "multiDisburseLoan":false,"isEqualAmortization":false,
        "transactionProcessingStrategyCode":"mifos-standard-strategy","timeline":{
        "submittedOnDate":[2024,1,10],"submittedByUsername":"gateway"},"disbursementDetails":[],"transactions":[]}"#;
    parts.iter().fold(loan.to_owned(), |loan, (from, to)| {
        assert!(loan.contains(from), "{from}");
        loan.replace(from, to)
    })
}

/// Loan 9, approved on the day of [`approve`] by this user.
pub(crate) fn approved_by(user: &str) -> String {
    let timeline =
        format!(r#""timeline":{{"approvedOnDate":[2024,1,10],"approvedByUsername":"{user}","#);
    loan(&[
        (r#""status":{"id":100}"#, r#""status":{"id":200}"#),
        (r#""timeline":{"#, &timeline),
    ])
}

/// Has the fake know loan 9, by its external id and by its number.
pub(crate) fn stands(fake: &FakeFineract, loan: &str) {
    fake.reads("/loans/external-id/L-1?", loan);
    fake.reads("/loans/9?", loan);
    fake.reads("/loans/9$", loan);
    fake.reads("/loanproducts/2$", r#"200 {"id":2,"name":"UGRO"}"#);
}
