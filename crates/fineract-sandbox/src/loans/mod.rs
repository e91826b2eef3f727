//! Loans: their states, their commands and how they read (`docs/fineract/loans.md`, `docs/fineract/payments.md`).

mod account;
mod application;
mod approve;
mod charges;
mod decline;
mod disburse;
mod enums;
mod money;
mod notes;
mod payment;
mod read;
mod repay;
mod rules;
mod schedule;
mod settle;
mod summary;
mod terms;
mod tranches;
mod transactions;
mod undo;
mod update;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::books::{Desk, next};
use super::failure::Failure;
use super::json::Object;
use super::operations::{Outcome, Posting};
use super::users::Who;

pub(super) use account::account;
pub(super) use application::{create, delete};
pub(super) use approve::approve;
pub(super) use decline::{reject, withdraw};
pub(super) use disburse::disburse;
pub(super) use enums::{product_choices, status};
pub(super) use read::{read, search};
pub(super) use repay::{adjust, repay};
pub(super) use settle::{close, foreclose, write_off};
pub(super) use terms::Terms;
pub(super) use transactions::{read_transaction, template};
pub(super) use undo::{undo_approval, undo_disbursal, undo_last_disbursal};
pub(super) use update::update;

pub(super) const SUBMITTED: i64 = 100;
pub(super) const APPROVED: i64 = 200;
pub(super) const ACTIVE: i64 = 300;
pub(super) const WITHDRAWN: i64 = 400;
pub(super) const REJECTED: i64 = 500;
pub(super) const CLOSED: i64 = 600;
pub(super) const WRITTEN_OFF: i64 = 601;
pub(super) const OVERPAID: i64 = 700;

/// When something was done, and by whom.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    pub(super) on: NaiveDate,
    pub(super) by: Who,
}

/// A loan.
#[derive(Clone, Debug)]
pub(super) struct Loan {
    pub(super) id: i64,
    pub(super) client_id: i64,
    pub(super) status: i64,
    pub(super) foreclosed: bool,
    /// What was applied for.
    pub(super) terms: Terms,
    /// What is lent now: falls when less is disbursed.
    pub(super) principal: Decimal,
    pub(super) approved_principal: Decimal,
    /// The last amount paid, less the charges due then.
    pub(super) net_disbursal: Decimal,
    pub(super) submitted_by: Who,
    pub(super) approved: Option<Stamp>,
    pub(super) disbursed: Option<Stamp>,
    pub(super) rejected: Option<Stamp>,
    pub(super) withdrawn: Option<Stamp>,
    pub(super) closed: Option<Stamp>,
    pub(super) written_off: Option<Stamp>,
    pub(super) charges: Vec<Charge>,
    pub(super) tranches: Vec<Tranche>,
    pub(super) transactions: Vec<Transaction>,
    pub(super) notes: Vec<Note>,
    /// How often the client had been paid on this product when this loan was.
    pub(super) cycle: i64,
}

/// A charge due at disbursement.
#[derive(Clone, Debug)]
pub(super) struct Charge {
    pub(super) id: i64,
    pub(super) definition: Object,
    /// The amount, or the percentage of the principal.
    pub(super) rate: Decimal,
    pub(super) applied_to: Decimal,
    pub(super) amount: Decimal,
    pub(super) submitted_on: NaiveDate,
    pub(super) paid: bool,
}

/// A planned disbursement of a multi-disburse loan; open until it was paid.
#[derive(Clone, Debug)]
pub(super) struct Tranche {
    pub(super) id: i64,
    pub(super) expected_on: NaiveDate,
    pub(super) paid_on: Option<NaiveDate>,
    pub(super) principal: Decimal,
    pub(super) net_disbursal: Option<Decimal>,
}

/// A movement on a loan.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) id: i64,
    pub(super) kind: Kind,
    pub(super) on: NaiveDate,
    pub(super) amount: Decimal,
    pub(super) external_id: Option<String>,
    pub(super) payment: Option<Object>,
    pub(super) outstanding: Decimal,
    pub(super) parts: Parts,
    pub(super) submitted_on: NaiveDate,
    pub(super) reversed_on: Option<NaiveDate>,
    /// Undone by itself, not with its loan's disbursement (`docs/fineract/payments.md`, "Undone payments").
    pub(super) manually_reversed: bool,
}

/// A note of a loan, or of one of its transactions.
#[derive(Clone, Debug)]
pub(super) struct Note {
    id: i64,
    transaction: Option<i64>,
    text: String,
    by: Who,
}

/// What a transaction was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Parts {
    pub(super) principal: Decimal,
    pub(super) interest: Decimal,
    pub(super) fees: Decimal,
    pub(super) overpayment: Decimal,
}

/// The kinds of transactions that the sandbox makes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Disbursement,
    Repayment,
    ChargeAtDisbursement,
    WriteOff,
    Accrual,
}

impl Loan {
    pub(super) fn account_no(&self) -> String {
        format!("{:09}", self.id)
    }

    pub(super) fn external_id(&self) -> Option<&str> {
        self.terms.external_id.as_deref()
    }

    pub(super) fn transaction(&self, id: i64) -> Option<&Transaction> {
        self.transactions
            .iter()
            .find(|transaction| transaction.id == id)
    }

    /// Whether money has ever left, and not come back by an undo.
    pub(super) fn was_disbursed(&self) -> bool {
        self.disbursed.is_some()
    }

    /// The transactions that stand.
    pub(super) fn standing(&self) -> impl Iterator<Item = &Transaction> {
        self.transactions
            .iter()
            .filter(|transaction| transaction.reversed_on.is_none())
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            office_id: Some(1),
            client_id: Some(self.client_id),
            loan_id: Some(self.id),
            resource_id: Some(self.id),
            resource_external_id: self.terms.external_id.clone(),
            posting: Posting {
                external_id: self.terms.external_id.clone(),
                ..Posting::default()
            },
            ..Outcome::default()
        }
    }

    /// The result of a command that moved the loan to another state or figure.
    fn changed(&self, changes: Object) -> Outcome {
        Outcome {
            changes: Some(changes),
            ..self.outcome()
        }
    }

    /// What the standing transactions leave of the principal.
    fn outstanding(&self) -> Decimal {
        let effect = |transaction: &Transaction| match transaction.kind {
            Kind::Disbursement => transaction.amount,
            Kind::Repayment | Kind::WriteOff => -transaction.parts.principal,
            Kind::ChargeAtDisbursement | Kind::Accrual => Decimal::ZERO,
        };
        self.standing().map(effect).sum()
    }

    /// What was charged at disbursement, or will be.
    fn charges_at_disbursement(&self) -> Decimal {
        self.charges.iter().map(|charge| charge.amount).sum()
    }
}

impl Transaction {
    /// A transaction of today, bare of all that its kind may add.
    fn made(desk: &mut Desk<'_>, kind: Kind, on: NaiveDate, amount: Decimal) -> Self {
        Self {
            id: next(&mut desk.books.ids.transaction),
            kind,
            on,
            amount,
            external_id: None,
            payment: None,
            outstanding: Decimal::ZERO,
            parts: Parts::default(),
            submitted_on: desk.today,
            reversed_on: None,
            manually_reversed: false,
        }
    }
}

impl Tranche {
    pub(super) fn is_open(&self) -> bool {
        self.paid_on.is_none()
    }
}

/// A state error that Fineract collects and throws at the end: 400, parameter `id`.
fn wrong_state(code: &str) -> Failure {
    Failure::invalid(code, "id", Vec::new())
}
