//! Loans: their states, their commands and their reads (`docs/fineract/loans.md`, `docs/fineract/payments.md`).

mod account;
mod application;
mod approve;
mod charges;
mod closing;
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
mod summary;
mod terms;
mod tranches;
mod transactions;
mod undo;
mod update;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::books::{Context, next};
use super::failure::Failure;
use super::json::Object;
use super::operations::{Outcome, Posting};
use super::users::Who;

pub(super) use account::account;
pub(super) use application::{create, delete};
pub(super) use approve::approve;
pub(super) use closing::{close, foreclose, write_off};
pub(super) use decline::{reject, withdraw};
pub(super) use disburse::disburse;
pub(super) use enums::{product_choices, status};
pub(super) use read::{read, search};
pub(super) use repay::{adjust, repay};
pub(super) use terms::Terms;
pub(super) use transactions::{read_transaction, template};
pub(super) use undo::{undo_approval, undo_disbursal, undo_last_disbursal};
pub(super) use update::update;

// The states of a loan (`docs/fineract/loans.md`, "Loan states").
pub(super) const SUBMITTED: i64 = 100;
pub(super) const APPROVED: i64 = 200;
pub(super) const ACTIVE: i64 = 300;
pub(super) const WITHDRAWN: i64 = 400;
pub(super) const REJECTED: i64 = 500;
pub(super) const CLOSED: i64 = 600;
pub(super) const WRITTEN_OFF: i64 = 601;
pub(super) const OVERPAID: i64 = 700;

/// The date of a step in the life of a loan, such as its approval, and the user who performed the step.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    pub(super) on: NaiveDate,
    pub(super) by: Who,
}

/// A loan in the books.
#[derive(Clone, Debug)]
pub(super) struct Loan {
    pub(super) id: i64,
    pub(super) client_id: i64,
    pub(super) status: i64,
    pub(super) foreclosed: bool,
    /// The terms of the application.
    pub(super) terms: Terms,
    /// The current principal. It becomes smaller if less than the approved amount is disbursed.
    pub(super) principal: Decimal,
    pub(super) approved_principal: Decimal,
    /// The amount of the last disbursement, minus the charges that were due at this disbursement. Before the first
    /// disbursement: the principal minus these charges.
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
    /// Reads return this number as `loanProductCounter` or `loanCycle`. Each disbursement of the loan sets it to the
    /// number of disbursements of the client for this product (`Books::cycles`). It is 0 before the first disbursement.
    pub(super) cycle: i64,
}

/// A charge that is due at disbursement.
#[derive(Clone, Debug)]
pub(super) struct Charge {
    pub(super) id: i64,
    pub(super) definition: Object,
    /// The fixed amount of the charge, or its percentage of the principal.
    pub(super) rate: Decimal,
    /// The principal to which a percentage applies.
    pub(super) applied_to: Decimal,
    pub(super) amount: Decimal,
    pub(super) submitted_on: NaiveDate,
    pub(super) paid: bool,
}

/// A planned disbursement of a loan with several disbursements. It is open until it is paid.
#[derive(Clone, Debug)]
pub(super) struct Tranche {
    pub(super) id: i64,
    pub(super) expected_on: NaiveDate,
    pub(super) paid_on: Option<NaiveDate>,
    pub(super) principal: Decimal,
    pub(super) net_disbursal: Option<Decimal>,
}

/// A transaction of a loan.
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
    /// Whether this transaction alone was undone. `false` if the undo of a disbursement reversed the transaction
    /// (`docs/fineract/payments.md`, "Undone payments").
    pub(super) manually_reversed: bool,
}

/// A note of a loan, or of a transaction of the loan.
#[derive(Clone, Debug)]
pub(super) struct Note {
    id: i64,
    /// The id of the transaction. `None` for a note of the loan.
    transaction: Option<i64>,
    text: String,
    by: Who,
}

/// The parts of an amount.
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

    /// Whether the loan is disbursed. After an undo of all disbursements, the result is `false` again.
    pub(super) fn was_disbursed(&self) -> bool {
        self.disbursed.is_some()
    }

    /// The transactions that are not reversed.
    pub(super) fn not_reversed(&self) -> impl Iterator<Item = &Transaction> {
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

    /// The outcome of a command that has made these `changes` to the loan.
    fn changed(&self, changes: Object) -> Outcome {
        Outcome {
            changes: Some(changes),
            ..self.outcome()
        }
    }

    /// The outstanding principal after all transactions that are not reversed.
    fn outstanding(&self) -> Decimal {
        let effect = |transaction: &Transaction| match transaction.kind {
            Kind::Disbursement => transaction.amount,
            Kind::Repayment | Kind::WriteOff => -transaction.parts.principal,
            Kind::ChargeAtDisbursement | Kind::Accrual => Decimal::ZERO,
        };
        self.not_reversed().map(effect).sum()
    }

    /// The sum of the charges that are due at disbursement.
    fn charges_at_disbursement(&self) -> Decimal {
        self.charges.iter().map(|charge| charge.amount).sum()
    }
}

impl Transaction {
    /// A new transaction, submitted today. The optional fields are empty.
    fn made(context: &mut Context<'_>, kind: Kind, on: NaiveDate, amount: Decimal) -> Self {
        Self {
            id: next(&mut context.books.ids.transaction),
            kind,
            on,
            amount,
            external_id: None,
            payment: None,
            outstanding: Decimal::ZERO,
            parts: Parts::default(),
            submitted_on: context.today,
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

/// The error for a wrong state of the loan. Fineract reports it like the error of a field: a 400 with the parameter
/// `id`.
fn wrong_state(code: &str) -> Failure {
    Failure::invalid(code, "id", Vec::new())
}
