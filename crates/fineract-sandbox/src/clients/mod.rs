//! Clients: their commands and their reads (`docs/fineract/clients.md`).

mod change;
mod create;
mod read;

use chrono::NaiveDate;

use super::failure::Failure;
use super::operations::{Outcome, Posting};
use super::users::Who;

pub(super) use change::{activate, close, delete, update};
pub(super) use create::create;
pub(super) use read::{accounts, read, search};

/// A client in the books.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) id: i64,
    pub(super) external_id: Option<String>,
    pub(super) account_no: Option<String>,
    pub(super) names: Names,
    pub(super) mobile_no: Option<String>,
    pub(super) email_address: Option<String>,
    pub(super) date_of_birth: Option<NaiveDate>,
    /// 1 is a person, 2 an entity.
    pub(super) legal_form: i64,
    /// [`PENDING`], [`ACTIVE`] or [`CLOSED`].
    pub(super) status: i64,
    pub(super) submitted_on: NaiveDate,
    pub(super) submitted_by: Who,
    pub(super) activation: Option<(NaiveDate, Who)>,
    pub(super) closure: Option<(NaiveDate, Who)>,
}

/// A client's names: first and last name, or a full name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Names {
    pub(super) first: Option<String>,
    pub(super) middle: Option<String>,
    pub(super) last: Option<String>,
    pub(super) full: Option<String>,
}

pub(super) const PENDING: i64 = 100;
pub(super) const ACTIVE: i64 = 300;
pub(super) const CLOSED: i64 = 600;

impl Names {
    pub(super) fn display(&self) -> String {
        let parts = [&self.first, &self.middle, &self.last, &self.full];
        parts
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl Client {
    pub(super) fn account_no(&self) -> String {
        self.account_no
            .clone()
            .unwrap_or_else(|| format!("{:09}", self.id))
    }

    pub(super) fn must_be_active(&self) -> Result<(), Failure> {
        if self.status == ACTIVE {
            Ok(())
        } else {
            Err(Failure::rule(
                "error.msg.client.not.active.exception",
                vec![self.id.into()],
            ))
        }
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            office_id: Some(1),
            client_id: Some(self.id),
            resource_id: Some(self.id),
            resource_external_id: self.external_id.clone(),
            posting: Posting {
                external_id: self.external_id.clone(),
                ..Posting::default()
            },
            ..Outcome::default()
        }
    }
}
