use super::application::{SUPPORTED, already_used, named_client};
use super::rules::{check_dates, check_strategy, check_term};
use super::terms::Draft;
use super::tranches::Planned;
use super::{Loan, SUBMITTED, Terms, charges, money, tranches};
use crate::books::Context;
use crate::failure::{Failure, Item};
use crate::json::Object;
use crate::operations::{Input, Outcome};
use crate::params::{Checks, Params};
use crate::products::Product;

/// The keys that `POST /loans` supports, but that the calculation of the schedule refuses in an update
/// (`docs/fineract/loans.md`, "Changing an application").
const NOT_FOR_THE_SCHEDULE: &[&str] = &[
    "loanScheduleProcessingType",
    "disallowExpectedDisbursements",
    "fraud",
    "totalLoan",
    "applicationId",
    "lastApplication",
    "isParentAccount",
    "amortizationTypeOptions",
];

/// Changes an application. The body of the request replaces the whole stored application (`docs/fineract/loans.md`,
/// "Changing an application").
pub(crate) fn update(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let params = &input.params;
    params.only(SUPPORTED)?;
    let loan = context.books.loan(input.id)?.clone();
    if loan.status != SUBMITTED {
        let code = "error.msg.loan.cannot.modify.loan.in.its.present.state";
        return Err(Failure::rule(code, vec![loan.id.into()]));
    }
    let product_id = params.id("productId")?;
    let product = context
        .books
        .product(product_id.unwrap_or(loan.terms.product_id))?
        .clone();
    // Fineract checks the client before the fields. If the request names no client, Fineract checks the current client
    // of the loan.
    let of = params.id("clientId")?.unwrap_or(loan.client_id);
    context.books.client(of)?.must_be_active()?;
    let (draft, planned) = checked(params, &loan, &product)?;
    if product_id.is_none() {
        return Err(Failure::constraint("error.msg.data.integrity.issue"));
    }
    // If one of the terms is missing, Fineract cannot compute the schedule and fails with an uncaught exception.
    let terms = new_terms(params, &loan, &draft, &product)
        .ok_or_else(|| Failure::Unmapped("null".to_owned()))?;
    let client_id = named_client(params)?;
    params.only(&scheduled())?;
    check_dates(
        &terms,
        &product,
        context.today,
        context.books.client(client_id)?,
    )?;
    check_strategy(&terms, &product)?;
    check_external_id(context, &loan, &terms)?;
    let asked = charges::read(params, context.books)?;
    money::check_installments(&terms, &product)?;
    check_term(&terms)?;

    let charges = charges::stored(asked, terms.principal, context.books, context.today);
    let known = |id: i64| loan.charges.iter().find(|charge| charge.id == id);
    let listed = charges
        .iter()
        .map(|charge| charges::changed(charge, known(charge.id)));
    let differences = differences(params, &loan, &terms, &planned)
        .with("charges", listed.collect::<Vec<_>>())
        .with("locale", params.text("locale"))
        .in_hash_order();
    let replaced = Loan {
        client_id,
        principal: terms.principal,
        approved_principal: terms.principal,
        charges,
        tranches: tranches::stored(&planned, Some(loan.net_disbursal), &mut context.books.ids),
        terms,
        ..loan
    };
    let outcome = replaced.changed(differences);
    replace(context, replaced);
    Ok(outcome)
}

fn new_terms(params: &Params, loan: &Loan, draft: &Draft, product: &Product) -> Option<Terms> {
    let external_id = if params.has("externalId") {
        params.text("externalId")
    } else {
        loan.terms.external_id.clone()
    };
    let principal = draft.principal.unwrap_or(loan.terms.principal);
    Some(Terms {
        principal,
        ..draft.terms(product, external_id)?
    })
}

/// Checks the fields that were sent. `loanType` is always required.
fn checked(
    params: &Params,
    loan: &Loan,
    product: &Product,
) -> Result<(Draft, Vec<Planned>), Failure> {
    let mut checks = Checks::of("loan");
    checks.required("loanType", params.text("loanType"));
    let draft = Draft::read(params, false, &mut checks)?;
    checks.positive("principal", draft.principal);
    draft.check(product, &mut checks);
    let planned = tranches::read(params, product)?;
    if params
        .0
        .iter()
        .all(|(key, _)| matches!(key, "locale" | "dateFormat"))
    {
        checks.push(Item::new(
            "validation.msg.loan.no.parameters.for.update",
            "id",
            Vec::new(),
        ));
    } else if let Some(terms) = draft.terms(product, None) {
        let principal = draft.principal.unwrap_or(loan.terms.principal);
        tranches::check(&planned, product, principal, terms.expected_on, &mut checks)?;
    }
    checks.finish()?;
    Ok((draft, planned))
}

fn scheduled() -> Vec<&'static str> {
    SUPPORTED
        .iter()
        .filter(|key| !NOT_FOR_THE_SCHEDULE.contains(key))
        .copied()
        .collect()
}

fn check_external_id(context: &Context<'_>, loan: &Loan, terms: &Terms) -> Result<(), Failure> {
    let holder = terms
        .external_id
        .as_ref()
        .and_then(|id| context.books.loans_by_external_id.get(id));
    if holder.is_some_and(|holder| *holder != loan.id) {
        return Err(already_used());
    }
    Ok(())
}

/// The values that differ from the stored application, as `changes` in the answer shows them
/// (`docs/fineract/commands.md`, "The result body of each command").
fn differences(params: &Params, loan: &Loan, terms: &Terms, planned: &[Planned]) -> Object {
    let before = &loan.terms;
    let mut differing = Object::default();
    let figures = [
        ("productId", before.product_id != terms.product_id),
        ("principal", before.principal != terms.principal),
        ("loanTermFrequency", before.term != terms.term),
        ("loanTermFrequencyType", before.term_unit != terms.term_unit),
        ("numberOfRepayments", before.repayments != terms.repayments),
        ("repaymentEvery", before.every != terms.every),
        ("repaymentFrequencyType", before.unit != terms.unit),
        ("interestRatePerPeriod", before.rate != terms.rate),
        ("interestType", before.interest != terms.interest),
        (
            "interestCalculationPeriodType",
            before.interest_period != terms.interest_period,
        ),
        (
            "amortizationType",
            before.amortization != terms.amortization,
        ),
        (
            "maxOutstandingLoanBalance",
            before.max_balance != terms.max_balance,
        ),
    ];
    if params
        .id("clientId")
        .is_ok_and(|id| id.is_some_and(|id| id != loan.client_id))
    {
        differing.set("clientId", params.number("clientId"));
    }
    for (name, _) in figures.into_iter().filter(|(_, differs)| *differs) {
        differing.set(name, params.number(name));
    }
    if before.strategy != terms.strategy {
        differing.set("transactionProcessingStrategyCode", terms.strategy.as_str());
    }
    if before.external_id != terms.external_id {
        differing.set("externalId", terms.external_id.clone().unwrap_or_default());
    }
    let dates = [
        ("submittedOnDate", before.submitted_on != terms.submitted_on),
        (
            "expectedDisbursementDate",
            before.expected_on != terms.expected_on,
        ),
    ];
    for (name, _) in dates.into_iter().filter(|(_, differs)| *differs) {
        differing.set(name, params.text(name));
        differing.set("dateFormat", params.text("dateFormat"));
    }
    let kept: Vec<Planned> = loan
        .tranches
        .iter()
        .map(|tranche| Planned {
            on: tranche.expected_on,
            principal: tranche.principal,
        })
        .collect();
    if let Some(last) = planned.last().filter(|_| kept != planned) {
        differing.set("disbursementData", last.to_string());
    }
    differing
}

fn replace(context: &mut Context<'_>, loan: Loan) {
    let books = &mut *context.books;
    if let Some(before) = books.loans.get(&loan.id) {
        if let Some(external_id) = &before.terms.external_id {
            books.loans_by_external_id.remove(external_id);
        }
        if before.client_id != loan.client_id {
            if let Some(loans) = books.loans_by_client.get_mut(&before.client_id) {
                loans.retain(|id| *id != loan.id);
            }
            books
                .loans_by_client
                .entry(loan.client_id)
                .or_default()
                .push(loan.id);
        }
    }
    books.loans_by_external_id.extend(
        loan.terms
            .external_id
            .clone()
            .map(|external_id| (external_id, loan.id)),
    );
    books.loans.insert(loan.id, loan);
}
