use rust_decimal::Decimal;

use super::rules::{check_dates, check_strategy, check_term};
use super::terms::Draft;
use super::tranches::Planned;
use super::{Loan, SUBMITTED, Terms, charges, money, tranches};
use crate::books::{Context, next};
use crate::failure::Failure;
use crate::json::Json;
use crate::operations::{Input, Outcome};
use crate::params::{Checks, Params};

/// The smallest principal that is too large for its column in Fineract's database.
const TOO_MUCH: i64 = 10_000_000_000_000;

/// The keys that `POST /loans` supports (`docs/fineract/loans.md`, "Filing an application").
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

/// An application that has passed all checks.
struct Application {
    terms: Terms,
    client_id: i64,
    planned: Vec<Planned>,
    asked: Vec<charges::Asked>,
}

impl Application {
    /// Reads and checks an application. The order of the checks is described in `docs/fineract/loans.md`, "The order of
    /// checks on an application".
    fn read(params: &Params, context: &Context<'_>) -> Result<Self, Failure> {
        params.only(SUPPORTED)?;
        let (books, today) = (&*context.books, context.today);
        let Some(product_id) = params.id("productId")? else {
            if context.release.is_1_10_1() {
                return Err(Failure::constraint("error.msg.data.integrity.issue"));
            }
            let code = "validation.msg.loans.productId.cannot.be.blank";
            return Err(Failure::invalid(code, "productId", vec![0_i64.into()]));
        };
        let product = books.product(product_id)?;
        let client_id = named_client(params)?;
        let client = books.client(client_id)?;
        client.must_be_active()?;

        let mut checks = Checks::of("loan");
        checks.required("loanType", params.text("loanType"));
        let draft = Draft::read(params, true, &mut checks)?;
        draft.check(product, &mut checks);
        let external_id = params.text("externalId");
        let taken = &books.loans_by_external_id;
        if external_id
            .as_ref()
            .is_some_and(|external_id| taken.contains_key(external_id))
        {
            return Err(already_used());
        }
        let planned = tranches::read(params, product)?;
        let terms = draft.terms(product, external_id);
        if let Some(terms) = &terms {
            tranches::check(
                &planned,
                product,
                terms.principal,
                terms.expected_on,
                &mut checks,
            )?;
        }
        let Some(terms) = terms else {
            return Err(checks.into_failure());
        };
        checks.finish()?;

        check_dates(&terms, product, today, client)?;
        check_strategy(&terms, product)?;
        let asked = charges::read(params, books)?;
        money::check_installments(&terms, product)?;
        check_term(&terms)?;
        Ok(Self {
            terms,
            client_id,
            planned,
            asked,
        })
    }
}

/// Creates a loan from an application.
pub(crate) fn create(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let Application {
        terms,
        client_id,
        planned,
        asked,
    } = Application::read(&input.params, context)?;
    let id = next(&mut context.books.ids.loan);
    if terms.principal >= Decimal::from(TOO_MUCH) {
        return Err(Failure::constraint(
            "error.msg.unknown.data.integrity.issue",
        ));
    }
    let charges = charges::stored(asked, terms.principal, context.books, context.today);
    let due: Decimal = charges.iter().map(|charge| charge.amount).sum();
    let loan = Loan {
        id,
        client_id,
        status: SUBMITTED,
        foreclosed: false,
        principal: terms.principal,
        approved_principal: terms.principal,
        net_disbursal: terms.principal - due,
        submitted_by: context.user.who.clone(),
        approved: None,
        disbursed: None,
        rejected: None,
        withdrawn: None,
        closed: None,
        written_off: None,
        charges,
        tranches: tranches::stored(&planned, None, &mut context.books.ids),
        transactions: Vec::new(),
        notes: Vec::new(),
        cycle: 0,
        terms,
    };
    let outcome = loan.outcome();
    let books = &mut *context.books;
    let name = loan
        .terms
        .external_id
        .clone()
        .map(|external_id| (external_id, id));
    books.loans_by_external_id.extend(name);
    books.loans_by_client.entry(client_id).or_default().push(id);
    books.loans.insert(id, loan);
    Ok(outcome)
}

/// Reads the number of the client (`clientId`). Every application must contain this number.
pub(super) fn named_client(params: &Params) -> Result<i64, Failure> {
    let missing = || {
        let code = "validation.msg.loan.clientId.cannot.be.blank";
        Failure::invalid(code, "clientId", vec![Json::Null])
    };
    params.id("clientId")?.ok_or_else(missing)
}

/// The error if another loan already has the external id of the application.
pub(super) fn already_used() -> Failure {
    Failure::rule("error.msg.loan.with.externalId.already.used", Vec::new())
}

/// Deletes an application. Its external id can be used again at once.
pub(crate) fn delete(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let loan = context.books.loan(input.id)?;
    context.books.client(loan.client_id)?.must_be_active()?;
    if loan.status != SUBMITTED {
        let code = "error.msg.loan.cannot.delete.loan.in.its.present.state";
        return Err(Failure::rule(code, vec![loan.id.into()]));
    }
    let outcome = loan.outcome();
    let (client_id, external_id) = (loan.client_id, loan.terms.external_id.clone());
    let books = &mut *context.books;
    external_id.map(|external_id| books.loans_by_external_id.remove(&external_id));
    if let Some(loans) = books.loans_by_client.get_mut(&client_id) {
        loans.retain(|id| *id != input.id);
    }
    books.loans.remove(&input.id);
    Ok(outcome)
}
