//! Reads the objects that an operation needs for its plan or its evidence.

use std::{
    sync::{MutexGuard, PoisonError},
    time::Instant,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use super::{Fineract, cache::Cache};
use crate::domain::{Answer, Client, Facts, Failure, Loan, Named, Product, Reads, Transaction};

/// The code with which Fineract answers if the transaction belongs to another loan. The external id is then in use
/// (`docs/fineract/payments.md`, "Reading one transaction").
const TRANSACTION_OF_OTHER_LOAN: &str = "error.msg.loan.transaction.id.invalid";

/// The path of the list of payment types.
pub(super) const PAYMENT_TYPES: &str = "/paymenttypes";
/// The path of the list of offices.
pub(super) const OFFICES: &str = "/offices";

/// The object that was to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A client.
    Client,
    /// A loan.
    Loan,
    /// A lender's product.
    Product,
    /// The payment type of UTRs.
    PaymentType,
    /// A charge.
    Charge,
    /// The office of new clients.
    Office,
    /// A transaction of a loan.
    Transaction,
    /// The audit of a command.
    Audit,
}

/// The reason why an object could not be read.
#[derive(Debug)]
pub enum ReadFailure {
    /// Fineract did not answer.
    NoAnswer(Failure),
    /// Fineract refused: a 404, or an answer that concerns more than this operation.
    Refused(Answer),
    /// No product or payment type has the requested name.
    Missing(Subject),
    /// The answer does not have the form that Fineract documents.
    Unreadable(Subject),
}

impl ReadFailure {
    /// Whether Fineract refused because the gateway's user lacks a permission.
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
    /// Reads the objects that `reads` names. If Fineract does not have a client or loan, its field is `None` with
    /// `absent_is_a_finding`. Without `absent_is_a_finding`, the result is [`ReadFailure::Refused`] with the 404. The
    /// field of a transaction that does not exist is always `None`.
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

    /// Forgets all products, payment types and offices, so that the next look-up reads them again.
    pub fn forget(&self) {
        self.forget_until(Instant::now());
    }

    /// Forgets all products, payment types and offices that were requested at or before this time.
    pub(super) fn forget_until(&self, until: Instant) {
        let mut cache = self.cache();
        cache.products.forget_until(until);
        cache.payment_types.forget_until(until);
        cache.offices.forget_until(until);
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads one object. If Fineract does not have the object, the result is `None` with `absent_is_a_finding`.
    /// Without `absent_is_a_finding`, the result is the refusal.
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
            // A 404 without a code of Fineract means that the path is wrong, so it is no finding.
            404 if answer
                .codes()
                .iter()
                .any(|code| code == TRANSACTION_OF_OTHER_LOAN) =>
            {
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

    /// Reads the complete product with this name, in two reads, because the list of all products omits the charges
    /// (`docs/fineract/loans.md`, "Products").
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
            // The product may have been renamed between the two reads.
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

    /// The office with this number, or `None` if it cannot be read. No plan depends on the office's name, so the
    /// gateway's user may lack the permission to read offices.
    async fn office(&self, number: i64) -> Option<Named> {
        let now = Instant::now();
        if let Some(office) = self.known_office(number) {
            return office;
        }
        let read = self
            .listed(OFFICES, Subject::Office, |listed| listed.id == number)
            .await;
        let office = match read {
            Ok(office) => office,
            // Without an answer, nothing is known of the office.
            Err(ReadFailure::NoAnswer(_)) => return None,
            Err(_) => None,
        };
        self.cache()
            .offices
            .put(&number.to_string(), office.clone(), now);
        office
    }

    /// The office with this number as it was last read, if that was less than a minute ago. `Some(None)`: Fineract did
    /// not show it.
    pub fn known_office(&self, number: i64) -> Option<Option<Named>> {
        self.cache()
            .offices
            .get(&number.to_string(), Instant::now())
    }

    /// Reads a list and returns its first entry for which `matches` holds.
    pub(super) async fn listed(
        &self,
        list: &str,
        subject: Subject,
        matches: impl Fn(&Named) -> bool,
    ) -> Result<Option<Named>, ReadFailure> {
        let listed = self.read(list, subject, false, Named::parse_list).await?;
        Ok(listed.into_iter().flatten().find(matches))
    }
}

/// The part of the path that identifies a client or loan: its number if it is known, otherwise its external id.
fn address(number: Option<i64>, external_id: &str) -> String {
    number.map_or_else(
        || format!("external-id/{}", encode(external_id)),
        |number| number.to_string(),
    )
}

/// The characters to escape in a path segment: all except the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(super) fn encode(segment: &str) -> PercentEncode<'_> {
    utf8_percent_encode(segment, SEGMENT)
}
