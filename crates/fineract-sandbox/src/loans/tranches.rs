use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{ACTIVE, APPROVED, Loan, Tranche};
use crate::books::{Ids, next};
use crate::failure::Failure;
use crate::json::{Json, Object};
use crate::params::{Checks, Params};
use crate::products::Product;
use crate::release::Release;

/// A tranche in a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Planned {
    pub(super) on: NaiveDate,
    pub(super) principal: Decimal,
}

impl std::fmt::Display for Planned {
    /// Writes the tranche as `changes` in the answer shows it: date and amount, such as `2024-01-10-90000`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}-{}", self.on, self.principal.normalize())
    }
}

/// The tranches in a request (`disbursementData`). Fineract ignores them if the product does not use planned tranches.
pub(super) fn read(params: &Params, product: &Product) -> Result<Vec<Planned>, Failure> {
    if !product.is_multi_disburse() || product.flag("disallowExpectedDisbursements") {
        return Ok(Vec::new());
    }
    let entries = params
        .raw("disbursementData")
        .and_then(Json::as_list)
        .unwrap_or_default();
    let mut planned = Vec::new();
    let mut checks = Checks::of("loan");
    for entry in entries.iter().filter_map(Json::as_object) {
        let entry = within(params, entry);
        let (on, principal) = (
            entry.date("expectedDisbursementDate")?,
            entry.decimal("principal")?,
        );
        let on = checks.required("expectedDisbursementDate", on);
        let principal = checks.required("principal", principal);
        if let (Some(on), Some(principal)) = (on, principal) {
            planned.push(Planned { on, principal });
        }
    }
    checks.finish()?;
    Ok(planned)
}

/// The object of one tranche, with the date format and locale of the whole request.
fn within(params: &Params, entry: &Object) -> Params {
    Params(
        entry
            .clone()
            .with("dateFormat", params.text("dateFormat"))
            .with("locale", params.text("locale")),
    )
}

/// Checks the planned tranches, if the product uses them. There must be at least one, and not more than the product
/// allows. The first tranche must be on the expected disbursement date. Two tranches must not be on the same date. The
/// sum of all tranches must not exceed the principal (`docs/fineract/loans.md`, "Planned tranches and charges").
pub(super) fn check(
    planned: &[Planned],
    product: &Product,
    principal: Decimal,
    expected_on: NaiveDate,
    checks: &mut Checks,
) -> Result<(), Failure> {
    if !product.is_multi_disburse() || product.flag("disallowExpectedDisbursements") {
        return Ok(());
    }
    let Some(first) = planned.iter().map(|tranche| tranche.on).min() else {
        return Err(Failure::rule(
            "error.msg.disbursementData.required",
            Vec::new(),
        ));
    };
    let count = i64::try_from(planned.len()).unwrap_or(i64::MAX);
    if product
        .integer("maxTrancheCount")
        .is_some_and(|most| count > most)
    {
        return Err(Failure::rule(
            "error.msg.disbursementData.exceeding.max.tranche.count",
            Vec::new(),
        ));
    }
    if first != expected_on {
        let what = "first.disbursement.date.must.start.with.expected.disbursement.date";
        checks.fail(
            "expectedDisbursementDate",
            what,
            vec![first.to_string().into()],
        );
    }
    let mut dates: Vec<NaiveDate> = planned.iter().map(|tranche| tranche.on).collect();
    dates.sort_unstable();
    dates.dedup();
    if dates.len() < planned.len() {
        checks.fail(
            "expectedDisbursementDate",
            "disbursement.date.must.be.unique.for.tranches",
            Vec::new(),
        );
    }
    let sum: Decimal = planned.iter().map(|tranche| tranche.principal).sum();
    if sum > principal {
        let what =
            "sum.of.multi.disburse.amounts.must.be.equal.to.or.lesser.than.approved.principal";
        checks.fail(
            "principal",
            what,
            vec![Json::plain(sum), Json::plain(principal)],
        );
    }
    Ok(())
}

/// The tranches as the loan stores them.
pub(super) fn stored(
    planned: &[Planned],
    net_disbursal: Option<Decimal>,
    ids: &mut Ids,
) -> Vec<Tranche> {
    let tranche = |planned: &Planned| Tranche {
        id: next(&mut ids.tranche),
        expected_on: planned.on,
        paid_on: None,
        principal: planned.principal,
        net_disbursal,
    };
    planned.iter().map(tranche).collect()
}

/// Whether the state of the loan allows a disbursement. An active loan can be disbursed again only if its product
/// allows several disbursements. In this case, release 1.10.1 also requires an open tranche. The develop branch does
/// not (`docs/fineract/payments.md`, "Paying beyond the tranches").
pub(super) fn is_payable(loan: &Loan, product: &Product, release: Release) -> bool {
    let pays_more = product.is_multi_disburse()
        && (!release.is_1_10_1() || loan.tranches.iter().any(Tranche::is_open));
    loan.status == APPROVED || (loan.status == ACTIVE && pays_more)
}
