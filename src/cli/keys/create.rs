//! `keys create`.

use anyhow::{anyhow, bail};
use chrono::{DateTime, Utc};

use super::{Acting, print::Printing};
use crate::{
    domain::{CredentialKind, OperationType, Scope},
    http::KeyRequest,
    store::CredentialTable,
};

/// The arguments of `keys create`.
#[derive(Debug, clap::Args)]
pub(super) struct CreateArguments {
    /// Name the key: letters, digits, dots, - and _.
    name: String,
    /// Choose by which header it is sent, and for whom it is.
    #[arg(long, value_parser = CredentialKind::ALL.map(CredentialKind::as_str))]
    kind: String,
    /// Name the company or system whose operations and batches it reaches, if it is not the name of the key; token:NAME
    /// and bulk:NAME are those of the tokens and bulk clients in the settings.
    #[arg(long)]
    owner: Option<String>,
    /// Permit only this, separated by commas; otherwise what is usual for its kind.
    #[arg(long, value_delimiter = ',', value_parser = Scope::ALL.map(Scope::as_str))]
    scopes: Option<Vec<String>>,
    /// Permit only operations of these types, separated by commas.
    #[arg(long, value_name = "TYPES", value_delimiter = ',', value_parser = types())]
    types: Option<Vec<String>>,
    /// Permit operations that name a lender only for these lenders, separated by commas.
    #[arg(long, value_delimiter = ',')]
    lenders: Option<Vec<String>>,
    /// Admit at most this number of requests a minute at each gateway.
    #[arg(long, value_name = "NUMBER")]
    rate: Option<i32>,
    /// Permit it only from these addresses or networks, separated by commas, such as 10.1.0.0/16.
    #[arg(long, value_name = "NETWORKS", value_delimiter = ',')]
    addresses: Option<Vec<String>>,
    /// Let it expire at this time, such as 2027-11-29T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<DateTime<Utc>>,
    #[command(flatten)]
    acting: Acting,
    #[command(flatten)]
    printing: Printing,
}

fn types() -> Vec<&'static str> {
    OperationType::ALL
        .iter()
        .map(|kind| kind.as_str())
        .collect()
}

/// Creates a key.
pub(super) async fn run(table: &CredentialTable, arguments: CreateArguments) -> anyhow::Result<()> {
    let CreateArguments {
        name,
        kind,
        owner,
        scopes,
        types,
        lenders,
        rate,
        addresses,
        expires_at,
        acting,
        printing,
    } = arguments;
    let request = KeyRequest {
        name,
        owner,
        kind,
        scopes,
        operation_types: types,
        lenders,
        rate,
        addresses,
        expires_at,
        reason: None,
    };
    let settings = match request.check() {
        Ok(settings) => settings,
        Err(problems) => {
            let problems = problems.iter().map(|problem| {
                let argument = problem.pointer.trim_start_matches('/');
                format!("{argument} {}", problem.message)
            });
            bail!("{}", problems.collect::<Vec<_>>().join("; "));
        }
    };
    let secret = table.create(&settings, &acting.operator()).await?;
    let created = table.find(&secret.id.to_string()).await?;
    let created = created.ok_or_else(|| anyhow!("the key was created, but not found"))?;
    printing.one(created, Some(&secret))
}
