//! `setup-fineract`: makes what a Fineract lacks before its first loan. It never changes what exists.

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
    /// Say what would be made, and make nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Sets up the Fineract of the settings. Fails where a product is missing that only a person can make.
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

/// Makes the currency, the payment type and the lenders' products, and says of each what was done.
/// Whether nothing is missing now, or would be without `is_dry_run`.
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
        None => say("payment type", "", "none is set: UTRs go into the note"),
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
        say("currency", wanted, "exists");
        return Ok(());
    }
    // The list is replaced as a whole: those that are there must be in it.
    codes.push(wanted.to_owned());
    let done = tenant
        .write(Method::Put, "/currencies", &json!({ "currencies": codes }))
        .await?;
    say("currency", wanted, &done.to_string());
    Ok(())
}

async fn set_up_payment_type(tenant: &Tenant<'_>, name: &str) -> anyhow::Result<()> {
    let found: Vec<Named> = tenant.read("/paymenttypes").await?;
    if found.iter().any(|found| found.name == name) {
        say("payment type", name, "exists");
        return Ok(());
    }
    let body = json!({
        "name": name, "description": "UTR", "isCashPayment": false, "position": found.len() + 1,
    });
    let done = tenant.write(Method::Post, "/paymenttypes", &body).await?;
    say("payment type", name, &done.to_string());
    Ok(())
}

/// The charge's id; `None` where a dry run leaves it unmade.
async fn set_up_charge(tenant: &Tenant<'_>, wanted: &Wanted) -> anyhow::Result<Option<i64>> {
    let name = wanted.charge.get("name").and_then(|name| name.as_str());
    let name = name.unwrap_or_default();
    let found: Vec<Named> = tenant.read("/charges").await?;
    if let Some(found) = found.iter().find(|found| found.name == name) {
        say("charge", name, "exists");
        return Ok(Some(found.id));
    }
    let done = tenant
        .write(Method::Post, "/charges", &wanted.charge)
        .await?;
    say("charge", name, &done.to_string());
    Ok(done.id())
}

/// A product as Fineract shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    name: String,
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
            say("product", name, &format!("exists; {}", rate(product)));
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
                format!("is missing: make it by hand, {lender} is none of the nine lenders");
            say("product", name, &problem);
            continue;
        };
        let done = tenant.write(Method::Post, "/loanproducts", &body).await?;
        let frequency = body
            .get("interestRateFrequencyType")
            .and_then(serde_json::Value::as_i64);
        let product = Product {
            name: name.clone(),
            interest_rate_frequency_type: frequency.map(|id| RateFrequency { id }),
        };
        say("product", name, &format!("{done}; {}", rate(&product)));
        products.push(product);
    }
    Ok(is_complete)
}

/// How the product reads `interestRatePerPeriod`, whatever the loan's own period is (`docs/fineract/loans.md`, "From
/// a product to an application").
fn rate(product: &Product) -> &'static str {
    match &product.interest_rate_frequency_type {
        Some(RateFrequency { id: 2 }) => "its rate is per month",
        Some(RateFrequency { id: 3 }) => "its rate is per year",
        Some(RateFrequency { id: 4 }) => "its rate is for the whole term",
        Some(RateFrequency { .. }) | None => "Fineract does not say what its rate is per",
    }
}

fn say(kind: &str, name: &str, what: &str) {
    anstream::println!("{kind:<12}  {name:<16}  {what}");
}
