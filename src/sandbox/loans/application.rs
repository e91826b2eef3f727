use rust_decimal::Decimal;

use super::terms::{Draft, dates_hold, strategy_holds, term_holds};
use super::{Loan, SUBMITTED, charges, money, tranches};
use crate::sandbox::books::{Desk, next};
use crate::sandbox::failure::Failure;
use crate::sandbox::operations::{Order, Outcome};
use crate::sandbox::params::Checks;

/// What `POST /loans` knows (`CONTRACT.md` section 7.1).
pub(super) const SUPPORTED: &[&str] = &[
    "dateFormat",
    "locale",
    "id",
    "clientId",
    "groupId",
    "loanType",
    "productId",
    "principal",
    "totalLoan",
    "isParentAccount",
    "loanTermFrequency",
    "loanTermFrequencyType",
    "numberOfRepayments",
    "repaymentEvery",
    "repaymentFrequencyType",
    "repaymentFrequencyNthDayType",
    "repaymentFrequencyDayOfWeekType",
    "interestRatePerPeriod",
    "amortizationType",
    "amortizationTypeOptions",
    "interestType",
    "isFloatingInterestRate",
    "interestRateDifferential",
    "interestCalculationPeriodType",
    "allowPartialPeriodInterestCalcualtion",
    "interestRateFrequencyType",
    "expectedDisbursementDate",
    "repaymentsStartingFromDate",
    "graceOnPrincipalPayment",
    "graceOnInterestPayment",
    "graceOnInterestCharged",
    "interestChargedFromDate",
    "submittedOnDate",
    "submittedOnNote",
    "accountNo",
    "externalId",
    "fundId",
    "loanOfficerId",
    "loanPurposeId",
    "inArrearsTolerance",
    "charges",
    "collateral",
    "transactionProcessingStrategyCode",
    "calendarId",
    "syncDisbursementWithMeeting",
    "linkAccountId",
    "disbursementData",
    "fixedEmiAmount",
    "maxOutstandingLoanBalance",
    "graceOnArrearsAgeing",
    "createStandingInstructionAtDisbursement",
    "isTopup",
    "loanIdToClose",
    "datatables",
    "isEqualAmortization",
    "rates",
    "applicationId",
    "lastApplication",
    "daysInYearType",
    "fixedPrincipalPercentagePerInstallment",
    "disallowExpectedDisbursements",
    "fraud",
    "loanScheduleProcessingType",
    "fixedLength",
    "enableInstallmentLevelDelinquency",
    "enableDownPayment",
    "enableAutoRepaymentForDownPayment",
    "disbursedAmountPercentageForDownPayment",
];

/// Takes an application, with the checks in the order of `CONTRACT.md` section 7.4.
pub(in crate::sandbox) fn create(desk: &mut Desk<'_>, order: &Order) -> Result<Outcome, Failure> {
    let params = &order.params;
    params.only(SUPPORTED)?;
    let Some(product_id) = params.id("productId")? else {
        let code = "validation.msg.loans.productId.cannot.be.blank";
        return Err(Failure::invalid(code, "productId", vec![0_i64.into()]));
    };
    let product = desk.books.product(product_id)?.clone();
    let Some(client_id) = params.id("clientId")? else {
        let code = "validation.msg.loan.clientId.cannot.be.blank";
        return Err(Failure::invalid(
            code,
            "clientId",
            vec![crate::sandbox::json::Json::Null],
        ));
    };
    let client = desk.books.client(client_id)?;
    client.must_be_active()?;

    let mut checks = Checks::of("loan");
    checks.required("loanType", params.text("loanType"));
    let draft = Draft::read(params, true, &mut checks)?;
    draft.check(&product, &mut checks);
    let external_id = params.text("externalId");
    if external_id
        .as_ref()
        .is_some_and(|id| desk.books.loans_by_external_id.contains_key(id))
    {
        return Err(Failure::rule(
            "error.msg.loan.with.externalId.already.used",
            Vec::new(),
        ));
    }
    let planned = tranches::read(params, &product)?;
    let terms = draft.terms(&product, external_id);
    if let Some(terms) = &terms {
        tranches::hold(
            &planned,
            &product,
            terms.principal,
            terms.expected_on,
            &mut checks,
        )?;
    }
    checks.finish()?;
    let terms =
        terms.ok_or_else(|| Failure::Unmapped("an application without terms".to_owned()))?;

    dates_hold(
        &terms,
        &product,
        desk.today,
        client.activation.as_ref().map(|(on, _)| *on),
    )?;
    strategy_holds(&terms, &product)?;
    let asked = charges::read(params, desk.books)?;
    money::installments_hold(&terms, &product)?;
    term_holds(&terms)?;
    let id = next(&mut desk.books.ids.loan);
    if terms.principal >= Decimal::from(10_000_000_000_000_i64) {
        return Err(Failure::constraint(
            "error.msg.unknown.data.integrity.issue",
        ));
    }
    let charges = charges::stored(asked, terms.principal, desk.books, desk.today);
    let due: Decimal = charges.iter().map(|charge| charge.amount).sum();
    let loan = Loan {
        id,
        client_id,
        status: SUBMITTED,
        foreclosed: false,
        principal: terms.principal,
        approved_principal: terms.principal,
        net_disbursal: terms.principal - due,
        submitted_by: desk.user.who.clone(),
        approved: None,
        disbursed: None,
        rejected: None,
        withdrawn: None,
        closed: None,
        written_off: None,
        charges,
        tranches: tranches::stored(&planned, None, &mut desk.books.ids),
        transactions: Vec::new(),
        cycle: 0,
        terms,
    };
    let outcome = loan.outcome();
    let books = &mut *desk.books;
    books.loans_by_external_id.extend(
        loan.terms
            .external_id
            .clone()
            .map(|external_id| (external_id, id)),
    );
    books.loans_by_client.entry(client_id).or_default().push(id);
    books.loans.insert(id, loan);
    Ok(outcome)
}

/// Deletes an application; its external id is free at once.
pub(in crate::sandbox) fn delete(desk: &mut Desk<'_>, order: &Order) -> Result<Outcome, Failure> {
    let loan = desk.books.loan(order.id)?;
    desk.books.client(loan.client_id)?.must_be_active()?;
    if loan.status != SUBMITTED {
        let code = "error.msg.loan.cannot.delete.loan.in.its.present.state";
        return Err(Failure::rule(code, vec![loan.id.into()]));
    }
    let outcome = loan.outcome();
    let (client_id, external_id) = (loan.client_id, loan.terms.external_id.clone());
    let books = &mut *desk.books;
    external_id.map(|external_id| books.loans_by_external_id.remove(&external_id));
    if let Some(loans) = books.loans_by_client.get_mut(&client_id) {
        loans.retain(|id| *id != order.id);
    }
    books.loans.remove(&order.id);
    Ok(outcome)
}
