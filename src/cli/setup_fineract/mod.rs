//! `setup-fineract`: creates the objects that a new Fineract lacks before its first loan. It never changes existing
//! objects.

mod tenant;
mod wanted;

use std::process::ExitCode;

use serde::Deserialize;
use serde_json::json;

use self::{tenant::Tenant, wanted::Wanted};
use super::settings;
use crate::{
    config::Operations,
    domain::{Method, Named},
    fineract::Fineract,
};

/// The arguments of `setup-fineract`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Show what would be created, without creating anything.
    #[arg(long)]
    dry_run: bool,
}

/// Sets up the Fineract that the settings name. Exits with a failure if a product is missing and only a person can
/// create this product.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (fineract, operations) = settings::fineract()?;
    anstream::println!("{} as {}", fineract.url, fineract.user);
    let is_complete = set_up(&Fineract::new(&fineract)?, &operations, arguments.dry_run).await?;
    Ok(if is_complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Creates the currency, the payment type and the lenders' products, and prints a line for each of them. Returns
/// whether nothing is missing afterwards (in a dry run: whether nothing would be missing).
pub async fn set_up(
    fineract: &Fineract,
    operations: &Operations,
    is_dry_run: bool,
) -> anyhow::Result<bool> {
    let wanted = Wanted::read()?;
    let tenant = Tenant {
        fineract,
        is_dry_run,
    };
    set_up_currency(&tenant, &wanted.currency).await?;
    match &operations.payment_type {
        Some(name) => set_up_payment_type(&tenant, name).await?,
        None => print_row("payment type", "", "not set: UTRs are stored in notes"),
    }
    set_up_products(&tenant, &wanted, &operations.lenders).await
}

async fn set_up_currency(tenant: &Tenant<'_>, wanted: &str) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Currencies {
        selected_currency_options: Vec<Currency>,
    }
    #[derive(Deserialize)]
    struct Currency {
        code: String,
    }
    let selected: Currencies = tenant.read("/currencies").await?;
    let mut codes: Vec<_> = selected
        .selected_currency_options
        .into_iter()
        .map(|currency| currency.code)
        .collect();
    if codes.iter().any(|code| code == wanted) {
        print_row("currency", wanted, "exists");
        return Ok(());
    }
    // Fineract replaces the whole list, so the request must contain the existing currencies.
    codes.push(wanted.to_owned());
    let done = tenant
        .write(Method::Put, "/currencies", &json!({ "currencies": codes }))
        .await?;
    print_row("currency", wanted, &done.to_string());
    Ok(())
}

async fn set_up_payment_type(tenant: &Tenant<'_>, name: &str) -> anyhow::Result<()> {
    let found: Vec<Named> = tenant.read("/paymenttypes").await?;
    if found.iter().any(|found| found.name == name) {
        print_row("payment type", name, "exists");
        return Ok(());
    }
    let body = json!({
        "name": name, "description": "UTR", "isCashPayment": false, "position": found.len() + 1,
    });
    let done = tenant.write(Method::Post, "/paymenttypes", &body).await?;
    print_row("payment type", name, &done.to_string());
    Ok(())
}

/// Creates the charge unless it exists, and returns its id. `None` in a dry run if the charge does not exist.
async fn set_up_charge(tenant: &Tenant<'_>, wanted: &Wanted) -> anyhow::Result<Option<i64>> {
    let name = wanted.charge.get("name").and_then(|name| name.as_str());
    let name = name.unwrap_or_default();
    let found: Vec<Named> = tenant.read("/charges").await?;
    if let Some(found) = found.iter().find(|found| found.name == name) {
        print_row("charge", name, "exists");
        return Ok(Some(found.id));
    }
    let done = tenant
        .write(Method::Post, "/charges", &wanted.charge)
        .await?;
    print_row("charge", name, &done.to_string());
    Ok(done.id())
}

/// The fields of a product that are shown.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    name: String,
    #[serde(flatten)]
    rate: Rate,
}

/// The field of a product that names the period of its rate.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rate {
    interest_rate_frequency_type: Option<RateFrequency>,
}

#[derive(Debug, Deserialize)]
struct RateFrequency {
    id: i64,
}

async fn set_up_products(
    tenant: &Tenant<'_>,
    wanted: &Wanted,
    lenders: &[(String, String)],
) -> anyhow::Result<bool> {
    let mut is_complete = true;
    let mut products: Vec<Product> = tenant.read("/loanproducts").await?;
    for (lender, name) in lenders {
        if let Some(product) = products.iter().find(|product| product.name == *name) {
            print_row(
                "product",
                name,
                &format!("exists; {}", period(&product.rate)),
            );
            continue;
        }
        let charge = if wanted.is_charged(lender) {
            set_up_charge(tenant, wanted).await?
        } else {
            None
        };
        let Some(body) = wanted.product(lender, name, charge) else {
            is_complete = false;
            let problem =
                format!("is missing: create it by hand, {lender} is none of the nine lenders");
            print_row("product", name, &problem);
            continue;
        };
        let done = tenant.write(Method::Post, "/loanproducts", &body).await?;
        let frequency = body
            .get("interestRateFrequencyType")
            .and_then(serde_json::Value::as_i64);
        let product = Product {
            name: name.clone(),
            rate: Rate {
                interest_rate_frequency_type: frequency.map(|id| RateFrequency { id }),
            },
        };
        print_row(
            "product",
            name,
            &format!("{done}; {}", period(&product.rate)),
        );
        products.push(product);
    }
    Ok(is_complete)
}

/// The period to which the rate of a product applies. `product` is Fineract's answer for the product.
pub(super) fn rate(product: &str) -> &'static str {
    let rate = serde_json::from_str(product).unwrap_or(Rate {
        interest_rate_frequency_type: None,
    });
    period(&rate)
}

/// The period to which the product's `interestRatePerPeriod` applies, independent of the period of a loan
/// (`docs/fineract/loans.md`, "From a product to an application").
fn period(rate: &Rate) -> &'static str {
    match &rate.interest_rate_frequency_type {
        Some(RateFrequency { id: 2 }) => "its rate is per month",
        Some(RateFrequency { id: 3 }) => "its rate is per year",
        Some(RateFrequency { id: 4 }) => "its rate is for the whole term",
        Some(RateFrequency { .. }) | None => "Fineract does not show the period of its rate",
    }
}

fn print_row(kind: &str, name: &str, what: &str) {
    anstream::println!("{kind:<12}  {name:<16}  {what}");
}
