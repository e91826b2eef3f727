use crate::books::Context;
use crate::failure::Failure;
use crate::json::{Json, Object};
use crate::loans::product_choices;
use crate::params::Params;
use crate::products::recorded;

/// The attributes that a product contains only if the request that created the product contained them.
const ONLY_WHERE_SET: &[&str] = &["outstandingLoanBalance"];

/// The new product, as reads return it. It is a copy of a recorded product of the same kind (progressive, several
/// disbursements, or neither), changed by the attributes of the request.
pub(super) fn described(
    params: &Params,
    id: i64,
    context: &Context<'_>,
) -> Result<Object, Failure> {
    let closes_on = params.date("closeDate")?;
    let is_closed = closes_on.is_some_and(|closes_on| closes_on < context.today);
    let mut json = Object::default();
    let template = template(params);
    let unset = |key: &str| ONLY_WHERE_SET.contains(&key) && !params.has(key);
    for (key, value) in template.iter().filter(|(key, _)| !unset(key)) {
        json.set(key, value.clone());
        if key == "useBorrowerCycle" {
            json.set("startDate", params.date("startDate")?);
            json.set("closeDate", closes_on);
        }
        if key == "status" {
            json.set(
                key,
                if is_closed {
                    "loanProduct.inActive"
                } else {
                    "loanProduct.active"
                },
            );
        }
        add_limits(&mut json, key, params)?;
    }
    json.set("id", id);
    for key in ["name", "shortName", "transactionProcessingStrategyCode"] {
        json.set(key, params.text(key));
    }
    for key in [
        "principal",
        "interestRatePerPeriod",
        "outstandingLoanBalance",
    ] {
        json.set(key, params.decimal(key)?);
    }
    for key in ["numberOfRepayments", "repaymentEvery", "maxTrancheCount"] {
        json.set(key, params.integer(key)?);
    }
    json.set(
        "annualInterestRate",
        params.decimal("interestRatePerPeriod")?,
    );
    json.set("charges", charges(params, context));
    let partial = "allowPartialPeriodInterestCalcualtion";
    json.set(
        "allowPartialPeriodInterestCalculation",
        params.has(partial).then(|| params.is_true(partial)),
    );
    if let Some(overrides) = params
        .raw("allowAttributeOverrides")
        .and_then(Json::as_object)
    {
        json.set(
            "allowAttributeOverrides",
            overrides.clone().with("isNew", true),
        );
    }
    Ok(json.and(&product_choices(params)?))
}

fn template(params: &Params) -> Object {
    let is_progressive = params.text("loanScheduleType").as_deref() == Some("PROGRESSIVE");
    let kind = match (is_progressive, params.is_true("multiDisburseLoan")) {
        (true, _) => "LENDINGKART",
        (false, true) => "ARTHMATE",
        (false, false) => "UGRO",
    };
    let (products, ..) = recorded();
    let of_that_kind = products
        .into_iter()
        .find(|product| product.text("name") == kind);
    of_that_kind.map(|product| product.json).unwrap_or_default()
}

/// Adds the minimum and maximum of a field. Reads return these limits directly after the field.
fn add_limits(json: &mut Object, field: &str, params: &Params) -> Result<(), Failure> {
    match field {
        "principal" => {
            json.set("minPrincipal", params.decimal("minPrincipal")?);
            json.set("maxPrincipal", params.decimal("maxPrincipal")?);
        }
        "numberOfRepayments" => {
            json.set(
                "minNumberOfRepayments",
                params.integer("minNumberOfRepayments")?,
            );
            json.set(
                "maxNumberOfRepayments",
                params.integer("maxNumberOfRepayments")?,
            );
        }
        "interestRatePerPeriod" => {
            json.set(
                "minInterestRatePerPeriod",
                params.decimal("minInterestRatePerPeriod")?,
            );
            json.set(
                "maxInterestRatePerPeriod",
                params.decimal("maxInterestRatePerPeriod")?,
            );
        }
        _ => {}
    }
    Ok(())
}

fn charges(params: &Params, context: &Context<'_>) -> Vec<Object> {
    let named = params
        .raw("charges")
        .and_then(Json::as_list)
        .unwrap_or_default();
    let ids = named
        .iter()
        .filter_map(|charge| charge.as_object()?.get("id")?.as_integer());
    ids.filter_map(|id| context.books.charges.get(&id).cloned())
        .collect()
}
