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
mod other_external_id;
mod parking;
mod payments;
mod stuck;

use serde_json::Value;
use sqlx::PgPool;

use crate::{
    fake_fineract::FakeFineract,
    support::{
        caller::Caller,
        database::stop_retries,
        eventually::{eventually_ok, while_waiting},
        system::System,
    },
};

/// A system whose Fineract is a fake.
pub(crate) struct Bench {
    pub(crate) fake: FakeFineract,
    pub(crate) system: System,
    pub(crate) pool: PgPool,
}

/// The state of an operation, and its reason code.
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

    /// A bench whose gateways do not know yet whether the fake honours keys.
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
        stop_retries(&pool).await;
        Self { fake, system, pool }
    }

    pub(crate) async fn gateway(&self) -> Caller {
        self.system.gateway().await
    }

    /// Makes every ready operation due, except the operations with this reason code.
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

    /// Makes every ready operation due.
    async fn hurry(&self) {
        self.hurry_unless("").await;
    }

    /// Makes all attempts older by this many seconds.
    async fn age(&self, seconds: f64) {
        sqlx::query!(
            "UPDATE attempt SET sent_at = sent_at - make_interval(secs => $1)",
            seconds
        )
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// Forgets the numbers of clients and loans, because the fake gives the same number to all and shows no object for
    /// it.
    async fn forget_numbers(&self) {
        sqlx::query!("UPDATE lane SET resource_id = NULL")
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// Moves `reason_since` of all operations two days into the past.
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

    /// Makes retries due until the operation has this state and this reason code.
    pub(crate) async fn eventually(&self, tracking_id: &str, state: &str, reason_code: &str) {
        let wanted = Standing {
            state: state.to_owned(),
            reason_code: Some(reason_code.to_owned()),
        };
        let hurried = if state == "ready" { reason_code } else { "" };
        eventually_ok(&format!("{wanted:?}"), async || {
            let standing = self.standing(tracking_id).await;
            if standing == wanted {
                return Ok(());
            }
            self.hurry_unless(hurried).await;
            Err(standing)
        })
        .await;
    }

    /// Makes retries due until this many commands have arrived, and no more. It counts attempts, because an attempt is
    /// in the database before its command is sent.
    pub(crate) async fn until_commands(&self, count: usize) {
        eventually_ok("the commands arrive", async || {
            let commands = self.fake.commands();
            if commands.len() >= count {
                return Ok(());
            }
            sqlx::query!(
                "UPDATE operation SET due_at = now()
                  WHERE state = 'ready' AND (SELECT count(*) FROM attempt) < $1",
                i64::try_from(count).unwrap()
            )
            .execute(&self.pool)
            .await
            .unwrap();
            self.notify().await;
            Err(commands)
        })
        .await;
    }

    /// Makes retries due until the operation has ended.
    pub(crate) async fn end_of(&self, gateway: &Caller, tracking_id: &str) -> Value {
        while_waiting(gateway.end_of(tracking_id), async || self.hurry().await).await
    }
}
