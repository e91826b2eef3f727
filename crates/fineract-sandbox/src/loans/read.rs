use chrono::NaiveDate;

use super::{ACTIVE, CLOSED, Loan, OVERPAID, charges, enums, money, notes, summary, transactions};
use crate::books::Books;
use crate::failure::Failure;
use crate::json::{Json, Object, object};
use crate::products::Product;

/// A loan, as `GET /loans/{id}` returns it with these associations (`docs/fineract/loans.md`, "Reading a loan").
pub(crate) fn read(
    books: &Books,
    id: i64,
    associations: &[&str],
    today: NaiveDate,
) -> Result<Object, Failure> {
    let loan = books.loan(id)?;
    let product = books.product(loan.terms.product_id)?;
    let asked = |name: &str| associations.contains(&name) || associations.contains(&"all");
    let mut json = opening(books, loan, product)?.with("timeline", timeline(loan));
    json.set(
        "summary",
        (loan.status >= ACTIVE).then(|| summary::summary(loan, product, today)),
    );
    json.set(
        "repaymentSchedule",
        asked("repaymentSchedule").then(|| summary::repayment_schedule(loan, product)),
    );
    if asked("transactions") {
        json.set("transactions", transactions::list(books, loan, product));
    }
    if asked("charges") && !loan.charges.is_empty() {
        let charges: Vec<Object> = loan
            .charges
            .iter()
            .map(|charge| charges::described(loan, charge))
            .collect();
        json.set("charges", charges);
    }
    json.set("collateral", Vec::<Json>::new());
    if asked("multiDisburseDetails") {
        json.set("disbursementDetails", tranches(loan));
    }
    // The key is absent if there are no notes.
    if asked("notes") && !loan.notes.is_empty() {
        json.set("notes", notes::list(loan));
    }
    json.set("loanScheduleTypeOptions", enums::schedule_type_options());
    json.set(
        "loanScheduleProcessingTypeOptions",
        enums::schedule_processing_options(),
    );
    Ok(closing(json, loan, product, today))
}

/// The loans with this external id, as `GET /loans` returns them.
pub(crate) fn search(
    books: &Books,
    external_id: Option<&str>,
    today: NaiveDate,
) -> Result<Object, Failure> {
    let found: Vec<i64> = match external_id {
        Some(external_id) => books
            .loans_by_external_id
            .get(external_id)
            .copied()
            .into_iter()
            .collect(),
        None => books.loans.keys().copied().collect(),
    };
    let left_out = [
        "collateral",
        "overdueCharges",
        "paidInAdvance",
        "isRatesEnabled",
        "loanScheduleTypeOptions",
        "loanScheduleProcessingTypeOptions",
    ];
    let items: Result<Vec<Object>, Failure> = found
        .into_iter()
        .map(|id| Ok(read(books, id, &[], today)?.without(&left_out)))
        .collect();
    let items = items?;
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    Ok(object! {"totalFilteredRecords": count, "pageItems": items})
}

fn opening(books: &Books, loan: &Loan, product: &Product) -> Result<Object, Failure> {
    let client = books.client(loan.client_id)?;
    let terms = &loan.terms;
    let foreclosed = || object! {"id": 100_i64, "code": "loanSubStatus.loanSubStatusType.foreclosed", "value": "Foreclosed"};
    Ok(object! {
        "id": loan.id,
        "accountNo": loan.account_no(),
        "externalId": loan.external_id(),
        "status": enums::status(loan.status),
        "subStatus": loan.foreclosed.then(foreclosed),
        "clientId": client.id,
        "clientAccountNo": client.account_no(),
        "clientName": client.names.display(),
        "clientExternalId": client.external_id.as_deref(),
        "clientOfficeId": 1_i64,
        "loanProductId": product.id,
        "loanProductName": product.text("name"),
        "isLoanProductLinkedToFloatingRate": false,
        "loanType": enums::individual(),
        "currency": product.get("currency").cloned(),
        "principal": loan.principal,
        "approvedPrincipal": loan.approved_principal,
        "proposedPrincipal": terms.principal,
        "netDisbursalAmount": loan.net_disbursal,
        "termFrequency": terms.term,
        "termPeriodFrequencyType": enums::frequency("termFrequency", terms.term_unit),
        "numberOfRepayments": terms.repayments,
        "repaymentEvery": terms.every,
        "repaymentFrequencyType": enums::frequency("repaymentFrequency", terms.unit),
        "interestRatePerPeriod": terms.rate,
        "interestRateFrequencyType": enums::rate_frequency(product.choice("interestRateFrequencyType")),
        "annualInterestRate": money::yearly_rate(terms, product),
        "isFloatingInterestRate": false,
        "amortizationType": enums::amortization(terms.amortization),
        "interestType": enums::interest(terms.interest),
        "interestCalculationPeriodType": enums::interest_period(terms.interest_period),
        "allowPartialPeriodInterestCalculation": terms.allow_partial,
        "transactionProcessingStrategyCode": terms.strategy.as_str(),
        "transactionProcessingStrategyName": enums::strategy_name(&terms.strategy),
        "syncDisbursementWithMeeting": false,
        "disallowExpectedDisbursements": product.flag("disallowExpectedDisbursements"),
    })
}

fn closing(json: Object, loan: &Loan, product: &Product, today: NaiveDate) -> Object {
    let member = |key: &str| product.get(key).cloned();
    let position = summary::position(loan, product, today);
    let overpaid = (!position.overpaid.is_zero()).then_some(position.overpaid);
    let rest = object! {
        "feeChargesAtDisbursementCharged": loan.charges_at_disbursement(),
        "totalOverpaid": overpaid,
        "loanProductCounter": (loan.was_disbursed() && loan.cycle > 0).then_some(loan.cycle),
        "multiDisburseLoan": product.is_multi_disburse(),
        "canDefineInstallmentAmount": false,
        "maxOutstandingLoanBalance": loan.terms.max_balance,
        "canUseForTopup": false,
        "isTopup": false,
        "fraud": false,
        "closureLoanId": 0_i64,
        "inArrears": position.overdue_since.is_some(),
        "isNPA": false,
        "overdueCharges": Vec::<Json>::new(),
        "daysInMonthType": member("daysInMonthType"),
        "daysInYearType": member("daysInYearType"),
        "isInterestRecalculationEnabled": false,
        "createStandingInstructionAtDisbursement": false,
        "paidInAdvance": object! {"paidInAdvance": 0_i64},
        "isVariableInstallmentsAllowed": false,
        "minimumGap": 0_i64,
        "maximumGap": 0_i64,
        "isEqualAmortization": false,
        "isRatesEnabled": false,
        "overpaidOnDate": if overpaid.is_some() { last_repayment(loan) } else { None },
        "delinquent": summary::delinquent(loan, product, today),
        "enableInstallmentLevelDelinquency": false,
        "chargedOff": false,
        "enableDownPayment": false,
        "enableAutoRepaymentForDownPayment": false,
        "loanScheduleType": member("loanScheduleType"),
        "loanScheduleProcessingType": member("loanScheduleProcessingType"),
    };
    json.and(&rest)
}

/// The day of the last repayment that is not reversed.
fn last_repayment(loan: &Loan) -> Option<NaiveDate> {
    loan.not_reversed()
        .filter(|transaction| transaction.kind == super::Kind::Repayment)
        .map(|last| last.on)
        .max()
}

/// The steps of the loan, with their dates and users.
pub(super) fn timeline(loan: &Loan) -> Object {
    let terms = &loan.terms;
    let mut timeline = object! {"submittedOnDate": terms.submitted_on};
    loan.submitted_by.sign(&mut timeline, "submitted");
    let mut stamp = |action: &str, stamp: &Option<super::Stamp>| {
        if let Some(stamp) = stamp {
            timeline.set(&format!("{action}OnDate"), stamp.on);
            stamp.by.sign(&mut timeline, action);
        }
    };
    stamp("rejected", &loan.rejected);
    stamp("withdrawn", &loan.withdrawn);
    stamp("approved", &loan.approved);
    timeline.set("expectedDisbursementDate", terms.expected_on);
    if let Some(disbursed) = &loan.disbursed {
        timeline.set("actualDisbursementDate", disbursed.on);
        disbursed.by.sign(&mut timeline, "disbursed");
    }
    if let Some(closed) = &loan.closed {
        timeline.set("closedOnDate", closed.on);
        if loan.status != CLOSED {
            closed.by.sign(&mut timeline, "closed");
        }
    }
    let matures_on = terms.maturity(
        loan.disbursed
            .as_ref()
            .map_or(terms.expected_on, |stamp| stamp.on),
    );
    match (loan.status, &loan.closed) {
        (OVERPAID, _) => {}
        (CLOSED, Some(closed)) => timeline.set("actualMaturityDate", closed.on),
        _ => timeline.set("actualMaturityDate", matures_on),
    }
    timeline.set("expectedMaturityDate", matures_on);
    if let Some(written_off) = &loan.written_off {
        timeline.set("writeOffOnDate", written_off.on);
    }
    if let Some(closed) = loan.closed.as_ref().filter(|_| loan.status != CLOSED) {
        closed.by.sign(&mut timeline, "writeOff");
    }
    timeline
}

fn tranches(loan: &Loan) -> Vec<Object> {
    let mut tranches: Vec<_> = loan.tranches.iter().collect();
    tranches.sort_by_key(|tranche| tranche.expected_on);
    let described = |tranche: &super::Tranche| {
        object! {
            "id": tranche.id,
            "expectedDisbursementDate": tranche.expected_on,
            "actualDisbursementDate": tranche.paid_on,
            "principal": tranche.principal,
            "netDisbursalAmount": tranche.net_disbursal,
        }
    };
    tranches.into_iter().map(described).collect()
}
