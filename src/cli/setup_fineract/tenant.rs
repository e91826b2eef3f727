//! Reading and writing a tenant's set-up, with errors that an operator can act on.

use std::fmt;

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    domain::{Answer, Failure, IdempotencyKey, Method, OperationId, Reply, Request},
    fineract::Fineract,
};

/// The tenant of the settings.
#[derive(Debug)]
pub(super) struct Tenant<'a> {
    pub(super) fineract: &'a Fineract,
    /// Whether nothing is written.
    pub(super) is_dry_run: bool,
}

/// What became of a write.
#[derive(Clone, Copy, Debug)]
pub(super) enum Done {
    /// It was made, under this number where it has one.
    Made(Option<i64>),
    /// It would be made.
    WouldMake,
}

impl Done {
    /// The number of what was made.
    pub(super) fn id(self) -> Option<i64> {
        match self {
            Self::Made(id) => id,
            Self::WouldMake => None,
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Made(_) => "made",
            Self::WouldMake => "would be made",
        })
    }
}

impl Tenant<'_> {
    /// Reads a list or a thing.
    pub(super) async fn read<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let what = format!("GET {path}");
        let answer = self
            .fineract
            .get(path)
            .await
            .map_err(|failure| no_answer(&what, failure))?;
        parse(&what, &answer)
    }

    /// Makes a thing, unless this is a dry run.
    pub(super) async fn write(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<Done> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Made {
            resource_id: Option<i64>,
        }
        if self.is_dry_run {
            return Ok(Done::WouldMake);
        }
        let request = Request {
            method,
            path: path.to_owned(),
            body: Some(serde_json::to_string(body)?),
        };
        let key = IdempotencyKey {
            id: OperationId::new(),
            number: 1,
        };
        let what = format!("{} {path}", method.as_str());
        match self.fineract.send(&request, key).await {
            Reply::Answer(answer) => Ok(Done::Made(parse::<Made>(&what, &answer)?.resource_id)),
            Reply::Failure(failure) => Err(no_answer(&what, failure)),
        }
    }
}

fn parse<T: DeserializeOwned>(what: &str, answer: &Answer) -> anyhow::Result<T> {
    if answer.status != 200 {
        let codes = answer.codes().join(", ");
        let hint = match answer.status {
            401 => "wrong FINERACT_USER or FINERACT_PASSWORD",
            400 if codes.is_empty() => "wrong FINERACT_TENANT, perhaps",
            404 if codes.is_empty() => "FINERACT_URL should end in /api/v1",
            _ if codes.is_empty() => "without a reason",
            _ => codes.as_str(),
        };
        bail!("Fineract answered {what} with {}: {hint}", answer.status);
    }
    serde_json::from_str(&answer.body)
        .with_context(|| format!("Fineract answered {what} with something else than expected"))
}

fn no_answer(what: &str, failure: Failure) -> anyhow::Error {
    match failure {
        Failure::NotConnected => anyhow!("FINERACT_URL cannot be reached ({what})"),
        // Whatever was made is found by its name the next time.
        Failure::TimedOut => anyhow!("Fineract did not answer {what} in time: run this again"),
        Failure::Closed => anyhow!("Fineract broke off its answer to {what}: run this again"),
    }
}
