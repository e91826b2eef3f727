//! Commands that wait for a checker (`CONTRACT.md` section 13).
//!
//! Fineract lists them to who may check them; to anyone else the list is empty. So that a command is
//! missing from the list says something only after it has been seen there.

use serde::Deserialize;

use super::{Finding, History};
use crate::domain::{Method, Request};

/// An entry of `GET /makercheckers`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingCommand {
    /// Its number, which the maker was answered as `commandId`.
    pub id: i64,
    /// What it is about; a create has none.
    pub resource_id: Option<i64>,
    /// Who sent it.
    pub maker: Option<String>,
}

impl PendingCommand {
    /// Reads Fineract's list.
    pub fn parse_list(body: &str) -> Result<Vec<Self>, serde_json::Error> {
        serde_json::from_str(body)
    }
}

impl Request {
    /// The action and the entity under which Fineract keeps this command (`CONTRACT.md` section 12.1);
    /// `None` where this gateway sends no such command.
    pub fn task(&self) -> Option<(&'static str, &'static str)> {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let entity = match path.split('/').nth(1)? {
            "clients" => "CLIENT",
            "loans" => "LOAN",
            _ => return None,
        };
        let action = match (self.method, query.strip_prefix("command=")) {
            (Method::Post, Some("approve")) => "APPROVE",
            (Method::Post, Some("undoapproval")) => "APPROVALUNDO",
            (Method::Post, Some("disburse")) => "DISBURSE",
            (Method::Post, Some("undodisbursal")) => "DISBURSALUNDO",
            (Method::Post, Some("repayment")) => "REPAYMENT",
            (Method::Post, Some("reject")) => "REJECT",
            (Method::Post, Some("withdrawnByApplicant")) => "WITHDRAW",
            (Method::Post, None) => "CREATE",
            (Method::Put, None) => "UPDATE",
            (Method::Delete, None) => "DELETE",
            (Method::Get | Method::Post | Method::Put | Method::Delete, _) => return None,
        };
        Some((action, entity))
    }
}

impl History<'_> {
    /// The number of what the operation is about; a create has none.
    fn about(&self) -> Option<i64> {
        self.request()
            .and_then(|request| request.loan_id().or(request.client_id()))
    }

    /// Whether a command of this operation is among those that wait. Where its number is not known, any
    /// of the users that sent it about the same thing may be it, and of a create any of theirs at all.
    pub fn is_among(&self, pending: &[PendingCommand], users: &[&str]) -> bool {
        let (told, about) = (self.pending_command(), self.about());
        let may_be_ours = |command: &PendingCommand| {
            let maker = command.maker.as_deref();
            maker.is_none_or(|maker| users.iter().any(|user| maker.eq_ignore_ascii_case(user)))
                && (about.is_none() || command.resource_id == about)
        };
        pending
            .iter()
            .any(|command| told.map_or_else(|| may_be_ours(command), |id| command.id == id))
    }
}

/// Where a command stands among those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// It is listed: it waits.
    Listed,
    /// It was listed, and is no more.
    Gone,
    /// It was never seen there: it may be that this user is not shown it.
    NeverSeen,
    /// The list cannot be read.
    Unreadable,
}

/// What becomes of an operation that waits for a checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Checked {
    /// Approved: the effect is there.
    Succeeded,
    /// Rejected, or its approval failed: there is no effect.
    Rejected,
    /// It waits for its checker, as long as that takes.
    Waits,
    /// Nobody can see whether it still waits: until it has to be parked.
    Unseen,
    /// Only a person can decide it.
    Park {
        /// Why, as a stable code.
        why: &'static str,
    },
}

/// Decides about an operation that waits for a checker. The list is read first: an effect is there before
/// its command leaves it.
pub fn decide_checked(listing: Listing, finding: Finding, history: &History<'_>) -> Checked {
    match (listing, finding) {
        // Whatever is there is somebody else's: this one has not been run.
        (Listing::Listed, _) => Checked::Waits,
        (Listing::Gone | Listing::NeverSeen | Listing::Unreadable, Finding::Ours) => {
            Checked::Succeeded
        }
        (Listing::Gone, Finding::Absent | Finding::NotOurs) => {
            // What was seen there may have been another create, and another key may be waiting as well.
            let told_apart = history.pending_command().or(history.about()).is_some();
            if history.other_key_unknown() || !told_apart {
                Checked::Unseen
            } else {
                Checked::Rejected
            }
        }
        (Listing::Gone, Finding::CannotTell) => Checked::Park {
            why: "evidence_cannot_tell",
        },
        (
            Listing::NeverSeen | Listing::Unreadable,
            Finding::Absent | Finding::NotOurs | Finding::CannotTell,
        ) => Checked::Unseen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_the_name_under_which_fineract_keeps_it() {
        for (method, path, action, entity) in [
            (Method::Post, "/clients", "CREATE", "CLIENT"),
            (Method::Put, "/clients/7", "UPDATE", "CLIENT"),
            (Method::Post, "/loans", "CREATE", "LOAN"),
            (Method::Put, "/loans/9", "UPDATE", "LOAN"),
            (Method::Delete, "/loans/9", "DELETE", "LOAN"),
            (Method::Post, "/loans/9?command=approve", "APPROVE", "LOAN"),
            (
                Method::Post,
                "/loans/9?command=undoapproval",
                "APPROVALUNDO",
                "LOAN",
            ),
            (
                Method::Post,
                "/loans/9?command=disburse",
                "DISBURSE",
                "LOAN",
            ),
            (
                Method::Post,
                "/loans/9?command=undodisbursal",
                "DISBURSALUNDO",
                "LOAN",
            ),
            (
                Method::Post,
                "/loans/9/transactions?command=repayment",
                "REPAYMENT",
                "LOAN",
            ),
            (Method::Post, "/loans/9?command=reject", "REJECT", "LOAN"),
            (
                Method::Post,
                "/loans/9?command=withdrawnByApplicant",
                "WITHDRAW",
                "LOAN",
            ),
        ] {
            let request = Request {
                method,
                path: path.to_owned(),
                body: None,
            };
            assert_eq!(request.task(), Some((action, entity)), "{path}");
        }
    }
}
