//! Checks the objects in Fineract that operations refer to by name: products, payment type, office.

use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, de::DeserializeOwned};

use super::report::Report;
use crate::{
    cli::setup_fineract::rate,
    config::Operations,
    domain::{Named, Product},
    fineract::{Fineract, ReadFailure},
};

/// How many products are read at the same time.
const AT_ONCE: usize = 4;

/// The action if an object is missing.
const SET_UP: &str = "run `fineract-gateway setup-fineract`, or correct";

/// The state of a product, which the gateway itself does not use: Fineract refuses the application.
#[derive(Debug, Deserialize)]
struct State {
    status: String,
}

/// Checks the payment type, the office and the product of each lender.
pub(super) async fn check(fineract: &Fineract, operations: &Operations) -> Report {
    let mut report = Report::default();
    check_payment_type(&mut report, fineract, operations.payment_type.as_deref()).await;
    check_office(&mut report, fineract, operations.office_id).await;
    let listed = match read::<Vec<Named>>(fineract, "/loanproducts").await {
        Ok(listed) => listed,
        Err(reason) => {
            report.not_known("fineract.products", reason);
            return report;
        }
    };
    let listed = &listed;
    let findings = stream::iter(&operations.lenders)
        .map(|(lender, name)| check_product(fineract, listed, lender, name))
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    for finding in findings {
        report.extend(finding);
    }
    report
}

async fn check_payment_type(report: &mut Report, fineract: &Fineract, name: Option<&str>) {
    const CHECK: &str = "fineract.payment_type";
    let Some(name) = name else {
        report.wrong(
            CHECK,
            "FINERACT_PAYMENT_TYPE is not set: a UTR is written into a note, and its earlier use may remain undetected",
            "set FINERACT_PAYMENT_TYPE, and run `fineract-gateway setup-fineract`",
        );
        return;
    };
    match read::<Vec<Named>>(fineract, "/paymenttypes").await {
        Ok(listed) if listed.iter().any(|listed| listed.name == name) => {
            report.fine(CHECK, format!("Fineract has the payment type {name}"));
        }
        Ok(_) => report.wrong(
            CHECK,
            format!("Fineract has no payment type {name}"),
            format!("{SET_UP} FINERACT_PAYMENT_TYPE"),
        ),
        Err(reason) => report.not_known(CHECK, reason),
    }
}

async fn check_office(report: &mut Report, fineract: &Fineract, number: i64) {
    const CHECK: &str = "fineract.office";
    match read::<Vec<Named>>(fineract, "/offices").await {
        Ok(listed) => match listed.iter().find(|listed| listed.id == number) {
            Some(office) => report.fine(CHECK, format!("office {number} is {}", office.name)),
            None => report.wrong(
                CHECK,
                format!("Fineract does not show an office with the number {number}"),
                "correct FINERACT_OFFICE_ID, or let the gateway's user belong to an office above it",
            ),
        },
        Err(reason) => report.not_known(CHECK, reason),
    }
}

async fn check_product(fineract: &Fineract, listed: &[Named], lender: &str, name: &str) -> Report {
    let mut report = Report::default();
    let check = format!("fineract.products.{lender}");
    let Some(listed) = listed.iter().find(|listed| listed.name == name) else {
        report.wrong(
            check,
            format!("Fineract has no product with the name {name}"),
            format!("{SET_UP} LENDERS"),
        );
        return report;
    };
    let path = format!("/loanproducts/{}", listed.id);
    let body = match body(fineract, &path).await {
        Ok(body) => body,
        Err(reason) => {
            report.not_known(check, reason);
            return report;
        }
    };
    let is_closed = serde_json::from_str::<State>(&body)
        .is_ok_and(|state| state.status == "loanProduct.inActive");
    match Product::parse(&body) {
        Err(_) => report.wrong(
            check,
            "Fineract's answer lacks a field of the product that the gateway needs, so no LOAN_CREATE of the lender can run",
            "compare the version of Fineract with the versions with which the gateway is tested",
        ),
        Ok(_) if is_closed => report.wrong(
            check,
            format!("the product {name} is closed, so Fineract refuses each application"),
            "change the product's closing date in Fineract",
        ),
        Ok(product) => {
            let charges = product.charges.iter().map(|charge| {
                format!("{} ({})", charge.name, charge.amount)
            });
            let charges: Vec<_> = charges.collect();
            let charges = if charges.is_empty() {
                "no charges".to_owned()
            } else {
                format!("charges: {}", charges.join(", "))
            };
            report.fine(check, format!("{charges}; {}", rate(&body)));
        }
    }
    report
}

/// Reads a list, or gives the reason why it cannot be read.
async fn read<T: DeserializeOwned>(fineract: &Fineract, path: &str) -> Result<T, String> {
    let body = body(fineract, path).await?;
    serde_json::from_str(&body).map_err(|_unknown| {
        format!("Fineract answers {path} in a form that the gateway does not know")
    })
}

async fn body(fineract: &Fineract, path: &str) -> Result<String, String> {
    let answer = fineract.get(path).await;
    let answer = answer.map_err(|_failure| format!("Fineract does not answer {path}"))?;
    if answer.status == 200 {
        return Ok(answer.body);
    }
    let status = answer.status;
    Err(if ReadFailure::Refused(answer).is_forbidden() {
        format!("the gateway's user may not read {path}")
    } else {
        format!("Fineract answers {path} with {status}")
    })
}
