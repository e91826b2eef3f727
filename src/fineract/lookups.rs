//! What operations ask to be read before they can be decided.

use std::{collections::HashMap, sync::PoisonError};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use super::Fineract;
use crate::domain::{
    Answer, Client, Facts, Failure, Loan, PaymentType, Product, Reads, Transaction,
    decision::PendingCommand,
};

/// What Fineract answers about a transaction of another loan: its external id is taken, not free
/// (`CONTRACT.md` section 16.1).
const ELSEWHERE: &str = "error.msg.loan.transaction.id.invalid";

/// Products and payment types by name: they hardly ever change, and a miss reads them anew.
#[derive(Debug, Default)]
pub(super) struct Cache {
    products: HashMap<String, Product>,
    payment_types: HashMap<String, i64>,
}

/// What a reading was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The client.
    Client,
    /// The loan.
    Loan,
    /// The lender's product.
    Product,
    /// The payment type of UTRs.
    PaymentType,
    /// A transaction of the loan.
    Transaction,
    /// The commands that wait for a checker.
    PendingCommands,
}

/// Why something could not be read.
#[derive(Debug)]
pub enum ReadFailure {
    /// No answer.
    NoAnswer(Failure),
    /// Fineract refused: a 404, or something that is wrong with more than this operation.
    Refused(Answer),
    /// There is no product, or no payment type, of that name.
    Missing(Subject),
    /// An answer that is not what Fineract's contract says.
    Unreadable(Subject),
}

impl Fineract {
    /// Reads what `reads` names. Clients, loans and transactions that Fineract does not have are `None`
    /// where `absent_is_a_finding`, and a [`ReadFailure::Refused`] with its 404 otherwise.
    pub async fn look_up(
        &self,
        reads: &Reads,
        absent_is_a_finding: bool,
    ) -> Result<Facts, ReadFailure> {
        let mut facts = Facts::default();
        if let Some(external_id) = &reads.client {
            let path = format!("/clients/{}", address(reads.client_id, external_id));
            facts.client = self
                .read(&path, Subject::Client, absent_is_a_finding, Client::parse)
                .await?;
        }
        if let Some(external_id) = &reads.loan {
            let path = format!(
                "/loans/{}?associations=charges,multiDisburseDetails,transactions",
                address(reads.loan_id, external_id)
            );
            facts.loan = self
                .read(&path, Subject::Loan, absent_is_a_finding, Loan::parse)
                .await?;
        }
        if let (Some(loan), Some(external_id)) = (&facts.loan, &reads.transaction) {
            facts.transaction = self.transaction(loan.id, external_id).await?;
        }
        if let Some(name) = &reads.product {
            facts.product = Some(self.product(name).await?);
        }
        if let Some(name) = &reads.payment_type {
            facts.payment_type = Some(self.payment_type(name).await?);
        }
        Ok(facts)
    }

    /// Reads the commands of a kind that wait for a checker, as far as this user is shown them.
    pub async fn pending_commands(
        &self,
        action: &str,
        entity: &str,
    ) -> Result<Vec<PendingCommand>, ReadFailure> {
        let path = format!("/makercheckers?actionName={action}&entityName={entity}");
        let pending = self
            .read(
                &path,
                Subject::PendingCommands,
                false,
                PendingCommand::parse_list,
            )
            .await?;
        Ok(pending.unwrap_or_default())
    }

    /// Forgets what is known of products and payment types: the next look-up reads them anew.
    pub fn forget(&self) {
        *self.cache.lock().unwrap_or_else(PoisonError::into_inner) = Cache::default();
    }

    /// Reads one thing; where Fineract does not have it, `None` or its refusal.
    pub(super) async fn read<T>(
        &self,
        path: &str,
        subject: Subject,
        absent_is_a_finding: bool,
        parse: fn(&str) -> Result<T, serde_json::Error>,
    ) -> Result<Option<T>, ReadFailure> {
        let answer = self.get(path).await.map_err(ReadFailure::NoAnswer)?;
        match answer.status {
            200 => match parse(&answer.body) {
                Ok(read) => Ok(Some(read)),
                Err(_) => Err(ReadFailure::Unreadable(subject)),
            },
            // Without one of Fineract's codes it is the path that is not there.
            404 if answer.codes().iter().any(|code| code == ELSEWHERE) => {
                Err(ReadFailure::Unreadable(subject))
            }
            404 if absent_is_a_finding && !answer.codes().is_empty() => Ok(None),
            _ => Err(ReadFailure::Refused(answer)),
        }
    }

    async fn transaction(
        &self,
        loan_id: i64,
        external_id: &str,
    ) -> Result<Option<Transaction>, ReadFailure> {
        let path = format!(
            "/loans/{loan_id}/transactions/external-id/{}",
            encode(external_id)
        );
        self.read(&path, Subject::Transaction, true, Transaction::parse)
            .await
    }

    async fn product(&self, name: &str) -> Result<Product, ReadFailure> {
        let cached = |fineract: &Self| {
            let cache = fineract
                .cache
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            cache.products.get(name).cloned()
        };
        if let Some(product) = cached(self) {
            return Ok(product);
        }
        let products = self
            .read(
                "/loanproducts",
                Subject::Product,
                false,
                Product::parse_list,
            )
            .await?
            .unwrap_or_default();
        {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.products = products
                .into_iter()
                .map(|product| (product.name.clone(), product))
                .collect();
        }
        cached(self).ok_or(ReadFailure::Missing(Subject::Product))
    }

    async fn payment_type(&self, name: &str) -> Result<i64, ReadFailure> {
        let cached = |fineract: &Self| {
            let cache = fineract
                .cache
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            cache.payment_types.get(name).copied()
        };
        if let Some(id) = cached(self) {
            return Ok(id);
        }
        let types = self
            .read(
                "/paymenttypes",
                Subject::PaymentType,
                false,
                PaymentType::parse_list,
            )
            .await?
            .unwrap_or_default();
        {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.payment_types = types.into_iter().map(|kind| (kind.name, kind.id)).collect();
        }
        cached(self).ok_or(ReadFailure::Missing(Subject::PaymentType))
    }
}

/// Where a client or a loan is found: by its number, where that is known, else by its external id.
fn address(number: Option<i64>, external_id: &str) -> String {
    number.map_or_else(
        || format!("external-id/{}", encode(external_id)),
        |number| number.to_string(),
    )
}

/// What stands in a path segment as it is: RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(super) fn encode(segment: &str) -> PercentEncode<'_> {
    utf8_percent_encode(segment, SEGMENT)
}
