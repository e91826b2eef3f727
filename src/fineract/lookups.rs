//! What operations ask to be read before they can be decided.

use std::{
    sync::{MutexGuard, PoisonError},
    time::Instant,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use super::{Fineract, cache::Cache};
use crate::domain::{Answer, Client, Facts, Failure, Loan, Named, Product, Reads, Transaction};

/// What Fineract answers about a transaction of another loan: its external id is taken, not free
/// (`docs/fineract/payments.md`, "Reading one transaction").
const ELSEWHERE: &str = "error.msg.loan.transaction.id.invalid";

/// The list of payment types.
pub(super) const PAYMENT_TYPES: &str = "/paymenttypes";
/// The list of offices.
pub(super) const OFFICES: &str = "/offices";

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
    /// A charge.
    Charge,
    /// The office of new clients.
    Office,
    /// A transaction of the loan.
    Transaction,
    /// A command's audit.
    Audit,
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

impl ReadFailure {
    /// Whether Fineract itself says that this user may not read it.
    pub fn is_forbidden(&self) -> bool {
        match self {
            Self::Refused(answer) => {
                let codes = answer.codes();
                answer.status == 403 && codes.iter().any(|code| code == "error.msg.not.authorized")
            }
            Self::NoAnswer(_) | Self::Missing(_) | Self::Unreadable(_) => false,
        }
    }
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
                "/loans/{}?associations=charges,multiDisburseDetails,transactions{}",
                address(reads.loan_id, external_id),
                if reads.notes { ",notes" } else { "" }
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
        if let Some(number) = reads.office {
            facts.office = self.office(number).await;
        }
        Ok(facts)
    }

    /// Forgets what is known of products, payment types and offices: the next look-up reads them anew.
    pub fn forget(&self) {
        self.forget_until(Instant::now());
    }

    /// Forgets what was asked for up to then.
    pub(super) fn forget_until(&self, until: Instant) {
        let mut cache = self.cache();
        cache.products.forget_until(until);
        cache.payment_types.forget_until(until);
        cache.offices.forget_until(until);
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Reads the product of that name whole: the list of all leaves its charges out (`docs/fineract/loans.md`,
    /// "Products").
    async fn product(&self, name: &str) -> Result<Product, ReadFailure> {
        let now = Instant::now();
        if let Some(product) = self.cache().products.get(name, now) {
            return Ok(product);
        }
        let listed = self
            .listed("/loanproducts", Subject::Product, |listed| {
                listed.name == name
            })
            .await?
            .ok_or(ReadFailure::Missing(Subject::Product))?;
        let product = self
            .read(
                &format!("/loanproducts/{}", listed.id),
                Subject::Product,
                true,
                Product::parse,
            )
            .await?
            // It may have been renamed between the two.
            .filter(|product| product.name == name)
            .ok_or(ReadFailure::Missing(Subject::Product))?;
        self.cache().products.put(name, product.clone(), now);
        Ok(product)
    }

    async fn payment_type(&self, name: &str) -> Result<Named, ReadFailure> {
        let now = Instant::now();
        if let Some(known) = self.cache().payment_types.get(name, now) {
            return Ok(known);
        }
        let known = self
            .listed(PAYMENT_TYPES, Subject::PaymentType, |listed| {
                listed.name == name
            })
            .await?
            .ok_or(ReadFailure::Missing(Subject::PaymentType))?;
        self.cache().payment_types.put(name, known.clone(), now);
        Ok(known)
    }

    /// The office of that number, where Fineract shows it: nothing is planned by its name, so that the gateway's
    /// user needs no right to read it.
    async fn office(&self, number: i64) -> Option<Named> {
        let now = Instant::now();
        if let Some(office) = self.cache().offices.get(&number.to_string(), now) {
            return Some(office);
        }
        let office = self
            .listed(OFFICES, Subject::Office, |listed| listed.id == number)
            .await
            .ok()
            .flatten()?;
        self.cache()
            .offices
            .put(&number.to_string(), office.clone(), now);
        Some(office)
    }

    /// The first of a list that is meant.
    pub(super) async fn listed(
        &self,
        list: &str,
        subject: Subject,
        is_meant: impl Fn(&Named) -> bool,
    ) -> Result<Option<Named>, ReadFailure> {
        let listed = self.read(list, subject, false, Named::parse_list).await?;
        Ok(listed.into_iter().flatten().find(is_meant))
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
