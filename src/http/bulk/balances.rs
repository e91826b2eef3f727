//! What Fineract says of accounts now: the one place where a request reads Fineract.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

use crate::{
    domain::{OperationId, OperationType, Reads},
    fineract::{Account, Fineract, Permits},
    operations::{self, Deployment},
};

/// How long the reads of one page may take together.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// Reads of one page that wait for a permit at once; what is left for them is less than that.
const READS: usize = 8;

/// The accounts behind a row; `None` where Fineract did not say.
pub(super) type AccountDetails = Option<Vec<Account>>;

/// Whose accounts are asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Subject {
    /// A client's, by external id.
    Client(String),
    /// A loan, by external id.
    Loan(String),
}

/// Reads accounts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Balances {
    fineract: Fineract,
    permits: Arc<Permits>,
}

impl Balances {
    /// Reads them from this Fineract, with permits that no operation waits for.
    pub fn new(fineract: Fineract, permits: Arc<Permits>) -> Self {
        Self { fineract, permits }
    }

    /// Whose accounts an operation is about.
    pub(super) fn subject(
        operation_type: OperationType,
        payload: &RawValue,
        deployment: &Deployment,
        id: OperationId,
    ) -> Option<Subject> {
        let entry = operations::entry(operation_type)?;
        let Reads { client, loan, .. } = (entry.evidence_reads)(payload, deployment, id).ok()?;
        loan.map(Subject::Loan).or(client.map(Subject::Client))
    }

    /// Reads the accounts behind operations, as many as can be read in time.
    pub(super) async fn read(
        &self,
        subjects: Vec<(OperationId, Option<Subject>)>,
    ) -> HashMap<OperationId, AccountDetails> {
        let deadline = Instant::now() + PAGE_TIMEOUT;
        let wanted: BTreeSet<Subject> = subjects
            .iter()
            .filter_map(|(_, subject)| subject.clone())
            .collect();
        let reads = wanted.into_iter().map(|subject| {
            let balances = self.clone();
            async move {
                let read = timeout_at(deadline, balances.read_one(&subject)).await;
                (subject, read.ok().flatten())
            }
        });
        let accounts: HashMap<Subject, AccountDetails> =
            stream::iter(reads).buffer_unordered(READS).collect().await;
        subjects
            .into_iter()
            .map(|(id, subject)| {
                let found = subject.and_then(|subject| accounts.get(&subject).cloned());
                (id, found.flatten())
            })
            .collect()
    }

    async fn read_one(&self, subject: &Subject) -> AccountDetails {
        let _permit = self.permits.acquire_spare().await;
        let read = match subject {
            Subject::Client(external_id) => self.fineract.client_accounts(external_id).await,
            Subject::Loan(external_id) => self.fineract.loan_account(external_id).await,
        };
        match read {
            Ok(accounts) => Some(accounts),
            Err(failure) => {
                tracing::debug!(?failure, "accounts could not be read");
                None
            }
        }
    }
}
