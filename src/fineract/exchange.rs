//! Exchanges with Fineract: the kind, the duration and the result of each call, for the metrics and for overload
//! protection.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    domain::{Answer, Failure, FineractCommand, Method},
    traces::Span,
};

/// The resources that the gateway reads, as the first segment of a path.
const RESOURCES: [&str; 5] = ["clients", "loans", "loanproducts", "paymenttypes", "audits"];

/// The kind of a call. It contains no id of a client or loan and no name of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    method: Method,
    resource: &'static str,
    command: &'static str,
}

impl Kind {
    /// The kind of a call with this method and path.
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

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_str(), self.resource)?;
        if self.command.is_empty() {
            Ok(())
        } else {
            write!(f, " {}", self.command)
        }
    }
}

/// One call to Fineract and its result.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The kind of the call.
    pub kind: Kind,
    /// The duration until the last byte of the answer.
    pub took: Duration,
    /// The answer, or the reason why there is none.
    pub result: &'a Result<Answer, Failure>,
}

impl Exchange<'_> {
    /// Records the call in the metrics.
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

    /// Ends the span of the call. It contains neither an address nor a body.
    pub(super) fn describe(&self, mut span: Span) {
        span.set("peer.service", "fineract");
        span.set("http.request.method", self.kind.method.as_str());
        match self.result {
            Ok(answer) => {
                span.set_status(answer.status);
                span.set("fineract.answer_was_stored", answer.cached);
            }
            Err(failure) => span.fail(failure.as_str()),
        }
    }
}

/// Receives every exchange. The worker uses an observer to protect Fineract against overload.
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
