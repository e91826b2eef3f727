//! Reads and writes the configuration of a tenant, with error messages that an operator can act on.

use std::fmt;

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    domain::{Answer, Failure, IdempotencyKey, Method, OperationId, Reply, Request},
    fineract::Fineract,
};

/// The tenant that the settings name.
#[derive(Debug)]
pub(super) struct Tenant<'a> {
    pub(super) fineract: &'a Fineract,
    /// Whether this is a dry run, which writes nothing.
    pub(super) is_dry_run: bool,
}

/// The result of a write.
#[derive(Clone, Copy, Debug)]
pub(super) enum Written {
    /// The object was created, with this number if it has one.
    Created(Option<i64>),
    /// This is a dry run; otherwise the object would have been created.
    WouldCreate,
}

impl Written {
    /// The number of the created object.
    pub(super) fn id(self) -> Option<i64> {
        match self {
            Self::Created(id) => id,
            Self::WouldCreate => None,
        }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created(_) => "created",
            Self::WouldCreate => "would be created",
        })
    }
}

impl Tenant<'_> {
    /// Reads an object or a list.
    pub(super) async fn read<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let what = format!("GET {path}");
        let answer = self
            .fineract
            .get(path)
            .await
            .map_err(|failure| no_answer(&what, failure))?;
        parse(&what, &answer)
    }

    /// Creates or changes an object, unless this is a dry run.
    pub(super) async fn write(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<Written> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Created {
            resource_id: Option<i64>,
        }
        if self.is_dry_run {
            return Ok(Written::WouldCreate);
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
            Reply::Answer(answer) => Ok(Written::Created(
                parse::<Created>(&what, &answer)?.resource_id,
            )),
            Reply::Failure(failure) => Err(no_answer(&what, failure)),
        }
    }
}

fn parse<T: DeserializeOwned>(what: &str, answer: &Answer) -> anyhow::Result<T> {
    if answer.status != 200 {
        let codes = answer.codes().join(", ");
        let hint = match answer.status {
            401 => "wrong FINERACT_USER or FINERACT_PASSWORD",
            400 if codes.is_empty() => "FINERACT_TENANT may be wrong",
            404 if codes.is_empty() => "FINERACT_URL should end in /api/v1",
            _ if codes.is_empty() => "without a reason",
            _ => codes.as_str(),
        };
        bail!("Fineract answered {what} with {}: {hint}", answer.status);
    }
    serde_json::from_str(&answer.body)
        .with_context(|| format!("Fineract answered {what} with an unexpected body"))
}

fn no_answer(what: &str, failure: Failure) -> anyhow::Error {
    match failure {
        Failure::NotSent | Failure::NotConnected => {
            anyhow!("FINERACT_URL cannot be reached ({what})")
        }
        // If Fineract has created the object nevertheless, the next run finds it by its name.
        Failure::TimedOut => anyhow!("Fineract did not answer {what} in time: run this again"),
        Failure::Closed => {
            anyhow!("Fineract closed the connection during its answer to {what}: run this again")
        }
    }
}
