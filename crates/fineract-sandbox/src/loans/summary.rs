//! The amounts of a loan on a given day: what was lent, what is paid, and what is overdue.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::schedule::with_payments;
use super::{ACTIVE, Kind, Loan, Parts, Transaction, WRITTEN_OFF};
use crate::json::{Json, Object, object};
use crate::products::Product;

/// The amounts of a loan on one day.
#[derive(Debug, Default)]
pub(super) struct Position {
    principal: Decimal,
    interest: Decimal,
    paid: Parts,
    fees: Decimal,
    overdue: Parts,
    pub(super) overdue_since: Option<NaiveDate>,
    pub(super) overpaid: Decimal,
    written_off: Parts,
}

impl Position {
    fn interest_outstanding(&self) -> Decimal {
        self.interest - self.paid.interest - self.written_off.interest
    }

    fn principal_outstanding(&self) -> Decimal {
        self.principal - self.paid.principal - self.written_off.principal
    }

    pub(super) fn outstanding(&self) -> Decimal {
        self.principal_outstanding() + self.interest_outstanding()
    }

    fn overdue(&self) -> Decimal {
        self.overdue.principal + self.overdue.interest
    }

    fn if_overdue(&self, amount: Decimal) -> Json {
        if self.overdue_since.is_some() {
            amount.into()
        } else {
            none()
        }
    }

    /// The keys of `summary` for principal, interest, fees and penalties.
    fn parts(&self) -> Object {
        let zero = Decimal::ZERO;
        object! {
            "principalDisbursed": self.principal,
            "principalAdjustments": zero,
            "principalPaid": self.paid.principal,
            "principalWrittenOff": self.written_off.principal,
            "principalOutstanding": self.principal_outstanding(),
            "principalOverdue": self.if_overdue(self.overdue.principal),
            "interestCharged": self.interest,
            "interestPaid": self.paid.interest,
            "interestWaived": zero,
            "interestWrittenOff": self.written_off.interest,
            "interestOutstanding": self.interest_outstanding(),
            "interestOverdue": self.if_overdue(self.overdue.interest),
            "feeChargesCharged": self.fees,
            "feeAdjustments": zero,
            "feeChargesDueAtDisbursementCharged": self.fees,
            "feeChargesPaid": self.fees,
            "feeChargesWaived": zero,
            "feeChargesWrittenOff": zero,
            "feeChargesOutstanding": zero,
            "feeChargesOverdue": self.if_overdue(zero),
            "penaltyChargesCharged": zero,
            "penaltyAdjustments": zero,
            "penaltyChargesPaid": zero,
            "penaltyChargesWaived": zero,
            "penaltyChargesWrittenOff": zero,
            "penaltyChargesOutstanding": zero,
            "penaltyChargesOverdue": self.if_overdue(zero),
        }
    }

    fn totals(&self) -> Object {
        let costs = self.interest + self.fees;
        object! {
            "totalExpectedRepayment": self.principal + costs,
            "totalRepayment": self.all_paid(),
            "totalExpectedCostOfLoan": costs,
            "totalCostOfLoan": self.paid.interest + self.fees,
            "totalWaived": Decimal::ZERO,
            "totalWrittenOff": self.written_off.principal + self.written_off.interest,
            "totalOutstanding": self.outstanding(),
            "totalOverdue": self.if_overdue(self.overdue()),
            "totalRecovered": none(),
            "overdueSinceDate": self.overdue_since,
        }
    }

    /// Everything that was paid, including fees.
    pub(super) fn all_paid(&self) -> Decimal {
        self.paid.principal + self.paid.interest + self.fees
    }
}

/// The amounts of the loan on this day.
pub(super) fn position(loan: &Loan, product: &Product, today: NaiveDate) -> Position {
    let mut position = Position::default();
    if !loan.was_disbursed() {
        return position;
    }
    position.principal = loan.principal;
    for installment in with_payments(loan, product) {
        position.interest += installment.interest;
        position.paid.principal += installment.paid.principal;
        position.paid.interest += installment.paid.interest;
        let principal = installment.principal - installment.paid.principal;
        let interest = installment.interest - installment.paid.interest;
        if loan.status == ACTIVE && installment.due_on < today && !(principal + interest).is_zero()
        {
            position.overdue.principal += principal;
            position.overdue.interest += interest;
            position.overdue_since = position.overdue_since.or(Some(installment.due_on));
        }
    }
    if loan.foreclosed {
        position.paid.principal = repayments(loan)
            .map(|repayment| repayment.parts.principal)
            .sum();
        position.paid.interest = repayments(loan)
            .map(|repayment| repayment.parts.interest)
            .sum();
        position.interest = position.paid.interest;
    }
    position.fees = loan
        .charges
        .iter()
        .filter(|charge| charge.paid)
        .map(|charge| charge.amount)
        .sum();
    let repaid: Decimal = repayments(loan).map(|repayment| repayment.amount).sum();
    position.overpaid = repaid - position.paid.principal - position.paid.interest;
    if loan.status == WRITTEN_OFF {
        let principal = position.principal - position.paid.principal;
        let interest = position.interest - position.paid.interest;
        position.written_off = Parts {
            principal,
            interest,
            ..Parts::default()
        };
    }
    position
}

fn repayments(loan: &Loan) -> impl Iterator<Item = &Transaction> {
    loan.not_reversed()
        .filter(|transaction| transaction.kind == Kind::Repayment)
}

/// The `summary` (`docs/fineract/loans.md`, "The summary").
pub(super) fn summary(loan: &Loan, product: &Product, today: NaiveDate) -> Object {
    let at = position(loan, product, today);
    let sum = |amount: Decimal| {
        if amount.is_zero() {
            none()
        } else {
            amount.into()
        }
    };
    let reversed =
        |known: &&Transaction| known.kind == Kind::Repayment && known.reversed_on.is_some();
    let reversed = loan
        .transactions
        .iter()
        .filter(reversed)
        .map(|known| known.amount)
        .sum();
    let repaid = repayments(loan).map(|repayment| repayment.amount).sum();
    let summary = object! {"currency": product.get("currency").cloned()}
        .and(&at.parts())
        .and(&at.totals());
    ADJUSTMENTS
        .iter()
        .fold(summary, |summary, name| match *name {
            "totalRepaymentTransaction" => summary.with(name, sum(repaid)),
            "totalRepaymentTransactionReversed" => summary.with(name, sum(reversed)),
            _ => summary.with(name, none()),
        })
}

/// The number 0 without decimal places. Fineract writes it for an amount that is absent.
fn none() -> Json {
    0_i64.into()
}

/// The keys at the end of `summary`.
const ADJUSTMENTS: [&str; 17] = [
    "totalMerchantRefund",
    "totalMerchantRefundReversed",
    "totalPayoutRefund",
    "totalPayoutRefundReversed",
    "totalGoodwillCredit",
    "totalGoodwillCreditReversed",
    "totalChargeAdjustment",
    "totalChargeAdjustmentReversed",
    "totalChargeback",
    "totalCreditBalanceRefund",
    "totalCreditBalanceRefundReversed",
    "totalRepaymentTransaction",
    "totalRepaymentTransactionReversed",
    "totalInterestPaymentWaiver",
    "totalInterestRefund",
    "totalUnpaidPayableDueInterest",
    "totalUnpaidPayableNotDueInterest",
];

/// The `delinquent` object. Before the disbursement, each of its amounts is `0` without decimal places.
pub(super) fn delinquent(loan: &Loan, product: &Product, today: NaiveDate) -> Object {
    let is_paid = loan.was_disbursed();
    let at = position(loan, product, today);
    let late = at.overdue_since.is_some();
    let days = at
        .overdue_since
        .map_or(0, |since| (today - since).num_days());
    let available = if loan.tranches.is_empty() {
        loan.approved_principal
    } else {
        let paid = loan.tranches.iter().filter(|tranche| !tranche.is_open());
        loan.approved_principal - paid.map(|tranche| tranche.principal).sum::<Decimal>()
    };
    let next_due = with_payments(loan, product)
        .into_iter()
        .filter(|_| !loan.foreclosed)
        .find(|part| part.paid.principal + part.paid.interest < part.principal + part.interest)
        .map_or(today, |part| part.due_on);
    let last = repayments(loan).max_by_key(|repayment| repayment.on);
    let overdue = |amount: Decimal| if late { Json::cents(amount) } else { none() };
    object! {
        "availableDisbursementAmount": if is_paid { available.into() } else { none() },
        "pastDueDays": days,
        "nextPaymentDueDate": is_paid.then_some(next_due),
        "delinquentDays": days,
        "delinquentDate": at.overdue_since,
        "delinquentAmount": overdue(at.overdue()),
        "lastPaymentDate": last.map(|last| last.on),
        "lastPaymentAmount": last.map_or_else(none, |last| last.amount.into()),
        "lastRepaymentDate": last.map(|last| last.on),
        "lastRepaymentAmount": last.map_or_else(none, |last| last.amount.into()),
        "delinquencyPausePeriods": is_paid.then(Vec::<Json>::new),
        "delinquentPrincipal": overdue(at.overdue.principal),
        "delinquentInterest": overdue(at.overdue.interest),
        "delinquentFee": overdue(Decimal::ZERO),
        "delinquentPenalty": overdue(Decimal::ZERO),
    }
}

/// A simple `repaymentSchedule`: the totals, and the due date and the amounts of each installment.
pub(super) fn repayment_schedule(loan: &Loan, product: &Product) -> Object {
    let installments = with_payments(loan, product);
    let principal: Decimal = installments.iter().map(|part| part.principal).sum();
    let interest: Decimal = installments.iter().map(|part| part.interest).sum();
    let periods: Vec<Object> = (1_i64..)
        .zip(&installments)
        .map(|(number, part)| {
            object! {
                "period": number,
                "dueDate": part.due_on,
                "complete": part.paid.principal + part.paid.interest == part.principal + part.interest,
                "principalDue": part.principal,
                "principalPaid": part.paid.principal,
                "interestDue": part.interest,
                "interestPaid": part.paid.interest,
                "totalDueForPeriod": part.principal + part.interest,
            }
        })
        .collect();
    object! {
        "currency": product.get("currency").cloned(),
        "totalPrincipalDisbursed": Json::cents(principal),
        "totalPrincipalExpected": Json::cents(principal),
        "totalInterestCharged": Json::cents(interest),
        "totalRepaymentExpected": Json::cents(principal + interest),
        "periods": periods,
    }
}
