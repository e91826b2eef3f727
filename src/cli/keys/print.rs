//! How keys are printed.

use crate::{
    cli::print::{Printer, minute},
    domain::CredentialSecret,
    http::KeyBody,
    store::Credential,
};

/// How to print.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Printing {
    /// Print JSON, as the API of the gateway answers it.
    #[arg(long)]
    json: bool,
}

impl Printing {
    /// Prints each key on a line.
    pub(super) fn all(self, keys: Vec<Credential>) -> anyhow::Result<()> {
        let mut printer = Printer::default();
        for key in keys {
            let key = KeyBody::new(key, None);
            let line = if self.json {
                serde_json::to_string(&key)?
            } else {
                line(&key)
            };
            printer.line(&line)?;
        }
        Ok(())
    }

    /// Prints a key, and its new secret if it has one.
    pub(super) fn one(
        self,
        key: Credential,
        secret: Option<&CredentialSecret>,
    ) -> anyhow::Result<()> {
        let key = KeyBody::new(key, secret);
        let mut printer = Printer::default();
        if self.json {
            printer.line(&serde_json::to_string(&key)?)?;
            return Ok(());
        }
        for line in lines(&key) {
            printer.line(&line)?;
        }
        Ok(())
    }
}

fn line(key: &KeyBody) -> String {
    let state = match (&key.revoked_at, &key.expires_at) {
        (Some(at), _) => format!("revoked {}", at.format("%Y-%m-%d")),
        (None, Some(at)) => format!("expires {}", at.format("%Y-%m-%d")),
        (None, None) => "does not expire".to_owned(),
    };
    let used = key.last_used_at.map_or_else(
        || "not used yet".to_owned(),
        |at| format!("used {}", minute(at)),
    );
    format!(
        "{}  {}  {}  {}  {}  {state}  {used}",
        key.id,
        key.name,
        key.owner,
        key.kind,
        key.scopes.join(",")
    )
}

/// Each fact about a key on a line of its own.
fn lines(key: &KeyBody) -> Vec<String> {
    let list = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join(","));
    let time = |time: Option<chrono::DateTime<chrono::Utc>>| {
        time.map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
    };
    let mut facts = vec![
        ("id", Some(key.id.to_string())),
        ("name", Some(key.name.clone())),
        ("owner", Some(key.owner.clone())),
        ("kind", Some(key.kind.to_owned())),
        ("scopes", Some(key.scopes.join(","))),
        ("types", list(&key.operation_types)),
        ("lenders", list(&key.lenders)),
        ("rate", key.rate.map(|rate| format!("{rate} a minute"))),
        ("addresses", list(&key.addresses)),
        ("expires", time(key.expires_at)),
        ("created", time(Some(key.created_at))),
        ("by", Some(key.created_by.clone())),
        ("used", time(key.last_used_at)),
        ("revoked", time(key.revoked_at)),
    ];
    for secret in &key.secrets {
        let until = time(secret.valid_until);
        let until = until.map_or_else(|| "the newest".to_owned(), |until| format!("until {until}"));
        facts.push((
            "made",
            time(Some(secret.created_at)).map(|made| format!("{made}  {until}")),
        ));
    }
    facts.push(("secret", key.secret.clone()));
    let facts = facts.into_iter();
    facts
        .filter_map(|(name, value)| Some(format!("{name:<9}  {}", value?)))
        .collect()
}
