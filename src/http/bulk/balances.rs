//! The current balances of accounts in Fineract. This is the only place where a request to the gateway reads Fineract.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    domain::{OperationId, OperationType, Reads, TrackingId, Transaction},
    fineract::{Account, Fineract, Permits},
    operations::{self, Deployment},
};

/// The longest time that all reads of one page may take together.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many reads of one page run or wait for a permit at the same time. Usually fewer permits than this are free.
const READS: usize = 8;

/// The accounts that a row concerns; `None` if they could not be read.
pub(in crate::http) type AccountDetails = Option<Vec<Account>>;

/// The client or loan whose accounts are read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Subject {
    /// All accounts of the client with this external id.
    Client(String),
    /// The loan with this external id.
    Loan(String),
}

/// Reads accounts from Fineract. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Balances {
    fineract: Fineract,
    permits: Arc<Permits>,
}

impl Balances {
    /// Creates a reader of this Fineract. It uses only permits for which no operation waits.
    pub fn new(fineract: Fineract, permits: Arc<Permits>) -> Self {
        Self { fineract, permits }
    }

    /// The client or loan that an operation concerns.
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

    /// Reads the accounts that one operation concerns. `None` if they could not be read, or if the payload does not tell
    /// which accounts they are.
    pub(in crate::http) async fn read_for(
        &self,
        operation: TrackingId,
        payload: &RawValue,
        deployment: &Deployment,
    ) -> AccountDetails {
        let TrackingId { operation_type, id } = operation;
        let subject = Self::subject(operation_type, payload, deployment, id)?;
        self.read(vec![(id, Some(subject))]).await.remove(&id)?
    }

    /// Reads the payment that this operation has made, or one of those that are the same, run again. `None` if the operation makes no payment, or if Fineract could not
    /// be read; inside, `None` if Fineract has no such payment.
    pub(in crate::http) async fn read_payment(
        &self,
        TrackingId { operation_type, id }: TrackingId,
        same: &[TrackingId],
        payload: &RawValue,
        deployment: &Deployment,
    ) -> Option<Option<Transaction>> {
        let entry = operations::entry(operation_type)?;
        let reads = (entry.evidence_reads)(payload, deployment, id).ok()?;
        reads.transaction.as_ref()?;
        let read = async {
            let _permit = self.permits.acquire_spare().await;
            self.fineract.look_up(&reads, true).await
        };
        let facts = timeout(PAGE_TIMEOUT, read).await.ok()?.ok()?;
        let Some(loan) = &facts.loan else {
            return Some(None);
        };
        let ids = [id].into_iter().chain(same.iter().map(|same| same.id));
        let mut own = ids.filter_map(|id| operations::own_transaction(loan, &facts, id));
        Some(own.next().cloned())
    }

    /// Reads the accounts that operations concern, as many as possible in the given time.
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
                tracing::debug!(?failure, "cannot read accounts; answering without them");
                None
            }
        }
    }
}
