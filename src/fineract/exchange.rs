//! What every exchange with Fineract says about Fineract: how long it took, and what came of it.

use std::{fmt, sync::Arc, time::Duration};

use crate::domain::{Answer, Failure, FineractCommand, Method};

/// What the paths of reads begin with.
const RESOURCES: [&str; 5] = ["clients", "loans", "loanproducts", "paymenttypes", "audits"];

/// What a call was about. Nothing in it names a client, a loan or a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    method: Method,
    resource: &'static str,
    command: &'static str,
}

impl Kind {
    /// The kind of a call to this path.
    pub fn of(method: Method, path: &str) -> Self {
        if let Some(command) = FineractCommand::of_request(method, path) {
            return Self {
                method,
                resource: command.resource(),
                command: command.parameter().unwrap_or_default(),
            };
        }
        let folder = path.split(['/', '?']).nth(1).unwrap_or_default();
        let resource = RESOURCES.into_iter().find(|known| *known == folder);
        Self {
            method,
            resource: resource.unwrap_or("other"),
            command: "",
        }
    }
}

/// One call to Fineract, whatever came of it.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// What it was about.
    pub kind: Kind,
    /// How long it took, to the last byte of the answer.
    pub took: Duration,
    /// What came of it.
    pub result: &'a Result<Answer, Failure>,
}

impl Exchange<'_> {
    /// Counts it in the metrics.
    pub(super) fn record(&self) {
        let result = match self.result {
            Ok(answer) => answer.status.to_string(),
            Err(failure) => failure.as_str().to_owned(),
        };
        metrics::histogram!(
            "gateway_fineract_call_seconds",
            "method" => self.kind.method.as_str(),
            "resource" => self.kind.resource,
            "command" => self.kind.command,
            "result" => result,
        )
        .record(self.took);
    }
}

/// Is told of every exchange: whoever protects Fineract learns from them.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(&Exchange<'_>) + Send + Sync>);

impl Observer {
    /// An observer that calls `observe`.
    pub fn new(observe: impl Fn(&Exchange<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }

    pub(super) fn observe(&self, exchange: &Exchange<'_>) {
        (self.0)(exchange);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_hold_no_id() {
        for (path, resource, command) in [
            ("/clients", "clients", ""),
            ("/clients/external-id/approve", "clients", ""),
            ("/loans/17?command=approve", "loans", "approve"),
            (
                "/loans/17?command=withdrawnByApplicant",
                "loans",
                "withdrawnByApplicant",
            ),
            (
                "/loans/external-id/L-1?associations=charges,transactions",
                "loans",
                "",
            ),
            ("/loans/17?command=writeoff-of-jane", "loans", ""),
            ("/jane/doe", "other", ""),
            ("", "other", ""),
        ] {
            let kind = Kind::of(Method::Post, path);
            assert_eq!((kind.resource, kind.command), (resource, command), "{path}");
        }
    }
}
